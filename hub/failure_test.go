package hub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shallow/hub/hubtest"
)

// onlyWeights is a repository whose one large file a test spoils.
func onlyWeights(t *testing.T) (*hubtest.Server, *Hub, hubtest.File) {
	s := hubtest.New(t)
	f := large(1_000_000, 7)
	s.Add("models/acme/tiny", "main", map[string]hubtest.File{"config.json": text("{}"), "model.safetensors": f})
	return s, client(t, s), f
}

func isContent(s *hubtest.Server, r *http.Request) bool { return "http://"+r.Host == s.CDN }

func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		id, token string
		set       func(*hubtest.Repo)
		want      error
		says      string
	}{
		"absent":              {id: "acme/absent", want: ErrRepoNotFound, says: "check the name, or give a token"},
		"absent, with token":  {id: "acme/absent", token: "hf_me", want: ErrRepoNotFound, says: "that your token may read"},
		"private":             {set: func(r *hubtest.Repo) { r.Private = true }, want: ErrRepoNotFound, says: "or it is private"},
		"wrong token":         {token: "hf_other", want: ErrToken, says: "does not accept the token: check HF_TOKEN"},
		"no revision":         {id: "acme/tiny@v9", want: ErrRevisionNotFound, says: `acme/tiny has no revision "v9"`},
		"gated":               {set: func(r *hubtest.Repo) { r.Gated = true }, want: ErrGated, says: "ask for access on "},
		"gated, not let in":   {token: "hf_me", set: func(r *hubtest.Repo) { r.Gated = true }, want: ErrGated, says: "the account of your token has no access"},
		"gated, let in":       {token: "hf_me", set: func(r *hubtest.Repo) { r.Gated, r.Allowed = true, []string{"hf_me"} }},
		"private, with token": {token: "hf_me", set: func(r *hubtest.Repo) { r.Private = true }},
	} {
		t.Run(name, func(t *testing.T) {
			s, h, _ := onlyWeights(t)
			s.Token = "hf_me"
			h.Token = test.token
			if test.set != nil {
				test.set(s.Repo("models/acme/tiny"))
			}
			if test.id == "" {
				test.id = "acme/tiny"
			}
			repo, err := ParseModel(test.id)
			if err != nil {
				t.Fatal(err)
			}
			_, err = h.Model(context.Background(), repo)
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v that says %q", err, test.want, test.says)
			}
			if err != nil && test.token != "" && strings.Contains(err.Error(), test.token) {
				t.Errorf("%v shows the token", err)
			}
		})
	}
}

// TestEntryGone asks for a file that is listed and then not there.
func TestEntryGone(t *testing.T) {
	s, h, _ := onlyWeights(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/config.json") {
			hubtest.Refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
			return true
		}
		return false
	}
	if err := modelError(t, h, "acme/tiny"); !errors.Is(err, ErrEntryNotFound) || !strings.Contains(err.Error(), "config.json") {
		t.Error(err)
	}
}

// TestPassing has every address fail twice in each of the ways that pass.
func TestPassing(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"429": func(w http.ResponseWriter) { hubtest.Refuse(w, http.StatusTooManyRequests, "", "slow down") },
		"500": func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"503": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"cut": func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			s, h, f := onlyWeights(t)
			h.Attempts = 5 // two of the hub, two of the other host, and one
			var lock sync.Mutex
			asked := map[string]int{}
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				lock.Lock()
				asked[r.URL.Path]++
				pass := asked[r.URL.Path] > 2
				lock.Unlock()
				if !pass {
					fail(w)
				}
				return !pass
			}
			dir := mustModel(t, h, "acme/tiny")
			if data, err := os.ReadFile(filepath.Join(dir, "model.safetensors")); err != nil || !bytes.Equal(data, f.Data) {
				t.Errorf("%d bytes, %v", len(data), err)
			}
		})
	}
}

func TestGivesUp(t *testing.T) {
	s, h, _ := onlyWeights(t)
	s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	if err := modelError(t, h, "acme/tiny"); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "502 Bad Gateway (tried 4 times)") {
		t.Error(err)
	}
	if n := len(s.Requests()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestAskedToWait(t *testing.T) {
	for header, want := range map[[2]string]time.Duration{
		{"Retry-After", "3"}:                     3 * time.Second,
		{"Retry-After", "999999999999"}:          maxWait,
		{"Retry-After", "86400"}:                 maxWait,
		{"Retry-After", "-1"}:                    0,
		{"RateLimit", `"resolvers";r=0;t=55`}:    55 * time.Second,
		{"RateLimit", `"resolvers";r=4999;t=55`}: 0,
	} {
		h := http.Header{}
		h.Set(header[0], header[1])
		if got := askedToWait(h); got != want {
			t.Errorf("%v: %v, want %v", header, got, want)
		}
	}
}

// TestWrongContent has servers send what is not listed. Nothing of it may be found under a name.
func TestWrongContent(t *testing.T) {
	for name, test := range map[string]struct {
		send func(w http.ResponseWriter, f hubtest.File)
		says string
	}{
		"other bytes": {func(w http.ResponseWriter, f hubtest.File) { _, _ = w.Write(noise(len(f.Data), 1)) }, "has the checksum"},
		"fewer":       {func(w http.ResponseWriter, f hubtest.File) { _, _ = w.Write(f.Data[:10]) }, "has 10 bytes, its listing says 1000000"},
		"more": {func(w http.ResponseWriter, f hubtest.File) {
			w.Header().Set("Content-Length", "1000001")
			_, _ = w.Write(append(bytes.Clone(f.Data), 0))
		}, "has 1000001 bytes"},
		"more, without saying": {func(w http.ResponseWriter, f hubtest.File) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(append(bytes.Clone(f.Data), make([]byte, 300_000)...))
		}, "more than the 1000000 bytes that were asked for"},
		"another range": {func(w http.ResponseWriter, f hubtest.File) {
			w.Header().Set("Content-Range", "bytes 5-10/11")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(f.Data[5:11])
		}, `"bytes 5-10/11" came`},
	} {
		t.Run(name, func(t *testing.T) {
			s, h, f := onlyWeights(t)
			// The hub's own headers are left away: what the other host says has to do.
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case isContent(s, r):
					test.send(w, f)
					return true
				case strings.HasSuffix(r.URL.Path, "model.safetensors"):
					w.Header().Set("Location", s.CDN+"/x")
					w.WriteHeader(http.StatusTemporaryRedirect)
					return true
				}
				return false
			}
			err := modelError(t, h, "acme/tiny")
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "acme/tiny: model.safetensors: ") {
				t.Errorf("%v, want %q", err, test.says)
			}
			root := filepath.Join(h.Cache, "models--acme--tiny")
			for _, path := range []string{filepath.Join(root, "blobs", f.ETag()), filepath.Join(root, "refs", "main")} {
				if _, err := os.Stat(path); err == nil {
					t.Errorf("%s is there", path)
				}
			}
		})
	}
}

// TestOtherETag has the hub's headers contradict its listing.
func TestOtherETag(t *testing.T) {
	s, h, f := onlyWeights(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "model.safetensors") {
			return false
		}
		w.Header().Set("X-Linked-Etag", strconv.Quote(strings.Repeat("a", 64)))
		w.Header().Set("Location", s.CDN+"/"+f.ETag())
		w.WriteHeader(http.StatusFound)
		return true
	}
	if err := modelError(t, h, "acme/tiny"); !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), "the server has the content aaaa") {
		t.Error(err)
	}
}

// TestRedirects has places that are not gone to.
func TestRedirects(t *testing.T) {
	for name, place := range map[string]string{"a file": "file:///etc/passwd", "no host": "http:///x", "data": "data:,x", "a loop": "/acme/tiny/resolve/loop"} {
		t.Run(name, func(t *testing.T) {
			s, h, _ := onlyWeights(t)
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/resolve/") {
					return false
				}
				w.Header().Set("Location", place)
				w.WriteHeader(http.StatusFound)
				return true
			}
			if err := modelError(t, h, "acme/tiny"); !strings.Contains(err.Error(), "redirects") {
				t.Error(err)
			}
		})
	}
}

// TestRenamed follows the hub to a repository's new name, with the token, and keeps the files under the old one.
func TestRenamed(t *testing.T) {
	s := hubtest.New(t)
	s.Token = "hf_me"
	s.Repo("models/owner/new").Private = true
	s.Add("models/owner/new", "main", map[string]hubtest.File{"config.json": text("{}"), "model.safetensors": large(1000, 1)})
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		for _, old := range []string{"/api/models/old/", "/old/"} {
			if rest, ok := strings.CutPrefix(r.URL.Path, old); ok {
				w.Header().Set("Location", strings.Replace(old, "old", "owner/new", 1)+rest+"?"+r.URL.RawQuery)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			}
		}
		return false
	}
	h := client(t, s)
	h.Token = "hf_me"
	if dir := mustModel(t, h, "old"); !strings.Contains(dir, "models--old") {
		t.Errorf("it is at %s", dir)
	}
}

// TestCompressed reads a small file that comes as gzip although nobody asked.
func TestCompressed(t *testing.T) {
	s, h, _ := onlyWeights(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/config.json") {
			return false
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zipped(t, "{}"))
		return true
	}
	dir := mustModel(t, h, "acme/tiny")
	if data, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || string(data) != "{}" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestTLS has a server whose certificate nobody knows, and one that leads from https to http.
func TestTLS(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path)
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	h := &Hub{Endpoint: server.URL, Cache: t.TempDir(), Attempts: 5, Backoff: time.Minute, Timeout: 10 * time.Second, Token: "hf_secret"}
	if err := modelError(t, h, "acme/tiny"); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "certificate") || asked.Load() != 0 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
	trusting := *plainClient
	trusting.Transport = server.Client().Transport
	h.client = &trusting
	if err := modelError(t, h, "acme/tiny"); !strings.Contains(err.Error(), "which is no address to read from") || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}
