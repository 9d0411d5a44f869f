package prune_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/plan"
	"shallow/prune"
)

// refusal is a row of docs/refused.md: something that is not pruned, with the reason, and a case of it.
type refusal struct {
	what, why, do string
	config        string            // of a small checkpoint; the layers' tensors are made up
	files         map[string]string // more files in its directory
	outside       []string          // more tensors
	drop          string
	adapter       string // an adapter_config.json
	tensor        string // of the adapter
	proved        bool   // without --unproved
	want          string // in the error
}

const loraTensor = "base_model.model.model.layers.4.mlp.up_proj.lora_A.weight"

// refusals are pruned from small checkpoints of as many layers as their config says.
var refusals = []refusal{
	{what: "A list of as many elements as layers under an unknown key", why: "It may be one element a layer, or not", do: "Add the key to `prune/rules.go`, as what it is",
		config: `{"model_type":"x","num_hidden_layers":6,"secret":[1,2,3,4,5,6]}`, drop: "2:4", want: "secret is a list of 6 elements, as many as there are layers"},
	{what: "A list of numbers under an unknown key that speaks of layers", why: "They may be layer numbers, counted from 0 or from 1", do: "The same",
		config: `{"model_type":"x","num_hidden_layers":6,"skip_layers":[3,4]}`, drop: "2:4", want: "skip_layers lists numbers, perhaps of layers"},
	{what: "An object with numbers as keys, unknown", why: "They may be layer numbers", do: "The same",
		config: `{"model_type":"x","num_hidden_layers":6,"heads":{"3":[1]}}`, drop: "2:4", want: "heads has numbers as keys"},
	{what: "A per-layer list of another length than the layers", why: "config.json and weights do not fit each other", do: "Fetch the model again, or correct the file",
		config: `{"model_type":"qwen3","num_hidden_layers":6,"layer_types":["a","b"]}`, drop: "2:4", want: "layer_types has 2 elements"},
	{what: "No number of layers, or two that differ", why: "There is nothing to lower, or it is not known which counts", do: "Correct the file",
		config: `{"model_type":"x","num_hidden_layers":6,"n_layer":7}`, drop: "2:4", want: "n_layer is 7, but the model has 6 layers"},
	{what: "Names of layers in a place that is not known", why: "What they mean there is not known, and they would name other layers", do: "Take them out, or add the key to `prune/rules.go`",
		config: `{"model_type":"x","num_hidden_layers":6,"special":["model.layers.3.mlp"]}`, drop: "2:4", want: "special names layers inside text"},
	{what: "An expression that may mean one layer or several", why: "`layers.1.*` is also layer 12 to some readers", do: "Write `layers\\.1\\..*`",
		config: `{"model_type":"x","num_hidden_layers":12,"quantization_config":{"quant_method":"compressed-tensors","ignore":["re:model.layers.1.*mlp"]}}`, drop: "2:4", want: "means every layer whose number starts with 1"},
	{what: "A period for which the family's readers take no list (Jamba, ERNIE's `moe_layer_interval`, unknown families), shifted", why: "Layers would be read as another kind", do: "Drop the block that the error names, or whole periods",
		config: `{"model_type":"jamba","num_hidden_layers":16,"attn_layer_period":8,"attn_layer_offset":4}`, drop: "2:4", want: "no reader takes a list: layer 4, as layer 2, would not be what it was"},
	{what: "GPT-2 with `scale_attn_by_inverse_layer_idx`, any but the last layers", why: "Attention scores are divided by the layer's number", do: "Drop the last layers",
		config: `{"model_type":"gpt2","n_layer":6,"scale_attn_by_inverse_layer_idx":true}`, drop: "2:4", want: "divides a layer's attention scores by its number: layer 4, as layer 2, would not be what it was. The nearest block of 2 layers that can go is [4, 6)"},
	{what: "MiniMax, unless only full attention is left", why: "Linear layers forget at a rate of their number over the number of layers", do: "—",
		config: `{"model_type":"minimax","num_hidden_layers":6}`, drop: "2:4", want: "forgets at a rate that depends on its number and on how many layers there are"},
	{what: "The first layer of ModernBERT's decoder, RWKV, Zaya", why: "It is built differently from the others", do: "Leave it in",
		config: `{"model_type":"modernbert-decoder","num_hidden_layers":6}`, drop: "0:3", want: "the first layer is built differently from the others"},
	{what: "The last layer of GPT-NeoX Japanese", why: "The same", do: "The same",
		config: `{"model_type":"gpt_neox_japanese","num_hidden_layers":6}`, drop: "4:6", want: "the last layer is built differently from the others"},
	{what: "DiffLlama, BigBird and others, any but the last layers", why: "What a layer computes depends on its number", do: "Drop the last layers",
		config: `{"model_type":"diffllama","num_hidden_layers":6}`, drop: "2:4", want: "what a layer computes depends on its number: layer 4, as layer 2, would not be what it was. The nearest block of 2 layers that can go is [4, 6)"},
	{what: "Some new families (DeepSeek-V4, LFM 3, …) without `layer_types` and the like", why: "Readers go by a pattern that is not known here", do: "Save the config with transformers, which writes the lists",
		config: `{"model_type":"deepseek_v4","num_hidden_layers":6}`, drop: "2:4", want: "without layer_types, readers go by a pattern that is not known here"},
	{what: "Gemma 4 where the last layer left would have a window", why: "Its readers make the last layer full", do: "Drop a block before the last full layer",
		config: `{"model_type":"gemma4_text","num_hidden_layers":6,"hidden_size_per_layer_input":0,"num_kv_shared_layers":0}`, drop: "5:6", want: "the last layer has full attention, whatever its kind"},
	{what: "Qwen3-VL's first layers", why: "They take in what the tower for pictures saw at several depths", do: "Drop later layers",
		config: `{"model_type":"qwen3_vl","text_config":{"model_type":"qwen3_vl_text","num_hidden_layers":6},"vision_config":{"depth":3,"deepstack_visual_indexes":[0,1]}}`, drop: "1:2", want: "deepstack_visual_indexes"},
	{what: "Of a model with `num_kv_shared_layers`: the last layer of each kind before the shared ones, or all shared ones", why: "Layers that stay use its keys and values", do: "Drop other layers: the error names the nearest block",
		config: `{"model_type":"gemma4_text","num_hidden_layers":8,"num_kv_shared_layers":2,"hidden_size_per_layer_input":0}`, drop: "5:6", want: "layers from 6 on use the keys and values of layer 5"},
	{what: "A hybrid layer of Zamba or Zamba 2", why: "Its transformer block is shared with other layers, and stored with one", do: "Drop layers between them",
		config: `{"model_type":"zamba","num_hidden_layers":6}`, drop: "2:4", want: "layer 2 is a hybrid layer, whose transformer block is shared"},
	{what: "A layer that chooses tokens for the layers behind it (`indexer_types`), without those", why: "They would take another layer's choice", do: "Drop them together",
		config: `{"model_type":"glm_moe_dsa","num_hidden_layers":6,"indexer_types":["full","full","full","shared","full","full"]}`, drop: "2:3", want: "layer 3 takes the tokens that layer 2 chooses"},
	{what: "Keys and values shared between layers (`use_cla`)", why: "No cut is known to be right", do: "—",
		config: `{"model_type":"hunyuan","num_hidden_layers":6,"use_cla":true}`, drop: "2:4", want: "use_cla is true"},
	{what: "Inputs for each layer (Gemma 3n: `hidden_size_per_layer_input`)", why: "One tensor has a part for each layer, and tensors are only moved whole", do: "—",
		config: `{"model_type":"gemma3n_text","num_hidden_layers":6,"hidden_size_per_layer_input":256}`, drop: "2:4", want: "hidden_size_per_layer_input is 256"},
	{what: "The same, seen by its tensors", why: "The same", do: "—",
		config: `{"model_type":"x","num_hidden_layers":6}`, outside: []string{"model.embed_tokens_per_layer.weight"}, drop: "2:4", want: "has a part for each layer"},
	{what: "A quantiser's file with numbers that may be layers", why: "Whether to renumber them cannot be guessed", do: "Take the file out if nothing reads it",
		config: `{"model_type":"x","num_hidden_layers":6}`, files: map[string]string{"quantize_config.json": `{"skipped_layers":[3,4]}`}, drop: "2:4", want: "quantize_config.json: skipped_layers lists numbers"},
	{what: "Quantised weights, without `--unproved`", why: "Such a model is not run here, so nothing can be proved", do: "`--unproved`: bytes are moved and hashed all the same",
		config: `{"model_type":"llama","num_hidden_layers":6,"quantization_config":{"quant_method":"gptq"}}`, drop: "2:4", proved: true, want: "the weights are quantised (gptq)"},
	{what: "A family that is not run here, without `--unproved`", why: "The same", do: "The same",
		config: `{"model_type":"unheard-of","num_hidden_layers":6}`, drop: "2:4", proved: true, want: "--unproved"},
	{what: "Tensors missing in one layer", why: "The download is incomplete, or config.json another model's", do: "Fetch it again",
		config: `{"model_type":"x","num_hidden_layers":7}`, drop: "2:4", want: "layer 6 has no tensors"},
	{what: "Two lists of as many layers", why: "Which of them is the decoder's is not known", do: "—",
		config: `{"model_type":"x","num_hidden_layers":1}`, outside: []string{"encoder.layers.0.q.weight"}, drop: "0:1", want: "which of them are the decoder's is not known"},
	{what: "An adapter with `layer_replication`", why: "It stacks layers anew and has its own numbers for them", do: "Merge it into a model of its own first",
		config: `{"model_type":"x","num_hidden_layers":6}`, drop: "2:4", adapter: `{"peft_type":"LORA","layer_replication":[[0,6]]}`, tensor: loraTensor, want: "layer_replication is [[0,6]]"},
	{what: "An adapter of another kind than tensors at modules (prefixes, X-LoRA, …)", why: "Its tensors do not belong to one layer each, or are not known", do: "—",
		config: `{"model_type":"x","num_hidden_layers":6}`, drop: "2:4", adapter: `{"peft_type":"PREFIX_TUNING"}`, tensor: "prompt_embeddings", want: `peft_type is "PREFIX_TUNING"`},
	{what: "An adapter of which nothing is left", why: "All it has belongs to dropped layers", do: "Leave it out",
		config: `{"model_type":"x","num_hidden_layers":6}`, drop: "3:5", adapter: `{"peft_type":"LORA"}`, tensor: loraTensor, want: "nothing is left of it"},
	{what: "An adapter that names layers which the model does not have", why: "It is another model's", do: "Give the adapter of this model",
		config: `{"model_type":"x","num_hidden_layers":4}`, drop: "2:3", adapter: `{"peft_type":"LORA"}`, tensor: loraTensor, want: "the adapter is another model's"},
}

// layersOf are how many layers of tensors a refused checkpoint has.
func layersOf(t *testing.T, r refusal) int {
	c, err := checkpoint.ParseConfig([]byte(r.config))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.want, "has no tensors") {
		return c.Layers() - 1
	}
	return c.Layers()
}

// TestRefusals tries every row of docs/refused.md, and holds the file against the rows: -update writes it.
func TestRefusals(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What `shallow prune` refuses, and why\n\n" +
		"Written by `go test ./prune -run TestRefusals -update`; each row is tried by that test (`prune/refused_test.go`). After a refusal nothing is left on the disk. " +
		"What can be expressed for the layers that stay is in [config-surgery.md](config-surgery.md).\n\n| what | why | what to do |\n|---|---|---|\n")
	for _, r := range refusals {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.what, r.why, r.do)
		t.Run(r.what, func(t *testing.T) { tryRefusal(t, r) })
	}
	b.WriteString("\nBeside these, whatever is wrong with a plan or an output: a plan for a model of another depth or another config.json, all layers, an output that is not empty " +
		"(`--force`) or that holds the source, pickled weights (`.bin`), damaged or incomplete files, and a result that fails its proof.\n")
	path := "../docs/refused.md"
	if flag.Lookup("update").Value.String() == "true" {
		write(t, filepath.Dir(path), filepath.Base(path), b.String())
	}
	if got := read(t, path); got != b.String() {
		t.Errorf("%s is not what is tested: -update writes it anew", path)
	}
}

func tryRefusal(t *testing.T, r refusal) {
	layers := layersOf(t, r)
	prefix := "model.layers."
	inner := map[string]checkpoint.DType{"input_layernorm.weight": "BF16", "mlp.up_proj.weight": "BF16"}
	dir := synthetic(t, r.config, prefix, layers, inner, append(r.outside, "lm_head.weight")...)
	for name, text := range r.files {
		write(t, dir, name, text)
	}
	parent := t.TempDir()
	o := prune.Options{Output: filepath.Join(parent, "out"), Device: device(t), Unproved: !r.proved}
	if r.adapter != "" {
		o.Adapter = writeAdapter(t, r.adapter, r.tensor)
	}
	err := pruneLayers(t.Context(), t, dir, r.drop, o)
	if err == nil || !strings.Contains(err.Error(), r.want) {
		t.Errorf("%v; want an error with %q", err, r.want)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("%v was left behind, %v", entries, err)
	}
}

// pruneLayers opens, plans and prunes as the command does; any of them may refuse.
func pruneLayers(ctx context.Context, t *testing.T, dir, layers string, o prune.Options) error {
	source := open(t, dir)
	layout, err := source.Layout()
	if err != nil {
		return err
	}
	if o.Plan, err = plan.Explicit(layout.Layers, layers); err != nil {
		return err
	}
	_, err = prune.Prune(ctx, source, o)
	return err
}
