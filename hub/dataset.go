package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Shards are the files of a split, in their order.
type Shards struct {
	hub      *Hub
	snapshot *snapshot
	files    []File
	here     bool // the files are in the cache, and the server cannot be asked for more
}

// Dataset finds the files of a split. Nothing but listings is downloaded. Where the revision that is asked for is the
// default one and has no file of the split that can be read, the Parquet files that the hub makes of data sets are taken.
func (h *Hub) Dataset(ctx context.Context, split Split) (*Shards, error) {
	shards, err := h.shards(ctx, split)
	converted := split
	converted.Revision = convertRevision
	lacking := errors.Is(err, ErrEntryNotFound) || errors.Is(err, ErrOffline) || away(err) && h.cached(converted.Repo) != nil
	if split.Revision != DefaultRevision || !lacking {
		return shards, err
	}
	shards, second := h.shards(ctx, converted)
	switch {
	case second == nil:
		return shards, nil
	case errors.Is(second, ErrRevisionNotFound), errors.Is(second, ErrOffline):
		return nil, err
	}
	// Both lack it: the conversion's names are those that can be asked for.
	return nil, second
}

func (h *Hub) shards(ctx context.Context, split Split) (*Shards, error) {
	// The folder of a config is listed alone where there is one: some data sets have a hundred thousand files elsewhere.
	s, files, err := h.open(ctx, split.Repo, split.Config)
	if split.Config != "" && errors.Is(err, ErrEntryNotFound) {
		s, files, err = h.open(ctx, split.Repo, "")
	}
	if err != nil {
		return nil, err
	}
	here := files == nil
	if here {
		if files, err = s.files(); err != nil {
			return nil, err
		}
	}
	chosen, err := chooseSplit(files, split)
	if err != nil {
		return nil, err
	}
	if here {
		h.note("%s: taking the %d files of the split that are in the cache", split.Repo, len(chosen))
	}
	return &Shards{h, s, chosen, here}, nil
}

// Len is the number of files.
func (s *Shards) Len() int { return len(s.files) }

// Fetch downloads what is missing of the first n files and gives the paths of these.
func (s *Shards) Fetch(ctx context.Context, n int) ([]string, error) {
	files := s.files[:min(n, len(s.files))]
	if !s.here {
		if err := s.hub.fetch(ctx, s.snapshot, files); err != nil {
			return nil, err
		}
		if err := s.snapshot.writeRef(); err != nil {
			return nil, err
		}
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = s.snapshot.path(f.Name)
	}
	return paths, nil
}

// SplitFiles downloads the first n files of a data set's split, or all if n is 0, and gives their paths in order. path is
// owner/name or name, with @revision behind it if need be. Files are taken that package dataset reads.
func (h *Hub) SplitFiles(ctx context.Context, path, config, split string, n int) ([]string, error) {
	repo, err := parseRepo(Dataset, path)
	if err != nil {
		return nil, err
	}
	shards, err := h.Dataset(ctx, Split{Repo: repo, Config: config, Split: split, formats: rowFormats})
	if err != nil {
		return nil, err
	}
	if n <= 0 {
		n = shards.Len()
	}
	return shards.Fetch(ctx, n)
}

// chooseSplit takes the files of a config's split from a listing, of one format, in order.
func chooseSplit(files []File, want Split) ([]File, error) {
	formats := want.formats
	if formats == nil {
		formats = textFormats
	}
	split := want.Split
	if word, ok := keywords[split]; ok {
		split = word
	}
	var parts []part
	for _, f := range files {
		if p, ok := partOf(f, formats); ok {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return nil, failuref(ErrEntryNotFound, "hub: %s: the data set has no %s files at this revision", want.Repo, strings.Join(formats, ", "))
	}
	if want.Config != "" {
		all := parts
		parts = keep(all, func(p part) bool { return p.config == want.Config || strings.HasSuffix(p.config, "/"+want.Config) })
		if len(parts) == 0 { // some have configs in the names of files
			parts = keep(all, func(p part) bool { return slices.Contains(words(p.base), strings.ToLower(want.Config)) })
		}
		if len(parts) == 0 {
			err := failuref(ErrEntryNotFound, "hub: %s: the data set has no config %q: it has %s", want.Repo, want.Config, list(all, part.configName))
			if want.Split == "" {
				err = fmt.Errorf("%w; a split of this name is %s:/%s", err, want.ID, want.Config)
			}
			return nil, err
		}
	}
	if split == "" {
		if split = "train"; !slices.ContainsFunc(parts, func(p part) bool { return p.split == split }) {
			split = parts[0].split // the only one, or the choice below fails
			if slices.ContainsFunc(parts, func(p part) bool { return p.split != split }) {
				return nil, failuref(ErrEntryNotFound, "hub: %s: say which split: %s:config/split; there are %s", want.Repo, want.ID, list(parts, part.splitName))
			}
		}
	}
	all := parts
	if parts = keep(all, func(p part) bool { return p.split == split }); len(parts) == 0 {
		return nil, failuref(ErrEntryNotFound, "hub: %s: the data set has no split %q: it has %s", want.Repo, split, list(all, part.splitName))
	}
	// Two words for one split beside each other are two splits: MMLU has a dev of its own.
	for _, word := range []string{want.Split, split} {
		if said := keep(parts, func(p part) bool { return p.said == word }); len(said) > 0 {
			parts = said
			break
		}
	}
	if want.Config == "" {
		var err error
		if parts, err = onlyConfig(parts, want); err != nil {
			return nil, err
		}
	}
	for _, format := range formats {
		if same := keep(parts, func(p part) bool { return p.format == format }); len(same) > 0 {
			parts = same
			break
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.file.Name, b.file.Name) })
	chosen := make([]File, len(parts))
	for i, p := range parts {
		chosen[i] = p.file
	}
	return chosen, nil
}

// onlyConfig takes the files of the default config, where there are several.
func onlyConfig(parts []part, want Split) ([]part, error) {
	for _, name := range []string{"", "default", parts[0].config} {
		same := keep(parts, func(p part) bool { return p.config == name })
		if len(same) > 0 && (name != parts[0].config || name == "" || name == "default" || len(same) == len(parts)) {
			return same, nil
		}
	}
	return nil, fmt.Errorf("hub: %s: the data set has several configs: say which, as %s:%s; there are %s", want.Repo, want.ID, parts[0].configName(), list(parts, part.configName))
}

func keep(parts []part, wanted func(part) bool) []part {
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !wanted(p) })
}

// list is what the parts are named, for an error.
func list(parts []part, name func(part) string) string {
	var names []string
	for _, p := range parts {
		names = append(names, name(p))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 20 {
		names = append(names[:20], fmt.Sprintf("and %d more", len(names)-20))
	}
	return strings.Join(names, ", ")
}
