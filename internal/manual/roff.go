package manual

import (
	"bytes"
	"fmt"
	"go/doc/comment"
	"strings"
)

// roff writes a page in the man macros that groff and mandoc share.
type roff struct{ bytes.Buffer }

func newRoff(name, version string) *roff {
	w := new(roff)
	w.line(fmt.Sprintf(`.TH "%s" "1" "" "%s" "User Commands"`, strings.ToUpper(escape(name)), escape(version)))
	// Left-aligned and without hyphenation: words of a command line stay whole.
	w.line(".nh")
	w.line(".ad l")
	return w
}

func (w *roff) page(name string) Page { return Page{Name: name + ".1", Text: w.Bytes()} }

// line writes a line that is roff already.
func (w *roff) line(text string) { w.WriteString(text + "\n") }

func (w *roff) section(title string) { w.line(".SH " + strings.ToUpper(title)) }

// item writes a term, which is roff, and what it means, which is text.
func (w *roff) item(term, meaning string) {
	w.line(".TP")
	w.line(term)
	if meaning == "" {
		meaning = " "
	}
	w.line(escape(meaning))
}

// text writes a help text as kong reads it: the rules of Go's doc comments, where an indented block is an example.
func (w *roff) text(text string) {
	doc := new(comment.Parser).Parse(text)
	plain := &comment.Printer{TextWidth: -1}
	for _, block := range doc.Content {
		if code, ok := block.(*comment.Code); ok {
			w.line(".PP")
			w.line(".RS 4")
			w.line(".EX")
			for line := range strings.Lines(code.Text) {
				w.line(escape(strings.TrimSuffix(line, "\n")))
			}
			w.line(".EE")
			w.line(".RE")
			continue
		}
		w.line(".PP")
		for line := range strings.Lines(string(plain.Text(&comment.Doc{Content: []comment.Block{block}}))) {
			w.line(escape(strings.TrimSuffix(line, "\n")))
		}
	}
}

func bold(text string) string   { return `\fB` + escape(text) + `\fR` }
func italic(text string) string { return `\fI` + escape(text) + `\fR` }

// escape gives text as roff that shows it: dashes and quotes as typed, and nothing that is taken for a request.
func escape(text string) string {
	var b strings.Builder
	if strings.HasPrefix(text, ".") {
		b.WriteString(`\&`)
	}
	for _, r := range text {
		switch r {
		case '\\':
			b.WriteString(`\e`)
		case '-':
			b.WriteString(`\-`)
		case '\'':
			b.WriteString(`\(aq`)
		case '"':
			b.WriteString(`\(dq`)
		case '`':
			b.WriteString(`\(ga`)
		case '^':
			b.WriteString(`\(ha`)
		case '~':
			b.WriteString(`\(ti`)
		default:
			if r < 0x80 {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, `\[u%04X]`, r)
			}
		}
	}
	return b.String()
}
