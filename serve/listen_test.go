package serve_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"shallow/serve"
)

// listening is a server on a port of its own.
type listening struct {
	t    *testing.T
	url  string
	http *http.Client
	stop func() // tells the server to end
	done chan struct{}
	cut  int
}

func listen(t *testing.T, s *serve.Server) *listening {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &listening{t: t, url: "http://" + l.Addr().String(), http: &http.Client{Transport: &http.Transport{}}, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(n.done)
		var err error
		if n.cut, err = s.Serve(ctx, l); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-n.done
		n.http.CloseIdleConnections()
	})
	return n
}

func (n *listening) post(ctx context.Context, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", n.url+"/v1/completions", strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return n.http.Do(r)
}

// status asks and reads the whole reply.
func (n *listening) status(body string) (int, string) {
	n.t.Helper()
	r, err := n.post(context.Background(), body)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return r.StatusCode, string(data)
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestLeaves: a client that goes away frees its place, while it waits and while it reads.
func TestLeaves(t *testing.T) {
	e := &fakeEngine{gate: make(chan struct{})}
	n := listen(t, newFake(t, e, func(o *serve.Options) { o.Live, o.Waiting, o.Sequences = 1, 2, 3 }))
	ctx, leave := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	clients.Go(func() {
		if r, err := n.post(ctx, `{"prompt":["a","b","c"]}`); err == nil {
			r.Body.Close()
			t.Error("a reply without a token")
		}
	})
	until(t, "three sequences run", func() bool { return e.Stats().Running == 3 })
	if status, body := n.status(`{"prompt":"a"}`); status != 429 {
		t.Errorf("all places taken: %d %s", status, body)
	}
	leave()
	clients.Wait()
	until(t, "no sequence runs", func() bool { return e.Stats().Running == 0 })

	ctx, leave = context.WithCancel(context.Background())
	clients.Go(func() { e.gate <- struct{}{} })
	r, err := n.post(ctx, `{"prompt":"a","stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(r.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Errorf("%q, %v", line, err)
	}
	if e.Stats().Running != 1 {
		t.Error("the stream does not run")
	}
	leave()
	r.Body.Close()
	clients.Wait()
	until(t, "no sequence runs", func() bool { return e.Stats().Running == 0 })
	close(e.gate)
	// The places are given back a moment later than the sequences end.
	until(t, "a request gets in", func() bool { status, _ := n.status(`{"prompt":["a","b","c"]}`); return status == 200 })
}

// TestTime: a request that takes too long is told so.
func TestTime(t *testing.T) {
	e := &fakeEngine{gate: make(chan struct{})}
	s := newFake(t, e, func(o *serve.Options) { o.Time = time.Millisecond })
	w := ask(s, "POST", "/v1/completions", `{"prompt":"a"}`)
	if w.Code != http.StatusGatewayTimeout || !strings.Contains(w.Body.String(), "ask for fewer tokens") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if e.Stats().Running != 0 {
		t.Error("the sequence still runs")
	}
}

// TestLate: an answer has time to be written, however long it took to compute.
func TestLate(t *testing.T) {
	n := listen(t, newFake(t, &fakeEngine{gate: make(chan struct{})}, func(o *serve.Options) { o.Write, o.Time = 5*time.Millisecond, 50*time.Millisecond }))
	if status, body := n.status(`{"prompt":"a"}`); status != http.StatusGatewayTimeout {
		t.Errorf("%d %s", status, body)
	}
}

// TestDrain: what runs when the server is stopped finishes, what comes then is refused.
func TestDrain(t *testing.T) {
	e := &fakeEngine{gate: make(chan struct{})}
	s := newFake(t, e, nil)
	n := listen(t, s)
	var clients sync.WaitGroup
	clients.Go(func() {
		if status, body := n.status(`{"prompt":"a","max_tokens":3}`); status != 200 {
			t.Errorf("%d %s", status, body)
		}
	})
	until(t, "the request runs", func() bool { return e.Stats().Running == 1 })
	n.stop()
	until(t, "the server drains", func() bool { return ask(s, "GET", "/health", "").Code == 503 })
	if w := ask(s, "POST", "/v1/completions", `{"prompt":"a"}`); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("while draining: %d %v", w.Code, w.Header())
	}
	close(e.gate)
	clients.Wait()
	<-n.done
	if n.cut != 0 {
		t.Errorf("%d requests cut", n.cut)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://")); err == nil {
		c.Close()
		t.Error("the server still listens")
	}
}

// TestGrace: what does not finish in time is broken off, with a reason.
func TestGrace(t *testing.T) {
	e := &fakeEngine{gate: make(chan struct{})}
	n := listen(t, newFake(t, e, func(o *serve.Options) { o.Grace = time.Millisecond }))
	var clients sync.WaitGroup
	clients.Go(func() {
		if status, body := n.status(`{"prompt":"a","max_tokens":3}`); status != 503 || !strings.Contains(body, "shutting down") {
			t.Errorf("%d %s", status, body)
		}
	})
	until(t, "the request runs", func() bool { return e.Stats().Running == 1 })
	n.stop()
	clients.Wait()
	<-n.done
	if n.cut != 1 || e.Stats().Running != 0 {
		t.Errorf("%d cut, %d run", n.cut, e.Stats().Running)
	}
}

// TestSlowBody: a request whose bytes do not come is given up.
func TestSlowBody(t *testing.T) {
	n := listen(t, newFake(t, &fakeEngine{}, func(o *serve.Options) { o.Read = 20 * time.Millisecond }))
	for _, begun := range []string{"POST /v1/comp", "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, begun); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) { // until the server closes
			t.Log(err)
		}
		c.Close()
	}
}

// TestNothingIsLeft: after many requests, some of them given up, there are no more goroutines than before.
func TestNothingIsLeft(t *testing.T) {
	e := &fakeEngine{}
	s := newFake(t, e, nil)
	before := runtime.NumGoroutine()
	n := listen(t, s)
	var clients sync.WaitGroup
	for i := range 32 {
		clients.Go(func() {
			ctx, leave := context.WithCancel(context.Background())
			defer leave()
			r, err := n.post(ctx, `{"prompt":"a","n":4,"max_tokens":60,"stream":true}`)
			if err != nil {
				t.Error(err)
				return
			}
			if i%2 == 0 {
				leave()
			}
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		})
	}
	clients.Wait()
	n.stop()
	<-n.done
	n.http.CloseIdleConnections()
	until(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	if e.Stats().Running != 0 {
		t.Errorf("%d sequences run", e.Stats().Running)
	}
}
