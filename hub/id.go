package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is what a repository holds.
type Kind string

// The kinds of repositories.
const (
	Model   Kind = "model"
	Dataset Kind = "dataset"
)

// Repo names a repository and a revision of it.
type Repo struct {
	Kind     Kind
	ID       string // owner/name, or name
	Revision string // a branch, a tag, refs/pr/1, or a commit
}

// DefaultRevision is the branch that is taken where an id names none.
const DefaultRevision = "main"

// convertRevision is where the hub keeps the Parquet files that it makes of a data set.
const convertRevision = "refs/convert/parquet"

// String is the id as a user writes it.
func (r Repo) String() string {
	if r.Revision == DefaultRevision {
		return r.ID
	}
	return r.ID + "@" + r.Revision
}

// ParseModel reads owner/name, name, or one of them with @revision.
func ParseModel(text string) (Repo, error) { return parseRepo(Model, text) }

// Split names a part of a data set.
type Split struct {
	Repo
	Config string // "" for the only or the default one
	Split  string // "" for train, or the only one

	formats []string // endings, the best first; nil for those of package corpus
}

// ParseDataset reads owner/name[@revision][:config][/split]. A single word behind the colon is a split if it is train,
// validation, test or a synonym, else a config; :/word is a split of any name.
func ParseDataset(text string) (Split, error) {
	text, part, found := strings.Cut(text, ":")
	repo, err := parseRepo(Dataset, text)
	if err != nil {
		return Split{}, err
	}
	if !strings.Contains(repo.ID, "/") {
		return Split{}, fmt.Errorf("hub: %q is no data set id: write owner/name", text)
	}
	s := Split{Repo: repo}
	if !found {
		return s, nil
	}
	var two bool
	s.Config, s.Split, two = strings.Cut(part, "/")
	if !two {
		if _, ok := keywords[s.Config]; ok {
			s.Config, s.Split = "", s.Config
		}
	}
	if part == "" || two && s.Split == "" || !isPart(s.Config) || !isPart(s.Split) {
		return Split{}, fmt.Errorf("hub: %q names no part of %s: write %s:config/split, as allenai/c4:en/validation", part, text, text)
	}
	return s, nil
}

// isPart reports whether a name may be that of a config or a split, or is empty.
func isPart(name string) bool {
	return name == "" || checkName(name) == nil && len(name) <= maxID && !strings.ContainsAny(name, "/:")
}

// maxID is the longest name, as the hub has it.
const maxID = 96

// word begins and ends with a letter, a digit or _ and may have . and - between.
var word = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

func parseRepo(kind Kind, text string) (Repo, error) {
	id, revision, found := strings.Cut(text, "@")
	if !found {
		revision = DefaultRevision
	}
	names := strings.Split(id, "/")
	wrong := func(s string) bool { return len(s) > maxID || !word.MatchString(s) }
	if len(names) > 2 || slices.ContainsFunc(names, wrong) || strings.Contains(id, "--") || strings.Contains(id, "..") || strings.HasSuffix(id, ".git") {
		return Repo{}, fmt.Errorf("hub: %q is no id: write owner/name", id)
	}
	if checkName(revision) != nil || len(revision) > 256 {
		return Repo{}, fmt.Errorf("hub: %q is no revision: write a branch, a tag or a commit behind the @", revision)
	}
	return Repo{Kind: kind, ID: id, Revision: revision}, nil
}

// commitHash is a full git hash, which never changes its meaning.
var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// folder is the repository's folder in the cache.
func (r Repo) folder() string { return string(r.Kind) + "s--" + strings.ReplaceAll(r.ID, "/", "--") }
