package serve

import (
	"errors"
	"net/http"
	"time"
)

// events is a reply that is sent in parts, as server-sent events. The first part sends the header: before it a request can
// still fail with a status of its own.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	server  *Server
	begun   bool
}

func (s *Server) newEvents(w http.ResponseWriter) *events {
	return &events{w: w, control: http.NewResponseController(w), server: s}
}

// send writes one event; flush lets it go.
func (e *events) send(v any) error {
	data, err := marshal(v)
	if err != nil {
		return err
	}
	return e.write(append(append([]byte("data: "), data...), '\n'))
}

func (e *events) write(data []byte) error {
	if !e.begun {
		h := e.w.Header()
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // proxies hold nothing back
		e.begun = true
	}
	e.server.writeDeadline(e.control)
	if _, err := e.w.Write(data); err != nil {
		return gone{err}
	}
	return nil
}

func (e *events) flush() error {
	e.server.writeDeadline(e.control)
	if err := e.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return gone{err}
	}
	return nil
}

// end says that there is nothing more.
func (e *events) end() error {
	if err := e.write([]byte("data: [DONE]\n\n")); err != nil {
		return err
	}
	return e.flush()
}

// fail says why there is nothing more: with a status if nothing was sent yet, else as the last event.
func (e *events) fail(err error) error {
	var lost gone
	if !e.begun || errors.As(err, &lost) {
		return err
	}
	p := e.server.explain(err)
	if p == nil {
		return err
	}
	if err := e.send(p.body()); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	return sent{p}
}

// gone is a reply that could not be written: the client reads no more.
type gone struct{ error }

func (g gone) Unwrap() error { return g.error }

// sent is a problem that the client knows of already.
type sent struct{ *problem }

func (s sent) Unwrap() error { return s.problem }

// writeDeadline gives a write its time. A recorder in a test has no deadlines.
func (s *Server) writeDeadline(c *http.ResponseController) {
	_ = c.SetWriteDeadline(time.Now().Add(s.limits.Write))
}
