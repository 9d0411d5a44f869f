package dataset

import (
	"fmt"
	"strings"
)

// MissingError says that a split is nowhere.
type MissingError struct {
	Split  Split
	Dirs   []string // the folders that were given
	Looked []string // for what below them, as folder/name without the ending; such as are like it are left out
	There  []string // files that lie beside
}

// shown is how many places an error lists.
const shown = 6

func (e *MissingError) Error() string {
	if len(e.Dirs) == 0 {
		return fmt.Sprintf("dataset: %s: no folder of data sets is given, nor is the hub asked: --data DIR names one", e.Split)
	}
	text := fmt.Sprintf("dataset: %s: not in %s: looked there, and in eval, text and data, for %s and the like (%s)",
		e.Split, strings.Join(e.Dirs, ", "), some(e.Looked), strings.Join(endings[:4], ", "))
	if len(e.There) > 0 {
		text += "; there is " + some(e.There)
	}
	if e.Split.Task != "" {
		text += fmt.Sprintf("; a file of the hub's fields may be named %s-%s.jsonl", taskName(e.Split), e.Split.Split)
	}
	return text + "; without --data the hub is asked"
}

// some are the first of the names.
func some(names []string) string {
	if len(names) > shown {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// DamagedError says that a file cannot be read. Its text has the line or the row.
type DamagedError struct {
	File string
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("dataset: %s: %v", e.File, e.Err) }

// Unwrap is the cause.
func (e *DamagedError) Unwrap() error { return e.Err }
