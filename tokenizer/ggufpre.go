package tokenizer

// preKind is what a value of tokenizer.ggml.pre stands for.
type preKind struct {
	splits       []string // expressions, one after the other
	ignoreMerges bool
	addBOS       bool // where the file has no add_bos_token
}

// More expressions of published byte-level tokenizers, as their tokenizer.json files have them.
const (
	splitGPT4o = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|` +
		`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitQwen35    = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitBloom     = ` ?[^(\s|.,!?…。，、।۔،)]+`
	splitDeepSeek3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
	splitSeedCoder = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// ggufPre is the values of tokenizer.ggml.pre that are known, after llama.cpp's table (src/llama-vocab.cpp). "default"
// is not among them: it stands in files whose converter did not know the tokenizer.
var ggufPre = func() map[string]preKind {
	kinds := map[string]preKind{}
	for _, group := range []struct {
		names []string
		kind  preKind
	}{
		{[]string{"gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "exaone4", "mpt", "olmo", "jais", "trillion", "granite-docling"},
			preKind{splits: []string{splitGPT2}}},
		{[]string{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"},
			preKind{splits: []string{`\p{N}`, splitGPT2}}},
		{[]string{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
			preKind{splits: []string{splitLlama3}, ignoreMerges: true, addBOS: true}},
		{[]string{"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, preKind{splits: []string{splitLlama3}}},
		{[]string{"qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "grok-2", "solar-open"},
			preKind{splits: []string{splitQwen2}}},
		{[]string{"qwen35"}, preKind{splits: []string{splitQwen35}}},
		{[]string{"tekken"}, preKind{splits: []string{splitTekken}, ignoreMerges: true, addBOS: true}},
		{[]string{"gpt-4o", "llama4", "minimax-m2"}, preKind{splits: []string{splitGPT4o}}},
		{[]string{"deepseek-coder"}, preKind{splits: []string{"[\r\n]", `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}`}}},
		{[]string{"deepseek-llm"}, preKind{splits: []string{"[\r\n]",
			`\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`,
			`\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}+`}}},
		{[]string{"deepseek-v3", "hunyuan-dense"}, preKind{splits: []string{`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, splitDeepSeek3}}},
		{[]string{"falcon"}, preKind{splits: []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", splitGPT2, `[0-9][0-9][0-9]`}}},
		{[]string{"bloom", "poro-chat", "gpt3-finnish"}, preKind{splits: []string{splitBloom}}},
		{[]string{"viking"}, preKind{splits: []string{splitBloom, `\p{N}`}}},
		{[]string{"seed-coder"}, preKind{splits: []string{splitSeedCoder}}},
	} {
		for _, name := range group.names {
			kinds[name] = group.kind
		}
	}
	return kinds
}()
