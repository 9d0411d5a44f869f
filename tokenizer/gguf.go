package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// GGUF is the tokenizer of a GGUF file: its keys tokenizer.ggml.*, one field each. A pointer is nil and an id is -1
// where the file has no such key.
type GGUF struct {
	Model  string    // model: "llama" (SentencePiece BPE), "t5" (SentencePiece Unigram) or "gpt2" (byte-level BPE)
	Pre    string    // pre: how a "gpt2" text is split, such as "llama-bpe" or "qwen2"; not used by the others
	Tokens []string  // tokens, by id
	Types  []int32   // token_type: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; all normal if empty
	Scores []float32 // scores, for "llama" and "t5"
	Merges []string  // merges: "left right", for "gpt2"

	BOS, EOS, Unknown int // bos_token_id, eos_token_id, unknown_token_id

	AddBOS, AddEOS         *bool  // add_bos_token, add_eos_token
	AddSpacePrefix         *bool  // add_space_prefix, for "llama" and "t5"
	RemoveExtraWhitespaces *bool  // remove_extra_whitespaces, for "t5"
	PrecompiledCharsmap    []byte // precompiled_charsmap, for "t5"
}

// FromGGUF builds the tokenizer that a GGUF file holds. It gives the ids of llama.cpp's tokenizer with parse_special: a
// token of type control, unknown or user-defined is one id wherever the text spells it. A model or pre that this package
// does not know is refused by name, because a text that is split otherwise gives other ids without a sign of it.
func FromGGUF(g GGUF) (*Tokenizer, error) {
	t, err := g.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: GGUF: %w", err)
	}
	if g.BOS >= 0 && g.BOS < len(g.Tokens) {
		t.bos = g.BOS
	}
	if g.EOS >= 0 && g.EOS < len(g.Tokens) {
		t.eos = g.EOS
	}
	return t, nil
}

func (g *GGUF) tokenizer() (*Tokenizer, error) {
	if len(g.Tokens) == 0 {
		return nil, fmt.Errorf("tokenizer.ggml.tokens is empty")
	}
	if len(g.Types) > 0 && len(g.Types) != len(g.Tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.token_type has %d entries for %d tokens", len(g.Types), len(g.Tokens))
	}
	switch g.Model {
	case "llama", "t5":
		return g.sentencePieces()
	case "gpt2":
		return g.byteLevel()
	}
	return nil, fmt.Errorf("tokenizer.ggml.model %q is not supported (supported: llama, t5, gpt2)", g.Model)
}

func (g *GGUF) kind(id int) pieceKind {
	if len(g.Types) == 0 {
		return normalPiece
	}
	return pieceKind(g.Types[id])
}

// around is the ids before and after a text. bos and eos say what holds where the file has no key for it.
func (g *GGUF) around(bos, eos bool) (before, after []int, err error) {
	for _, end := range []struct {
		key       string
		add       *bool
		otherwise bool
		id        int
		to        *[]int
	}{{"bos", g.AddBOS, bos, g.BOS, &before}, {"eos", g.AddEOS, eos, g.EOS, &after}} {
		if end.add == nil && !end.otherwise || end.add != nil && !*end.add {
			continue
		}
		if end.id < 0 && end.add == nil {
			continue
		}
		if end.id < 0 || end.id >= len(g.Tokens) {
			return nil, nil, fmt.Errorf("tokenizer.ggml.add_%s_token is true, but %s_token_id is %d of %d tokens", end.key, end.key, end.id, len(g.Tokens))
		}
		*end.to = append(*end.to, end.id)
	}
	return before, after, nil
}

func (g *GGUF) sentencePieces() (*Tokenizer, error) {
	if len(g.Scores) != len(g.Tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.scores has %d entries for %d tokens", len(g.Scores), len(g.Tokens))
	}
	s := &sentencePieces{unigram: g.Model == "t5", unkSurface: defaultUnknownSurface, unknown: g.Unknown}
	s.spec = normalizerSpec{dummyPrefix: unlessFalse(g.AddSpacePrefix), escape: true}
	if s.unigram {
		s.spec.charsmap = g.PrecompiledCharsmap
		s.spec.removeExtra = g.RemoveExtraWhitespaces != nil && *g.RemoveExtraWhitespaces
	}
	for id, token := range g.Tokens {
		s.pieces = append(s.pieces, scoredPiece{token, g.Scores[id], g.kind(id)})
		if s.unknown < 0 && g.kind(id) == unknownPiece {
			s.unknown = id
		}
	}
	if s.unknown >= len(s.pieces) {
		return nil, fmt.Errorf("tokenizer.ggml.unknown_token_id is %d of %d tokens", s.unknown, len(s.pieces))
	}
	before, after, err := g.around(!s.unigram, s.unigram)
	if err != nil {
		return nil, err
	}
	return s.tokenizer(sentenceOptions{before: before, after: after, userRaw: true})
}

// byteLevel builds the tokenizer.json that the GGUF file was made from.
func (g *GGUF) byteLevel() (*Tokenizer, error) {
	pre, ok := ggufPre[g.Pre]
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre %q: how this tokenizer splits a text is not known here; "+
			"use the model's tokenizer.json instead", g.Pre)
	}
	before, after, err := g.around(pre.addBOS, false)
	if err != nil {
		return nil, err
	}
	f := file{Model: modelFile{Type: "BPE", IgnoreMerges: pre.ignoreMerges}}
	for id, token := range g.Tokens {
		kind := g.kind(id)
		if token == "" {
			continue
		}
		if kind == controlPiece || kind == userPiece || kind == unknownPiece {
			f.AddedTokens = append(f.AddedTokens, addedToken{ID: id, Content: token, Special: kind != userPiece})
		}
		f.Model.Vocab.pieces = append(f.Model.Vocab.pieces, token)
		f.Model.Vocab.ids = append(f.Model.Vocab.ids, id)
	}
	for i, merge := range g.Merges {
		left, right, err := cutMerge(merge)
		if err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.merges: entry %d: %w", i, err)
		}
		f.Model.Merges.left = append(f.Model.Merges.left, left)
		f.Model.Merges.right = append(f.Model.Merges.right, right)
	}
	if f.PreTokenizer, err = byteLevelSplits(pre.splits); err != nil {
		return nil, err
	}
	f.Decoder = json.RawMessage(`{"type":"ByteLevel"}`)
	t, err := build(f)
	if err != nil {
		return nil, err
	}
	t.before, t.after = before, after
	t.size = max(t.size, len(g.Tokens))
	return t, nil
}

// byteLevelSplits is a pre_tokenizer section: the expressions one after the other, each isolating its matches, then bytes.
func byteLevelSplits(expressions []string) (json.RawMessage, error) {
	type step map[string]any
	var steps []step
	for _, x := range expressions {
		steps = append(steps, step{"type": "Split", "pattern": step{"Regex": x}, "behavior": "Isolated", "invert": false})
	}
	steps = append(steps, step{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})
	return json.Marshal(step{"type": "Sequence", "pretokenizers": slices.Clip(steps)})
}
