package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shallow/internal/atomicfile"
)

// snapshot is a commit of a repository in the cache. Its folders need not be there yet.
type snapshot struct {
	repo    Repo
	commit  string
	root    string // …/models--owner--name
	dir     string // root/snapshots/<commit>
	locks   string // …/.locks/models--owner--name
	noLinks bool
}

func (h *Hub) snapshot(repo Repo, commit string) *snapshot {
	root := filepath.Join(h.Cache, repo.folder())
	return &snapshot{
		repo: repo, commit: commit, root: root,
		dir:     filepath.Join(root, "snapshots", commit),
		locks:   filepath.Join(h.Cache, ".locks", repo.folder()),
		noLinks: h.NoLinks,
	}
}

// cached is the snapshot that was last downloaded for the repository's revision, nil if there is none.
func (h *Hub) cached(repo Repo) *snapshot {
	commit := repo.Revision
	if !commitHash.MatchString(commit) {
		data, err := readBounded(filepath.Join(h.Cache, repo.folder(), "refs", filepath.FromSlash(repo.Revision)), 1<<10)
		commit = strings.TrimSpace(string(data))
		if err != nil || !commitHash.MatchString(commit) {
			return nil
		}
	}
	s := h.snapshot(repo, commit)
	if info, err := os.Stat(s.dir); err != nil || !info.IsDir() {
		return nil
	}
	return s
}

// path is where a file of the snapshot is found.
func (s *snapshot) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// blob is where a content lies.
func (s *snapshot) blob(etag string) string { return filepath.Join(s.root, "blobs", etag) }

// has reports whether a file is there with all its bytes. Size -1 stands for any.
func (s *snapshot) has(name string, size int64) bool { return hasSize(s.path(name), size) }

func hasSize(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// files lists what lies in the snapshot, with sizes and without hashes.
func (s *snapshot) files() ([]File, error) {
	var files []File
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a link whose blob is gone
		}
		name, err := filepath.Rel(s.dir, path)
		files = append(files, File{Name: filepath.ToSlash(name), Size: info.Size()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	return files, nil
}

// listing is what Python has stored of the commit's listing: recent versions write one. False if there is none.
func (s *snapshot) listing() ([]File, bool) {
	var listing struct {
		Version int `json:"format_version"`
		Files   map[string]struct {
			Size int64
			Blob string `json:"blob_id"`
			LFS  string `json:"lfs_sha256"`
			Full int64  `json:"lfs_size"`
		}
	}
	data, err := readBounded(filepath.Join(s.root, "trees", s.commit+".json"), maxPage)
	if err != nil || json.Unmarshal(data, &listing) != nil || listing.Version != 1 {
		return nil, false
	}
	var files []File
	for name, f := range listing.Files {
		file := File{name, f.Size, f.Blob}
		if f.LFS != "" {
			file.Size, file.ETag = f.Full, f.LFS
		}
		if file.Size < 0 || !etag.MatchString(file.ETag) {
			return nil, false
		}
		files = append(files, file)
	}
	return files, true
}

// link puts a blob under its name into the snapshot: by a relative link, where there are none by a second name for the
// same bytes, else by a copy.
func (s *snapshot) link(f File) error {
	if s.has(f.Name, f.Size) {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	// Nothing that a name leads to is outside the snapshot, whatever lies there.
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	defer func() { _ = root.Close() }()
	name := filepath.FromSlash(f.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return fmt.Errorf("hub: %s: %w", f.Name, err)
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("hub: %s: %w", f.Name, err)
	}
	if !s.noLinks {
		up := strings.Repeat(".."+string(filepath.Separator), strings.Count(f.Name, "/")+2)
		err := root.Symlink(filepath.Join(up, "blobs", f.ETag), name)
		if err == nil || s.has(f.Name, f.Size) { // another process may have been faster
			return nil
		}
	}
	if os.Link(s.blob(f.ETag), s.path(f.Name)) == nil {
		return nil
	}
	return s.copy(f)
}

func (s *snapshot) copy(f File) error {
	from, err := os.Open(s.blob(f.ETag))
	if err != nil {
		return fmt.Errorf("hub: %s: %w", f.Name, err)
	}
	defer from.Close()
	to, err := atomicfile.Create(s.path(f.Name))
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	defer to.Abort()
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("hub: %s: %w", f.Name, err)
	}
	if err := to.Commit(); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

// writeRef stores which commit the revision is.
func (s *snapshot) writeRef() error {
	if s.repo.Revision == s.commit {
		return nil
	}
	path := filepath.Join(s.root, "refs", filepath.FromSlash(s.repo.Revision))
	if data, err := readBounded(path, 1<<10); err == nil && string(data) == s.commit {
		return nil // the cache may be read-only
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err := atomicfile.Write(path, []byte(s.commit)); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

// tagCache marks the cache for what makes backups, as Python does. See https://bford.info/cachedir/. A failure is none.
func (h *Hub) tagCache() {
	f, err := os.OpenFile(filepath.Join(h.Cache, "CACHEDIR.TAG"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	_, _ = f.WriteString("Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of the Hugging Face hub.\n")
	_ = f.Close()
}

// markAbsent notes that the commit has no file of a name, so that Python does not ask for it. It is a favour: a failure
// is none.
func (s *snapshot) markAbsent(name string) {
	path := filepath.Join(s.root, ".no_exist", s.commit, filepath.FromSlash(name))
	if os.MkdirAll(filepath.Dir(path), 0o777) != nil {
		return
	}
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
		_ = f.Close()
	}
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, err
}
