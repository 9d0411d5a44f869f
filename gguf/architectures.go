package gguf

import "strings"

// architecture is what llama.cpp derives from a layer's number, beyond what the metadata say: read from the source of its
// load_arch_hparams and graph functions.
type architecture struct {
	// windows is how layers with a sliding window alternate with others where sliding_window_pattern does not say so. All
	// architectures that have it also read the pattern as a list.
	windows *period
	// windowsIf tells whether the windows are only used where attention.sliding_window is above zero.
	windowsIf bool
	// recurrent is the default of full_attention_interval, for architectures that also read attention.recurrent_layers.
	recurrent int
	// noRope is how layers without rotary positions alternate with others; no key can change it. With noRopeIf they do
	// where attention.sliding_window is above zero, else all have them.
	noRope   *period
	noRopeIf bool
	// depths are numbers of layers from which llama.cpp concludes something, and what.
	depths []int
	about  string
	// unfit is why layers cannot be cut out at all.
	unfit string
}

// period is a role that every n-th layer has: the last of n, or the first.
type period struct {
	n     int
	first bool
}

// has tells whether a layer has the role that one of n layers has.
func (p period) has(layer int) bool {
	if p.n < 1 {
		return false // llama.cpp: all layers are of the other kind
	}
	if p.first {
		return layer%p.n == 0
	}
	return layer%p.n == p.n-1
}

// uniform are architectures whose layers llama.cpp treats alike but for what the metadata list.
const uniform = `llama deci falcon grok gpt2 gptneox mpt starcoder refact bloom stablelm qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe
qwen3vl qwen3vlmoe phi2 phi3 phimoe plamo codeshell orion internlm2 gemma gemma4 starcoder2 mamba mamba2 jamba falcon-h1 xverse
command-r dbrx olmo olmoe openelm arctic deepseek deepseek2-ocr chatglm glm4 glm4moe bitnet jais jais2 nemotron nemotron_h
nemotron_h_moe exaone granite granitemoe granitehybrid granite_swa chameleon plm bailingmoe bailingmoe2 dots1 arcee ernie4_5
ernie4_5-moe hunyuan-moe hunyuan-dense lfm2 lfm2moe dream llada llada-moe seed_oss grovemoe apertus minimax-m2 rnd1
pangu-embedded mistral3 maincoder kimi-linear mimo2 minicpm`

// special are the others.
var special = map[string]architecture{
	"gemma2": {windows: &period{n: 2}, depths: []int{46}, about: "scales attention by the number of heads"},
	"gemma3": {windows: &period{n: 6}, windowsIf: true, depths: []int{62}, about: "scales attention by the number of heads"},

	"gpt-oss":    {windows: &period{n: 2}},
	"cohere2":    {windows: &period{n: 4}},
	"cohere2moe": {windows: &period{n: 4, first: true}},
	"olmo2":      {windows: &period{n: 4}, windowsIf: true},
	"plamo3":     {windows: &period{n: 8}, windowsIf: true},
	"exaone-moe": {windows: &period{n: 4}},
	"exaone4":    {windows: &period{n: 4}, windowsIf: true, depths: []int{64}, about: "uses sliding windows"},
	"mellum":     {windows: &period{n: 4}, windowsIf: true},

	"llama4":       {windows: &period{n: 4}, noRope: &period{n: 4}},
	"afmoe":        {windows: &period{n: 4}, windowsIf: true, noRope: &period{n: 4}},
	"smallthinker": {windows: &period{n: 4, first: true}, windowsIf: true, noRope: &period{n: 4, first: true}, noRopeIf: true},
	"smollm3":      {noRope: &period{n: 4}},

	"qwen3next":  {recurrent: 4},
	"qwen35":     {recurrent: 4},
	"qwen35moe":  {recurrent: 4},
	"minimax-01": {recurrent: 8},

	"deepseek2": {depths: []int{26, 27, 47, 48}, about: "takes the model for one of the lite kinds"},

	"baichuan": {unfit: "llama.cpp takes the kind of its positions from the number of layers, 32 or 40"},
	"minicpm3": {unfit: "llama.cpp scales its residuals by the number of layers"},
	"gemma3n":  {unfit: "llama.cpp knows its layers by their numbers: which share keys and values and which are sparse"},
	"hrm_text": {unfit: "its layers are stacks that run in cycles"},
	"nanbeige": {unfit: "its layers run in loops"},
	"kimi-k3":  {unfit: "its residuals run over blocks of layers"},
	"t5":       {unfit: "it has an encoder and a decoder"},
}

// findArchitecture is what is known about an architecture's layers; ok is false for one that is not known.
func findArchitecture(name string) (a architecture, ok bool) {
	if a, ok := special[name]; ok {
		return a, true
	}
	for known := range strings.FieldsSeq(uniform) {
		if known == name {
			return architecture{}, true
		}
	}
	return architecture{}, false
}

// perLayer are keys behind the architecture's name whose value may be a list with an element for each layer.
var perLayer = map[string]bool{
	"attention.head_count":             true,
	"attention.head_count_kv":          true,
	"feed_forward_length":              true,
	"expert_feed_forward_length":       true,
	"expert_used_count":                true,
	"attention.sliding_window_pattern": true,
	"attention.rope_pattern":           true,
	"attention.recurrent_layers":       true,
	"attention.indexer.types":          true,
	"attention.compress_ratios":        true,
	"rope.dimension_count":             true,
	"rope.freq_base":                   true,
	"attention.sliding_window":         true,
	"swiglu_clamp_exp":                 true,
	"swiglu_clamp_shexp":               true,
	"deepstack_mapping":                true,
}

// perLayerElsewhere are such keys that have no architecture before them.
var perLayerElsewhere = map[string]bool{"xielu.alpha_n": true, "xielu.alpha_p": true, "xielu.beta": true, "xielu.eps": true}

// otherLists are keys whose lists have nothing to do with layers, whatever their length.
var otherLists = map[string]bool{"rope.dimension_sections": true, "classifier.output_labels": true}

// layerNumbers are keys whose lists hold the numbers of layers, in ways that are not rewritten.
var layerNumbers = map[string]bool{"ple.layers": true, "target_layers": true}
