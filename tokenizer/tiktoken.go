package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// tiktokenKind is what a family's Python code says about its *.tiktoken file.
type tiktokenKind struct {
	splits     []string
	normalizer json.RawMessage
	specials   func(first int) []addedToken // first is the id after the ranks
	before     []string                     // special tokens before a text
}

const splitKimi = `[\p{Han}]+|` +
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
	`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

var (
	// Qwen 1 (tokenization_qwen.py): NFC on the whole text, then the special tokens are looked for.
	tiktokenQwen = tiktokenKind{splits: []string{splitQwen2}, normalizer: json.RawMessage(`{"type":"NFC"}`), specials: func(first int) []addedToken {
		all := numbered(first, "<|endoftext|>", "<|im_start|>", "<|im_end|>")
		for i := range 205 {
			all = append(all, numbered(first+len(all), fmt.Sprintf("<|extra_%d|>", i))...)
		}
		for i := range all {
			all[i].Normalized = true
		}
		return all
	}}
	// Llama 3.0; later versions rename three reserved tokens, and their tokenizer_config.json says so.
	tiktokenLlama3 = tiktokenKind{splits: []string{splitLlama3}, before: []string{"<|begin_of_text|>"}, specials: func(first int) []addedToken {
		names := []string{"<|begin_of_text|>", "<|end_of_text|>"}
		reserved := func(from, to int) {
			for i := from; i < to; i++ {
				names = append(names, fmt.Sprintf("<|reserved_special_token_%d|>", i))
			}
		}
		reserved(0, 4)
		names = append(names, "<|start_header_id|>", "<|end_header_id|>")
		reserved(4, 5)
		names = append(names, "<|eot_id|>")
		reserved(5, 251)
		return numbered(first, names...)
	}}
	tiktokenGLM  = tiktokenKind{splits: []string{splitLlama3}, before: []string{"[gMASK]", "<sop>"}}
	tiktokenKimi = tiktokenKind{splits: []string{splitKimi}, specials: func(first int) []addedToken {
		var names []string
		for i := range 256 {
			names = append(names, fmt.Sprintf("<|reserved_token_%d|>", first+i))
		}
		return numbered(first, names...)
	}}
)

func numbered(first int, names ...string) (all []addedToken) {
	for i, name := range names {
		all = append(all, addedToken{ID: first + i, Content: name, Special: true})
	}
	return all
}

// kindOf tells the family by the class that tokenizer_config.json names, the file's name and the number of ranks.
func kindOf(name string, ranks int, c directoryConfig) (tiktokenKind, error) {
	switch {
	case c.Class == "QWenTokenizer", c.Class == "" && name == "qwen.tiktoken":
		return tiktokenQwen, nil
	case strings.HasPrefix(c.Class, "ChatGLM4Tokenizer"):
		return tiktokenGLM, nil
	case c.Class == "TikTokenTokenizer" && name == "tiktoken.model":
		return tiktokenKimi, nil
	case name == "tokenizer.model" && ranks == 128000:
		return tiktokenLlama3, nil
	}
	return tiktokenKind{}, fmt.Errorf("tiktoken ranks of an unknown model (tokenizer_class %q, %d ranks): the expression that splits a text "+
		"stands only in the model's Python code, which is never run (known: QWenTokenizer, ChatGLM4Tokenizer, Kimi's TikTokenTokenizer, "+
		"Llama 3's tokenizer.model); save the model's tokenizer once in the fast format and put tokenizer.json beside config.json", c.Class, ranks)
}

// isTiktoken says whether a file starts with a line of base64 and a number.
func isTiktoken(data []byte) bool {
	line, _, ok := bytes.Cut(data[:min(len(data), 4096)], []byte("\n"))
	if !ok && len(data) > 4096 {
		return false
	}
	_, _, err := tiktokenLine(line)
	return err == nil
}

func tiktokenLine(line []byte) (token []byte, rank int, err error) {
	encoded, number, ok := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(" "))
	if !ok {
		return nil, 0, fmt.Errorf("%.40q is not a token in base64 and its rank", line)
	}
	if token, err = base64.StdEncoding.DecodeString(string(encoded)); err != nil {
		return nil, 0, fmt.Errorf("%.40q: %w", line, err)
	}
	if rank, err = strconv.Atoi(string(number)); err != nil {
		return nil, 0, fmt.Errorf("%.40q: the rank is not a number", line)
	}
	return token, rank, nil
}

// openTiktoken reads a *.tiktoken. See Open for the rules.
func openTiktoken(data []byte, name string, c directoryConfig) (*Tokenizer, error) {
	vocab, err := tiktokenVocabulary(data)
	if err != nil {
		return nil, err
	}
	kind, err := kindOf(name, len(vocab.ids), c)
	if err != nil {
		return nil, err
	}
	f := file{Normalizer: kind.normalizer, Decoder: json.RawMessage(`{"type":"ByteLevel"}`)}
	if f.PreTokenizer, err = byteLevelSplits(kind.splits); err != nil {
		return nil, err
	}
	if f.Model, err = rankedModel(vocab); err != nil {
		return nil, err
	}
	if f.AddedTokens, err = kind.added(len(vocab.ids), c); err != nil {
		return nil, err
	}
	t, err := build(f)
	if err != nil {
		return nil, err
	}
	return t, t.frame(kind, c)
}

// added is the special tokens: those of the directory, and the family's own of the ids that are left.
func (k tiktokenKind) added(ranks int, c directoryConfig) ([]addedToken, error) {
	all, err := c.added()
	if err != nil || k.specials == nil {
		return all, err
	}
	ids, texts := map[int]bool{}, map[string]bool{}
	for _, token := range all {
		ids[token.ID], texts[token.Content] = true, true
	}
	for _, token := range k.specials(ranks) {
		if !ids[token.ID] && !texts[token.Content] {
			all = append(all, token)
		}
	}
	return all, nil
}

// frame sets the ids around a text.
func (t *Tokenizer) frame(kind tiktokenKind, c directoryConfig) error {
	before := kind.before
	if c.AddBOS != nil && len(before) < 2 {
		before = nil
		if *c.AddBOS && c.BOS == "" {
			before = kind.before
		} else if *c.AddBOS {
			before = []string{string(c.BOS)}
		}
	}
	for _, name := range before {
		id, ok := t.addedIDs[name]
		if !ok {
			return fmt.Errorf("the special token %q, which goes before a text, is not in added_tokens_decoder of tokenizer_config.json", name)
		}
		t.before = append(t.before, id)
	}
	if c.AddEOS != nil && *c.AddEOS {
		id, ok := t.addedIDs[string(c.EOS)]
		if !ok {
			return fmt.Errorf("add_eos_token is true, but eos_token %q is not a special token", c.EOS)
		}
		t.after = append(t.after, id)
	}
	return nil
}

// tiktokenVocabulary reads the lines; tokens are kept in ByteLevel's alphabet, as tokenizer.json has them.
func tiktokenVocabulary(data []byte) (f vocabFile, err error) {
	var text strings.Builder
	total := 0
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		token, rank, err := tiktokenLine(line)
		if err != nil {
			return f, fmt.Errorf("line %d: %w", n, err)
		}
		if total += len(token); total > maxTrie || len(token) > maxAdded {
			return f, fmt.Errorf("line %d: a token of %d bytes; at most %d, and %d together", n, len(token), maxAdded, maxTrie)
		}
		if len(token) == 0 {
			continue
		}
		text.Reset()
		for _, b := range token {
			text.WriteRune(alphabet[b])
		}
		f.pieces, f.ids = append(f.pieces, text.String()), append(f.ids, rank)
	}
	return f, nil
}

// rankedModel is tiktoken's byte-pair encoding as BPE with merges: any two tokens whose join is a token are joined, the
// join of the lowest rank first; a whole piece that is a token is not taken apart at all.
func rankedModel(f vocabFile) (m modelFile, err error) {
	v, err := newVocabulary(f)
	if err != nil {
		return m, err
	}
	for b := range alphabet {
		if _, ok := v.ids[string(alphabet[b])]; !ok {
			return m, fmt.Errorf("the byte 0x%02X has no rank", b)
		}
	}
	ranks := make([]uint32, len(v.pieces))
	for id := range ranks {
		ranks[id] = uint32(id)
	}
	m = modelFile{Type: "BPE", Vocab: f, IgnoreMerges: true}
	m.Merges, err = deriveMerges(v.ids, ranks)
	return m, err
}
