package hub

import (
	"errors"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxName is the longest path, maxPart the longest of its parts that file systems take.
const (
	maxName = 1024
	maxPart = 255
)

// checkName refuses a name with slashes that could be anything but a file below the folder it is joined to, on any system:
// the cache may be read on another one.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxName:
		return errors.New("is too long")
	case !utf8.ValidString(name):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return errors.New("has control characters")
	case strings.Contains(name, `\`):
		return errors.New("has a backslash")
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return errors.New("is absolute, or has an empty part")
		case part == "." || part == "..":
			return errors.New("leads out of its folder")
		case len(part) > maxPart:
			return errors.New("is too long")
		case len(part) > 1 && part[1] == ':':
			return errors.New("names a drive")
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return errors.New("means something else on this system")
	}
	return nil
}
