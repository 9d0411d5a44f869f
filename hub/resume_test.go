package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shallow/hub/hubtest"
)

// TestCutHalfWay breaks each connection after a part of what is left, and counts what is sent again.
func TestCutHalfWay(t *testing.T) {
	s, h, f := onlyWeights(t)
	h.Attempts = 2 // each brings something new, so that there is no end to them
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !isContent(s, r) {
			return false
		}
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err != nil && r.Header.Get("Range") != "" {
			t.Error(err)
		}
		left := len(f.Data) - from
		if left < 100_000 {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(left))
		status := http.StatusOK
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(f.Data)-1, len(f.Data)))
			status = http.StatusPartialContent
		}
		w.WriteHeader(status)
		if _, err := w.Write(f.Data[from : from+left/2]); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
		panic(http.ErrAbortHandler)
	}
	dir := mustModel(t, h, "acme/tiny")
	if data, err := os.ReadFile(filepath.Join(dir, "model.safetensors")); err != nil || !bytes.Equal(data, f.Data) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	var ranges []string
	for _, r := range s.Requests() {
		if "http://"+r.Host == s.CDN {
			ranges = append(ranges, r.Range)
		}
	}
	if len(ranges) != 5 || ranges[0] != "" || ranges[1] != "bytes=500000-" || ranges[4] != "bytes=937500-" {
		t.Errorf("asked for %q", ranges)
	}
}

// TestSilence has a connection that stays open and says nothing.
func TestSilence(t *testing.T) {
	s, h, f := onlyWeights(t)
	h.Timeout = 100 * time.Millisecond
	var n atomic.Int64
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !isContent(s, r) || n.Add(1) > 2 {
			return false
		}
		if n.Load() == 2 { // the first is silent at once
			w.Header().Set("Content-Length", strconv.Itoa(len(f.Data)))
			_, _ = w.Write(f.Data[:1000])
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		return true
	}
	mustModel(t, h, "acme/tiny")
	if n.Load() != 3 {
		t.Errorf("%d requests, want 3", n.Load())
	}
}

// TestResume stops a download and starts it again, in several states of what was left.
func TestResume(t *testing.T) {
	for name, test := range map[string]struct {
		left  func(f hubtest.File) []byte
		want  string // the range asked for
		twice bool   // the content is asked for again, from the begin
	}{
		"half":         {left: func(f hubtest.File) []byte { return f.Data[:400_000] }, want: "bytes=400000-"},
		"all":          {left: func(f hubtest.File) []byte { return f.Data }, want: "none"},
		"damaged":      {left: func(f hubtest.File) []byte { return noise(400_000, 99) }, want: "bytes=400000-", twice: true},
		"too long":     {left: func(f hubtest.File) []byte { return append(bytes.Clone(f.Data), 1) }, want: ""},
		"wrong, whole": {left: func(f hubtest.File) []byte { return noise(len(f.Data), 98) }, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, h, f := onlyWeights(t)
			blobs := filepath.Join(h.Cache, "models--acme--tiny", "blobs")
			if err := os.MkdirAll(blobs, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(blobs, f.ETag()+".incomplete"), test.left(f), 0o666); err != nil {
				t.Fatal(err)
			}
			dir := mustModel(t, h, "acme/tiny")
			if data, err := os.ReadFile(filepath.Join(dir, "model.safetensors")); err != nil || !bytes.Equal(data, f.Data) {
				t.Fatalf("%d bytes, %v", len(data), err)
			}
			var ranges []string
			for _, r := range s.Requests() {
				if "http://"+r.Host == s.CDN {
					ranges = append(ranges, r.Range)
				}
			}
			want := []string{test.want}
			if test.want == "none" {
				want = nil
			}
			if test.twice {
				want = append(want, "")
			}
			if fmt.Sprintf("%q", ranges) != fmt.Sprintf("%q", want) {
				t.Errorf("asked for %q, want %q", ranges, want)
			}
		})
	}
}

// TestCancel stops in the middle; the bytes stay for the next time.
func TestCancel(t *testing.T) {
	s, h, f := onlyWeights(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !isContent(s, r) || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(f.Data)))
		_, _ = w.Write(f.Data[:600_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	h.Progress = func(done, _ int64) {
		if done >= 600_000 {
			cancel()
		}
	}
	if _, err := h.Model(ctx, Repo{Model, "acme/tiny", "main"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want %v", err, context.Canceled)
	}
	partial := filepath.Join(h.Cache, "models--acme--tiny", "blobs", f.ETag()+".incomplete")
	if info, err := os.Stat(partial); err != nil || info.Size() < 600_000 {
		t.Fatalf("what is left: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(h.Cache, "models--acme--tiny", "refs", "main")); err == nil {
		t.Error("the ref is there although the model is not")
	}
	mustModel(t, h, "acme/tiny")
	last := s.Requests()[len(s.Requests())-1]
	if last.Range != "bytes=600000-" {
		t.Errorf("%+v, want what is left", last)
	}
}

func TestServerWithoutRanges(t *testing.T) {
	s, h, f := onlyWeights(t)
	var n atomic.Int64
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !isContent(s, r) {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(f.Data)))
		if n.Add(1) == 1 {
			_, _ = w.Write(f.Data[:len(f.Data)/2])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(f.Data)
		return true
	}
	dir := mustModel(t, h, "acme/tiny")
	if data, err := os.ReadFile(filepath.Join(dir, "model.safetensors")); err != nil || !bytes.Equal(data, f.Data) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestParts asks for a large file in several requests, one of which breaks off.
func TestParts(t *testing.T) {
	s, h, f := onlyWeights(t)
	h.part = 300_000
	var n atomic.Int64
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !isContent(s, r) || n.Add(1) != 2 {
			return false
		}
		w.Header().Set("Content-Range", "bytes 300000-599999/1000000")
		w.Header().Set("Content-Length", "300000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(f.Data[300_000:400_000])
		panic(http.ErrAbortHandler)
	}
	dir := mustModel(t, h, "acme/tiny")
	if data, err := os.ReadFile(filepath.Join(dir, "model.safetensors")); err != nil || !bytes.Equal(data, f.Data) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	var ranges []string
	for _, r := range s.Requests() {
		if "http://"+r.Host == s.CDN {
			ranges = append(ranges, r.Range)
		}
	}
	if got, want := strings.Join(ranges, " "), "bytes=0-299999 bytes=300000-599999 bytes=400000-699999 bytes=700000-"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}
