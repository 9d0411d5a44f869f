package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"shallow/internal/rowfile"
)

// text reads a .txt file: one document, or several between blank lines.
func (r *reader) text() error {
	in := rowfile.Buffered(r.file)
	if r.options.Blank {
		return r.paragraphs(in)
	}
	data, err := io.ReadAll(io.LimitReader(in, maxText+1))
	if err != nil {
		return err
	}
	if len(data) > maxText {
		return errTextSize
	}
	return r.give(Document{Text: string(data)}, "")
}

var errTextSize = fmt.Errorf("is larger than %d MB; read it by paragraphs (--split blank), or make it .jsonl", maxText>>20)

// paragraphs gives runs of lines that are not blank, without the end of their last line.
func (r *reader) paragraphs(in *bufio.Reader) error {
	var paragraph strings.Builder
	first := 1
	give := func() error {
		text := strings.TrimRight(paragraph.String(), "\r\n")
		paragraph.Reset()
		if text == "" {
			return nil
		}
		return r.give(Document{Text: text}, fmt.Sprintf("line %d", first))
	}
	for n := 1; ; n++ {
		line, err := rowfile.ReadLine(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return give()
			}
			return fmt.Errorf("line %d: %w", n, err)
		}
		if strings.TrimSpace(line) == "" {
			if err := give(); err != nil {
				return err
			}
			first = n + 1
			continue
		}
		if paragraph.Len()+len(line) > maxDocument {
			return fmt.Errorf("line %d: the paragraph is larger than %d MB", n, maxDocument>>20)
		}
		paragraph.WriteString(line)
	}
}
