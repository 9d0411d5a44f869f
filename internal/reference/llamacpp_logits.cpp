// Writes the logits that llama.cpp computes for a list of token ids, and the tokens that it continues them with, so that two
// GGUF files, or llama.cpp and shallow, can be laid side by side. llamacpp.sh builds and runs it.
//
//   llamacpp_logits MODEL.gguf OUT.f32 GREEDY ID…     float32 [T, V] to OUT.f32, GREEDY ids of a greedy continuation to stdout
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "llama.h"

int main(int argc, char ** argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: %s MODEL.gguf OUT.f32 GREEDY ID...\n", argv[0]);
        return 2;
    }
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level >= GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
    }, nullptr);
    llama_backend_init();
    llama_model_params mp = llama_model_default_params();
    mp.use_extra_bufts = false; // weights as they are in the file
    llama_model * model = llama_model_load_from_file(argv[1], mp);
    if (!model) return 1;
    const int V = llama_vocab_n_tokens(llama_model_get_vocab(model));
    std::vector<llama_token> ids;
    for (int i = 4; i < argc; i++) ids.push_back(atoi(argv[i]));
    const int T = (int) ids.size(), greedy = atoi(argv[3]);

    llama_context_params cp = llama_context_default_params();
    cp.n_ctx = 512;
    cp.n_batch = cp.n_ubatch = 512;
    cp.n_threads = cp.n_threads_batch = 1;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context * ctx = llama_init_from_model(model, cp);
    if (!ctx) return 1;

    llama_batch batch = llama_batch_init(512, 0, 1);
    batch.n_tokens = T;
    for (int i = 0; i < T; i++) {
        batch.token[i] = ids[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    if (llama_decode(ctx, batch)) return 1;
    FILE * out = fopen(argv[2], "wb");
    if (!out) return 1;
    for (int i = 0; i < T; i++) fwrite(llama_get_logits_ith(ctx, i), sizeof(float), V, out);
    fclose(out);

    const float * logits = llama_get_logits_ith(ctx, T - 1);
    for (int n = 0; n < greedy; n++) {
        int best = 0;
        for (int v = 1; v < V; v++) if (logits[v] > logits[best]) best = v;
        printf("%d%s", best, n + 1 < greedy ? " " : "\n");
        batch.n_tokens = 1;
        batch.token[0] = best;
        batch.pos[0] = T + n;
        batch.logits[0] = 1;
        if (llama_decode(ctx, batch)) return 1;
        logits = llama_get_logits_ith(ctx, 0);
    }
    llama_batch_free(batch);
    llama_free(ctx);
    llama_model_free(model);
    return 0;
}
