package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// heading is that of a page, between blank lines. Those of sections have more equals signs.
var heading = regexp.MustCompile(`(?m)^ \n = [^=\n]+ = \n`)

// maxText bounds a file of text that is read as a whole.
const maxText = 256 << 20

// pages reads a .txt file of WikiText.
func (r *reader) pages(in *bufio.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, maxText+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxText:
		return fmt.Errorf("is larger than %d MB", maxText>>20)
	case !utf8.Valid(text):
		return errors.New("is not UTF-8: save the file in that encoding")
	}
	for _, page := range cutPages(lineEnds.Replace(string(text))) {
		if err := r.add(Row{"page": page}, len(page)+rowOverhead); err != nil {
			return err
		}
	}
	return nil
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// cutPages cuts a text at the headings of pages. Each page begins as those on the hub do, with " \n = Title = \n". What
// stands before the first belongs to none.
func cutPages(text string) []string {
	starts := heading.FindAllStringIndex(text, -1)
	pages := make([]string, len(starts))
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		pages[i] = text[start[0]:end]
	}
	return pages
}

// join makes pages of rows that are the lines of WikiText under "text", as the hub has it beside the pages.
func (t *Table) join() error {
	if len(t.Rows) == 0 || t.Rows[0]["text"] == nil {
		return nil
	}
	var pages []Row
	i := 0
	var text strings.Builder // a shard ends anywhere, so all are joined
	for _, f := range t.Files {
		for r := range f.Rows {
			if err := Require(t.Rows[i], f.Path, r, Column{"text", Text}); err != nil {
				return err
			}
			line := t.Rows[i]["text"].(string)
			i++
			if line == "" { // the blank of a blank line is lost there
				line = " "
			}
			text.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	for _, page := range cutPages(text.String()) {
		pages = append(pages, Row{"page": page})
	}
	for n := range t.Files {
		t.Files[n].Rows = 0
	}
	t.Rows, t.Files[0].Rows = pages, len(pages)
	return nil
}
