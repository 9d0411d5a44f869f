package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// location is where a split is.
type location struct {
	files   []string
	subject string // the files are of all configs, and the rows of this subject are wanted
}

// find looks for a split in the folders.
func (s *Source) find(split Split, known *knownSet) (*location, error) {
	if err := s.checkDirs(); err != nil {
		return nil, err
	}
	for _, name := range []string{split.Config, split.Split, split.Task} {
		if name != "" && !filepath.IsLocal(name) {
			return nil, fmt.Errorf("dataset: %q is no name of a config, a split or a task", name)
		}
	}
	missing := &MissingError{Split: split, Dirs: s.dirs}
	for _, root := range s.roots(split) {
		for _, p := range placesOf(split, known) {
			if p.inRoot && !root.isSet || !p.inRoot && root.folderOnly {
				continue
			}
			folder := filepath.Join(root.path, filepath.FromSlash(p.folder))
			files, err := match(s.list(folder), p.stem)
			if known != nil && known.first && errors.Is(err, errShards) {
				err = nil
			}
			if err != nil {
				return nil, fmt.Errorf("dataset: %s: %s: %w", split, folder, err)
			}
			if len(files) == 0 {
				missing.note(s, folder, p)
				continue
			}
			if known != nil && known.first {
				files = files[:1]
			}
			for i, name := range files {
				files[i] = filepath.Join(folder, name)
			}
			return &location{files, p.subject}, nil
		}
	}
	return nil, missing
}

// note remembers a place that has no file of the split, and what it has.
func (e *MissingError) note(s *Source, folder string, p place) {
	if where := path.Join(p.folder, p.stem); p.example && !slices.Contains(e.Looked, where) {
		e.Looked = append(e.Looked, where)
	}
	if p.folder == "." {
		return
	}
	for _, name := range s.list(folder) {
		if file := filepath.Join(folder, name); endingOf(name) != "" && !slices.Contains(e.There, file) && len(e.There) < shown/2 {
			e.There = append(e.There, file)
		}
	}
}

// root is a folder in which places are looked for.
type root struct {
	path       string
	isSet      bool // it may be the data set's own folder
	folderOnly bool // it is nothing else
}

// roots are the folders that were given, and those within in which data sets are apt to be.
func (s *Source) roots(split Split) []root {
	var roots []root
	if isFolder(split.Path) {
		return []root{{split.Path, true, true}}
	}
	for _, dir := range s.dirs {
		own := slices.ContainsFunc(folderNames(split, knownOf(split)), func(name string) bool {
			return strings.EqualFold(filepath.Base(dir), filepath.Base(name))
		})
		roots = append(roots, root{dir, own, false})
		for _, sub := range []string{"eval", "text", "data"} {
			roots = append(roots, root{filepath.Join(dir, sub), false, false})
		}
	}
	return roots
}

// isFolder reports whether a data set's path is that of a folder and not an id.
func isFolder(name string) bool {
	if !filepath.IsAbs(name) && !strings.HasPrefix(name, ".") {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// list gives the names of a folder's files; none if it is absent.
func (s *Source) list(folder string) []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	names, ok := s.listings[folder]
	if !ok {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			if !e.IsDir() { // links to files too: the hub's cache is made of them
				names = append(names, e.Name())
			}
		}
		s.listings[folder] = names
	}
	return names
}

// shard is what may stand behind a file's stem: its number and that of all files, and a hash.
var shard = regexp.MustCompile(`^[-_.](\d{3,})-of-(\d{3,})(?:-[0-9a-f]+)?$`)

// count is how many rows a file has, as in val-1000, and a number the hub's conversion gives.
var (
	count  = regexp.MustCompile(`^[-_]\d+$`)
	number = regexp.MustCompile(`^\d+$`)
)

// numbered is the stem of files whose name is a number.
const numbered = "0000"

// match takes the files of a stem from a folder's, in order: one, or several that are shards of one.
func match(names []string, stem string) ([]string, error) {
	for _, ending := range endings {
		var exact, counted, shards []string
		of := 0
		for _, name := range names {
			if endingOf(name) != ending {
				continue
			}
			base := name[:len(name)-len(ending)]
			if stem == numbered && number.MatchString(base) {
				shards = append(shards, name)
				continue
			}
			if len(base) < len(stem) || !strings.EqualFold(base[:len(stem)], stem) {
				continue
			}
			rest := base[len(stem):]
			switch m := shard.FindStringSubmatch(rest); {
			case rest == "":
				exact = append(exact, name)
			case m != nil:
				shards = append(shards, name)
				of, _ = strconv.Atoi(m[2])
			case count.MatchString(rest):
				counted = append(counted, name)
			}
		}
		slices.Sort(shards)
		switch {
		case len(exact) > 0:
			return exact[:1], nil
		case len(shards) > 0:
			return shards, whole(shards, of)
		case len(counted) > 1:
			return nil, fmt.Errorf("%s are both files of the split: leave one", strings.Join(counted[:2], " and "))
		case len(counted) == 1:
			return counted, nil
		}
	}
	return nil, nil
}

var errShards = errors.New("files of the split are missing")

// whole checks that no shard is missing; of is 0 where the names do not say how many there are.
func whole(shards []string, of int) error {
	if of == 0 || len(shards) == of {
		return nil
	}
	return fmt.Errorf("%w: there are %d of %d (%s, …): copy the others too", errShards, len(shards), of, shards[0])
}

// endingOf is the ending of a name among those that are read; "" for another.
func endingOf(name string) string {
	name = strings.ToLower(name)
	var best string
	for _, ending := range endings {
		if strings.HasSuffix(name, ending) && len(name) > len(ending) {
			best = cmp.Or(best, ending)
		}
	}
	return best
}
