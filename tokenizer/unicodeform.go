package tokenizer

import (
	"golang.org/x/text/unicode/norm"
)

// unicodeForm is the normalisation form of that name.
func unicodeForm(name string) normalizer {
	form := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[name]
	return func(s string, limit int) (string, error) {
		out := form.String(s)
		if len(out) > limit {
			return "", errTooLong
		}
		return out, nil
	}
}
