package bpetrain

import (
	"bytes"
	"encoding/json"
	"slices"
)

// letters are the characters that stand for bytes in byte-level BPE: printable ones for themselves, the others for U+0100 and
// what follows. alphabet is all of them in the order of their code points.
var letters, alphabet = func() (of [256]string, sorted []string) {
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if printable := r >= '!' && r <= '~' || r >= 0xa1 && r <= 0xac || r >= 0xae; !printable {
			r = next
			next++
		}
		of[b] = string(r)
	}
	sorted = slices.Sorted(slices.Values(of[:])) // UTF-8 sorts as code points do
	return of, sorted
}()

type object = map[string]any

// JSON is the vocabulary as a tokenizer.json: the begin token is put before each text, the end token is known and put nowhere.
func (v *Vocabulary) JSON() []byte {
	begin, end := v.Pieces[0], v.Pieces[1]
	added := func(id int, content string) object {
		return object{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	first := object{"SpecialToken": object{"id": begin, "type_id": 0}}
	text := func(name string, kind int) object { return object{"Sequence": object{"id": name, "type_id": kind}} }
	vocabulary := make(ordered, len(v.Pieces))
	for id, piece := range v.Pieces {
		vocabulary[id] = member{piece, id}
	}
	byteLevel := func(extra bool) object {
		return object{"type": "ByteLevel", "add_prefix_space": extra, "trim_offsets": true, "use_regex": true}
	}
	return encode(ordered{
		{"version", "1.0"}, {"truncation", nil}, {"padding", nil},
		{"added_tokens", []object{added(0, begin), added(1, end)}},
		{"normalizer", nil},
		{"pre_tokenizer", byteLevel(false)},
		{"post_processor", object{
			"type": "TemplateProcessing", "single": []object{first, text("A", 0)}, "pair": []object{first, text("A", 0), text("B", 1)},
			"special_tokens": object{begin: object{"id": begin, "ids": []int{0}, "tokens": []string{begin}}},
		}},
		{"decoder", byteLevel(true)},
		{"model", ordered{
			{"type", "BPE"}, {"dropout", nil}, {"unk_token", nil}, {"continuing_subword_prefix", nil}, {"end_of_word_suffix", nil},
			{"fuse_unk", false}, {"byte_fallback", false}, {"ignore_merges", false}, {"vocab", vocabulary}, {"merges", append([][2]string{}, v.Merges...)},
		}},
	})
}

// ConfigJSON is the tokenizer_config.json beside it, for a model that takes texts of so many tokens.
func (v *Vocabulary) ConfigJSON(longest int) []byte {
	return encode(ordered{
		{"tokenizer_class", "PreTrainedTokenizerFast"}, {"bos_token", v.Pieces[0]}, {"eos_token", v.Pieces[1]},
		{"clean_up_tokenization_spaces", false}, {"model_max_length", longest},
	})
}

// ordered is a JSON object whose keys keep their order.
type ordered []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members as they stand.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, m := range o {
		b.WriteByte("{,"[min(i, 1)])
		for j, x := range []any{m.key, m.value} {
			if j > 0 {
				b.WriteByte(':')
			}
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(x); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // of texts and numbers alone
	}
	return b.Bytes()
}
