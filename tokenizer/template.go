package tokenizer

import (
	"encoding/json"
	"fmt"
)

// templatePiece is one place of a post-processor's template: a special token or the text.
type templatePiece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	}
	Sequence *struct {
		ID string `json:"id"`
	}
}

type templateSpecialToken struct {
	IDs []int `json:"ids"`
}

// processorToken is a token of BertProcessing and RobertaProcessing: ["[SEP]", 102].
type processorToken struct{ id int }

// UnmarshalJSON reads the pair.
func (t *processorToken) UnmarshalJSON(data []byte) error {
	var text string
	return json.Unmarshal(data, &[2]any{&text, &t.id})
}

// newTemplate reads the section "post_processor": the ids that stand before and after the text's own.
func newTemplate(section json.RawMessage) (before, after []int, err error) {
	parts, err := components(section, func(c component) []json.RawMessage { return c.Processors })
	if err != nil {
		return nil, nil, fmt.Errorf("post_processor: %w", err)
	}
	for _, c := range parts {
		switch c.Type {
		case "ByteLevel": // changes offsets only
		case "TemplateProcessing":
			b, a, err := template(c)
			if err != nil {
				return nil, nil, fmt.Errorf("post_processor TemplateProcessing: %w", err)
			}
			before, after = append(b, before...), append(after, a...)
		case "BertProcessing", "RobertaProcessing":
			if c.Classifier == nil || c.Separator == nil {
				return nil, nil, fmt.Errorf("post_processor %s: cls or sep is missing", c.Type)
			}
			before, after = append([]int{c.Classifier.id}, before...), append(after, c.Separator.id)
		default:
			return nil, nil, fmt.Errorf("post_processor %s: this type is not supported (supported: Sequence, TemplateProcessing, "+
				"ByteLevel, BertProcessing, RobertaProcessing)", c.Type)
		}
	}
	return before, after, nil
}

func template(c component) (before, after []int, err error) {
	texts := 0
	for _, piece := range c.Single {
		if piece.SpecialToken == nil {
			if piece.Sequence == nil || piece.Sequence.ID != "A" {
				return nil, nil, fmt.Errorf("a piece of single is neither a SpecialToken nor Sequence A")
			}
			texts++
			continue
		}
		token, ok := c.SpecialTokens[piece.SpecialToken.ID]
		if !ok {
			return nil, nil, fmt.Errorf("special_tokens has no %q", piece.SpecialToken.ID)
		}
		if texts == 0 {
			before = append(before, token.IDs...)
		} else {
			after = append(after, token.IDs...)
		}
	}
	if texts != 1 {
		return nil, nil, fmt.Errorf("single has Sequence A %d times instead of once", texts)
	}
	return before, after, nil
}
