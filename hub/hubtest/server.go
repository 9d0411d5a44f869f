// Package hubtest is a small hub for tests: it lists and serves repositories as huggingface.co does, large files from
// another host, and misbehaves where a test asks it to.
package hubtest

import (
	"bytes"
	"crypto/sha1" // git's
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a hub and the host that its large files lie on. Fields are set before the first request.
type Server struct {
	URL   string // of the hub
	CDN   string // of the other host
	Token string // what private repositories are read with
	Page  int    // entries of a page of a listing; 0 is all

	// Before sees each request first, on whichever host, and reports whether it has answered it.
	Before func(w http.ResponseWriter, r *http.Request) bool

	lock     sync.Mutex
	repos    map[string]*Repo // by models/owner/name
	requests []Request
}

// Repo is a repository. Every revision leads to a commit.
type Repo struct {
	Private bool
	Gated   bool // its files need a token that Allowed names
	Allowed []string

	revisions map[string]string
	commits   map[string]map[string]File
}

// File is a content and how the hub keeps it.
type File struct {
	Data  []byte
	Large bool // redirected to the other host, named by SHA-256
}

// ETag is the name of the content.
func (f File) ETag() string {
	if f.Large {
		return fmt.Sprintf("%x", sha256.Sum256(f.Data))
	}
	return f.oid()
}

func (f File) oid() string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(f.Data), f.Data)))
}

// Request is what a client asked.
type Request struct {
	Host, Path, Query, Range, Authorization string
}

// New starts a hub that is stopped with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s, stop := Start()
	t.Cleanup(stop)
	return s
}

// Start starts a hub that runs until stop is called.
func Start() (s *Server, stop func()) {
	s = &Server{repos: map[string]*Repo{}}
	hub := httptest.NewServer(s.handler(s.serveHub))
	cdn := httptest.NewServer(s.handler(s.serveCDN))
	s.URL, s.CDN = hub.URL, cdn.URL
	return s, func() { hub.Close(); cdn.Close() }
}

// Add puts files into a revision of a repository, models/owner/name or datasets/owner/name, as a commit of its own.
func (s *Server) Add(repo, revision string, files map[string]File) (commit string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	r := s.repo(repo)
	var all strings.Builder
	for _, name := range sorted(files) {
		fmt.Fprintln(&all, name, files[name].ETag())
	}
	commit = fmt.Sprintf("%x", sha1.Sum([]byte(repo+revision+all.String())))
	r.revisions[revision], r.revisions[commit] = commit, commit
	r.commits[commit] = files
	return commit
}

// Repo is a repository that is there or is made, for its flags.
func (s *Server) Repo(name string) *Repo {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.repo(name)
}

func (s *Server) repo(name string) *Repo {
	if s.repos[name] == nil {
		s.repos[name] = &Repo{revisions: map[string]string{}, commits: map[string]map[string]File{}}
	}
	return s.repos[name]
}

// Requests is what was asked so far.
func (s *Server) Requests() []Request {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) handler(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.lock.Lock()
		s.requests = append(s.requests, Request{r.Host, r.URL.Path, r.URL.RawQuery, r.Header.Get("Range"), r.Header.Get("Authorization")})
		s.lock.Unlock()
		if s.Before == nil || !s.Before(w, r) {
			serve(w, r)
		}
	})
}

// Refuse answers with an error as the hub's.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q}`, message)
}

func (s *Server) serveHub(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		path[i], _ = url.PathUnescape(path[i])
	}
	api := path[0] == "api"
	if api {
		path = path[1:]
	}
	kind := "models"
	if path[0] == "models" || path[0] == "datasets" {
		kind, path = path[0], path[1:]
	}
	verb := slices.IndexFunc(path, func(p string) bool { return p == "revision" || p == "tree" || p == "resolve" })
	if verb < 1 || verb+1 >= len(path) {
		Refuse(w, http.StatusNotFound, "", "Sorry, we can't find the page you are looking for.")
		return
	}
	repo, known := s.find(kind + "/" + strings.Join(path[:verb], "/"))
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case token != "" && s.Token != "" && token != s.Token && !slices.Contains(repo.Allowed, token):
		Refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return
	case (!known || repo.Private) && token == "":
		Refuse(w, http.StatusUnauthorized, "", "Invalid username or password.")
		return
	case !known:
		Refuse(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
		return
	}
	commit, known := repo.revisions[path[verb+1]]
	if !known {
		Refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+path[verb+1])
		return
	}
	rest := strings.Join(path[verb+2:], "/")
	switch {
	case api && path[verb] == "revision":
		writeJSON(w, map[string]any{"id": "x", "sha": commit})
	case api && path[verb] == "tree":
		s.tree(w, r, repo.commits[commit], rest)
	case !api && path[verb] == "resolve":
		s.resolve(w, r, repo, commit, rest, token)
	default:
		Refuse(w, http.StatusNotFound, "", "")
	}
}

func (s *Server) find(name string) (*Repo, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if r, ok := s.repos[name]; ok {
		return r, true
	}
	return &Repo{}, false
}

func (s *Server) tree(w http.ResponseWriter, r *http.Request, files map[string]File, folder string) {
	entries := []map[string]any{}
	for _, name := range sorted(files) {
		if folder != "" && !strings.HasPrefix(name, folder+"/") {
			continue
		}
		f := files[name]
		e := map[string]any{"type": "file", "path": name, "size": len(f.Data), "oid": f.oid()}
		if f.Large {
			e["lfs"] = map[string]any{"oid": f.ETag(), "size": len(f.Data), "pointerSize": 135}
			e["xetHash"] = f.ETag()
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 && folder != "" {
		Refuse(w, http.StatusNotFound, "EntryNotFound", folder+" does not exist")
		return
	}
	if folder == "" {
		entries = append(entries, map[string]any{"type": "directory", "path": "folder", "size": 0, "oid": "0"})
	}
	if s.Page > 0 {
		at, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		entries = entries[min(at, len(entries)):]
		if len(entries) > s.Page {
			entries = entries[:s.Page]
			// As behind a proxy, which passes on the address that the hub itself knows.
			w.Header().Set("Link", fmt.Sprintf(`<https://hub.invalid%s?recursive=true&cursor=%d>; rel="next"`, r.URL.EscapedPath(), at+s.Page))
		}
	}
	writeJSON(w, entries)
}

func (s *Server) resolve(w http.ResponseWriter, r *http.Request, repo *Repo, commit, name, token string) {
	w.Header().Set("X-Repo-Commit", commit)
	f, known := repo.commits[commit][name]
	switch {
	case repo.Gated && token == "":
		Refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to this model is restricted. You must be authenticated to access it.")
		return
	case repo.Gated && !slices.Contains(repo.Allowed, token):
		Refuse(w, http.StatusForbidden, "GatedRepo", "Access to this model is restricted and you are not in the authorized list.")
		return
	case !known:
		Refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	case f.Large:
		w.Header().Set("X-Linked-Etag", strconv.Quote(f.ETag()))
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.Data)))
		w.Header().Set("Location", s.CDN+"/"+f.ETag()+"?Signature=x")
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("ETag", strconv.Quote(f.ETag()))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.Data))
}

// serveCDN serves any content by its hash.
func (s *Server) serveCDN(w http.ResponseWriter, r *http.Request) {
	if data, ok := s.Content(strings.TrimPrefix(r.URL.Path, "/")); ok {
		w.Header().Set("ETag", `"of the storage"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
	http.NotFound(w, r)
}

// Content is the large file of a hash.
func (s *Server) Content(etag string) ([]byte, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, repo := range s.repos {
		for _, files := range repo.commits {
			for _, f := range files {
				if f.Large && f.ETag() == etag {
					return f.Data, true
				}
			}
		}
	}
	return nil, false
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func sorted(files map[string]File) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
