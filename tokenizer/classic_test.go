package tokenizer

import (
	"strings"
	"testing"
)

// Metaspace(first) goes by offsets that are not kept; where they can matter it is refused.
func TestMetaspaceFirstRefused(t *testing.T) {
	for _, normalizer := range []string{`{"type":"Strip","strip_left":true,"strip_right":false}`, `{"type":"Nmt"}`, `{"type":"StripAccents"}`, `{"type":"BertNormalizer"}`} {
		file := strings.Replace(smallRunes, `{"type":"Prepend","prepend":"▁"}`, normalizer, 1)
		if _, err := Parse([]byte(file)); err == nil || !strings.Contains(err.Error(), "prepend_scheme first") {
			t.Errorf("%s: %v", normalizer, err)
		}
	}
	file := strings.Replace(smallRunes, `"pre_tokenizer":{`, `"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{`, 1)
	file = strings.Replace(file, `"split":false}`, `"split":false}]}`, 1)
	if _, err := Parse([]byte(file)); err == nil || !strings.Contains(err.Error(), "Prepend and Whitespace") {
		t.Errorf("Prepend and Whitespace: %v", err)
	}
	file = strings.Replace(file, `"Whitespace"`, `"ByteLevel"`, 1)
	if _, err := Parse([]byte(file)); err == nil || !strings.Contains(err.Error(), "first after ByteLevel") {
		t.Errorf("ByteLevel: %v", err)
	}
}
