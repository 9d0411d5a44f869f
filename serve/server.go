package serve

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"shallow/generate"
)

// Options say how a model is served. Limits are needed, the rest may be left out.
type Options struct {
	Limits
	Live    int          // sequences that the engine computes together; they and Limits.Waiting are the places
	APIKey  string       // clients must send it, if it is not empty
	Special bool         // texts for /v1/completions get the special tokens that the tokenizer adds, such as BOS, unless the request says otherwise
	Open    bool         // the server can be reached from other machines: its own name is no proof that a web page is ours
	Log     *slog.Logger // nil: nothing is logged
}

// Server answers requests. It is an http.Handler.
type Server struct {
	model   Model
	engine  Engine
	limits  Limits
	key     string
	special bool
	open    bool
	log     *slog.Logger
	metrics *metrics
	routes  map[string]route
	anchor  []int // tokens of a text, behind which others show theirs
	started time.Time

	places    int64 // sequences that are live or wait, at most
	taken     atomic.Int64
	requested atomic.Int64 // requests that are read or answered
	draining  atomic.Bool
}

// route is what answers a path. work marks those that read a body and cost something.
type route struct {
	method string
	work   bool
	handle func(http.ResponseWriter, *http.Request) error
}

// New makes a server for a model. The engine must be running, and stays the caller's.
func New(m Model, e Engine, o Options) (*Server, error) {
	s := &Server{model: m, engine: e, limits: o.Limits, key: o.APIKey, special: o.Special, open: o.Open, log: o.Log, started: time.Now()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.places = int64(max(o.Live, 1) + o.Waiting)
	if s.limits.Sequences < 1 || int64(s.limits.Sequences) > s.places {
		return nil, fmt.Errorf("serve: a request of up to %d sequences never fits into %d places: let more wait", s.limits.Sequences, s.places)
	}
	s.anchor = m.Tokenizer.Encode("a", false)
	s.metrics = newMetrics(e)
	s.routes = map[string]route{
		"/v1/completions":      {http.MethodPost, true, s.completions},
		"/v1/chat/completions": {http.MethodPost, true, s.chat},
		"/tokenize":            {http.MethodPost, true, s.tokenize},
		"/detokenize":          {http.MethodPost, true, s.detokenize},
		"/tokenizer_info":      {http.MethodGet, false, s.tokenizerInfo},
		"/v1/models":           {http.MethodGet, false, s.models},
		"/health":              {http.MethodGet, false, s.health},
		"/metrics":             {http.MethodGet, false, func(w http.ResponseWriter, r *http.Request) error { s.metrics.page.ServeHTTP(w, r); return nil }},
	}
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(writer http.ResponseWriter, r *http.Request) {
	start := time.Now()
	w := &watched{ResponseWriter: writer}
	name, rt := s.route(r.URL.Path)
	control := http.NewResponseController(w) // a recorder in a test has no deadlines
	_ = control.SetReadDeadline(start.Add(s.limits.Read))
	s.writeDeadline(control) // of what is written at once; a longer answer sets its own
	whole := s.finish(w, s.guarded(w, r, rt))
	s.metrics.count(name, w.status, time.Since(start))
	s.log.Info("request", "route", name, "status", w.status, "took", time.Since(start), "from", r.RemoteAddr)
	if !whole {
		panic(http.ErrAbortHandler) // the connection is closed, so that half an answer does not look like a whole one
	}
}

// guarded is answer without panics.
func (s *Server) guarded(w *watched, r *http.Request, rt route) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic", "path", r.URL.Path, "value", v, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return s.answer(w, r, rt)
}

// answer lets a request in and gives it to its route.
func (s *Server) answer(w *watched, r *http.Request, rt route) error {
	switch {
	case rt.handle == nil:
		return notFound("not_found", "there is nothing at %s", brief([]byte(r.URL.Path)))
	case r.Method != rt.method && (r.Method != http.MethodHead || rt.method != http.MethodGet):
		w.Header().Set("Allow", rt.method)
		return &problem{status: http.StatusMethodNotAllowed, kind: "invalid_request_error", message: "this path wants " + rt.method}
	case !s.sameSite(r):
		return errOrigin
	case !s.allowed(r):
		return errKey
	case rt.work && s.draining.Load():
		w.Header().Set("Connection", "close")
		return errDraining
	}
	if rt.work {
		defer s.requested.Add(-1)
		if s.requested.Add(1) > s.places {
			return errBusy
		}
	}
	return rt.handle(w, r)
}

// route is what a path leads to, with its name in the metrics.
func (s *Server) route(path string) (string, route) {
	if rt, ok := s.routes[path]; ok {
		return path, rt
	}
	if id, ok := strings.CutPrefix(path, "/v1/models/"); ok {
		return "/v1/models/{id}", route{http.MethodGet, false, func(w http.ResponseWriter, r *http.Request) error { return s.oneModel(w, id) }}
	}
	return "other", route{}
}

// finish answers a request whose handler gave an error; false where an answer had begun and is left unfinished.
func (s *Server) finish(w *watched, err error) (whole bool) {
	p := s.explain(err)
	switch {
	case err == nil:
	case p == nil || errors.As(err, new(gone)):
		w.status = statusGone
		return false
	case w.status != 0:
		s.log.Error("answer broken off", "error", err)
		whole = errors.As(err, new(sent)) // as an event
		w.status = p.status
		return whole
	default:
		if p.status >= http.StatusInternalServerError {
			s.log.Error("request failed", "error", err)
		}
		s.writeDeadline(http.NewResponseController(w))
		p.write(w)
	}
	return true
}

// statusGone stands in metrics and log for a client that went away; nobody reads it.
const statusGone = 499

// explain is what a client is told of an error; nil where there is no client any more.
func (s *Server) explain(err error) *problem {
	var p *problem
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, generate.ErrRefused):
		return refuse("", "%v", err)
	case errors.Is(err, generate.ErrStopped):
		return &problem{status: http.StatusServiceUnavailable, kind: "server_error", message: err.Error()}
	}
	return failed(err)
}

// enter takes places for a request's sequences until leave is called.
func (s *Server) enter(sequences int) (leave func(), p *problem) {
	n := int64(sequences)
	if s.taken.Add(n) > s.places {
		s.taken.Add(-n)
		return nil, errBusy
	}
	return func() { s.taken.Add(-n) }, nil
}

// allowed checks the key. Who watches the server needs none.
func (s *Server) allowed(r *http.Request) bool {
	if s.key == "" || r.URL.Path == "/health" {
		return true
	}
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return subtle.ConstantTimeCompare([]byte(key), []byte(s.key)) == 1
}

// sameSite refuses what a browser sends for a web page of another site: a page could otherwise use a server that only this
// machine can reach.
func (s *Server) sameSite(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || s.open && u.Host == r.Host
}

// reply answers a request in full.
func (s *Server) reply(w http.ResponseWriter, v any) {
	s.writeDeadline(http.NewResponseController(w))
	writeJSON(w, http.StatusOK, v)
}

// watched remembers the status of a reply.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController reach deadlines and Flush.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// newID names a reply.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }
