package tokenizer

import "testing"

func TestTranslate(t *testing.T) {
	for source, want := range map[string]string{
		`a?+b`:                      `(?>a?)b`,
		`[^\r\n\p{L}]?+\p{L}++`:     `(?>[^\r\n\p{L}]?)(?>\p{L}+)`,
		`\p{N}{1,3}+`:               `(?:\p{N}{1,3})+`,
		`(a|b)*+c`:                  `(?>(a|b)*)c`,
		`é++`:                       `(?>é+)`,
		`(?i:'s|(t)s)s`:             `(?i:'[sſ]|(t)[sſ])s`,
		`'(?i:[sdmt]|ll)`:           `'(?i:[sdmtſ]|ll)`,
		`a+?`:                       `a+?`,
		` ?[^(\s|[.,!?…。，、।۔،])]+`:  ` ?[^(\s|.,!?…。，、।۔،)]+`, //nolint:gocritic // the blank is part of the expression
		`[\p{L}\p{M}&&[^\p{Han}]]*`: `[\p{L}\p{M}-[\p{Han}]]*`,
		`[]a]`:                      `[\]a]`,
		`\[x{,}`:                    `\[x{,}`,
	} {
		if got, err := translate(source); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", source, got, err, want)
		}
	}
	for _, source := range []string{`[a`, `[[:alpha:]]`, `[a&&b]`, `[a[^b]]`, `[^a&&[^b]]`, `[a&&[^b]c]`} {
		if got, err := translate(source); err == nil {
			t.Errorf("%s became %s", source, got)
		}
	}
}
