package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve answers requests of a listener until ctx is done. Then it takes no new ones, lets those that run finish for as long
// as Limits.Grace, and ends; cut is the number of requests that had to be broken off.
func (s *Server) Serve(ctx context.Context, l net.Listener) (cut int, err error) {
	base, end := context.WithCancelCause(context.Background())
	defer end(nil)
	h := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: s.limits.Read,
		IdleTimeout:       s.limits.Idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	select {
	case err := <-failed:
		return 0, err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	grace, stop := context.WithTimeout(context.Background(), s.limits.Grace)
	defer stop()
	if err = h.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
		cut = int(s.requested.Load())
		end(errDraining) // they are told so
		last, stop := context.WithTimeout(context.Background(), lastWords)
		defer stop()
		if err = h.Shutdown(last); errors.Is(err, context.DeadlineExceeded) {
			err = h.Close()
		}
	}
	if e := <-failed; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return cut, err
}

// lastWords is the time for the errors of requests that are broken off.
const lastWords = time.Second
