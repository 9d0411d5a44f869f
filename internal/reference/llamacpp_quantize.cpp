// Quantises a GGUF file by llama.cpp, or lets llama.cpp leave layers out of one, as llama-quantize does with --prune-layers.
// llamacpp.sh builds it.
//
//   llamacpp_quantize IN.gguf OUT.gguf FTYPE                      FTYPE is a number of enum llama_ftype
//   llamacpp_quantize IN.gguf OUT.gguf prune KEY LEFT LAYER…      KEY is the name of the block count, LEFT its new value
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "llama.h"

int main(int argc, char ** argv) {
    if (argc < 4) return 2;
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level >= GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
    }, nullptr);
    llama_model_quantize_params p = llama_model_quantize_default_params();
    p.nthread = 1;
    std::vector<int32_t> layers;
    llama_model_kv_override overrides[2] = {};
    if (strcmp(argv[3], "prune") == 0 && argc > 6) {
        p.only_copy = true;
        for (int i = 6; i < argc; i++) layers.push_back(atoi(argv[i]));
        layers.push_back(-1);
        p.prune_layers = layers.data();
        overrides[0].tag = LLAMA_KV_OVERRIDE_TYPE_INT;
        snprintf(overrides[0].key, sizeof overrides[0].key, "%s", argv[4]);
        overrides[0].val_i64 = atoi(argv[5]);
        p.kv_overrides = overrides;
    } else {
        p.ftype = (llama_ftype) atoi(argv[3]);
    }
    return (int) llama_model_quantize(argv[1], argv[2], &p);
}
