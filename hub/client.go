package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxRedirects is how many places a file may be said to lie at.
const maxRedirects = 10

// answer is a response, and what the hub's own headers said before it redirected elsewhere.
type answer struct {
	*http.Response
	hub http.Header
}

// get asks once. Redirects are followed here and not by net/http, for two reasons: the hub's headers about a file are on
// the answer that redirects, and the token must go to no other host. The body is cut when it is silent for h.Timeout.
func (h *Hub) get(ctx context.Context, address string, header http.Header) (*answer, error) {
	endpoint, err := url.Parse(h.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	silence := time.AfterFunc(h.Timeout, func() { cancel(errSilent) })
	stop := func() { silence.Stop(); cancel(nil) }
	var hub http.Header
	for range maxRedirects {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			stop()
			return nil, fmt.Errorf("hub: %w", err)
		}
		for key, values := range header {
			request.Header[key] = values
		}
		request.Header.Set("User-Agent", "shallow")
		request.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file
		own := sameOrigin(at, endpoint)
		if own && h.Token != "" {
			request.Header.Set("Authorization", "Bearer "+h.Token)
		}
		silence.Reset(h.Timeout)
		response, err := h.http().Do(request)
		if err != nil {
			err = h.cut(ctx, at.Host, err)
			stop()
			return nil, err
		}
		if own && hub.Get("X-Linked-Etag") == "" {
			hub = response.Header
		}
		place := response.Header.Get("Location")
		if response.StatusCode/100 != 3 || place == "" {
			response.Body = &body{response.Body, h, at.Host, ctx, silence, stop}
			return &answer{response, hub}, nil
		}
		response.Body.Close()
		next, err := at.Parse(place)
		if err != nil || next.Host == "" || (next.Scheme != "https" && (next.Scheme != "http" || at.Scheme == "https")) {
			stop()
			return nil, fmt.Errorf("hub: %s redirects to %q, which is no address to read from", at.Host, place)
		}
		at = next
	}
	stop()
	return nil, fmt.Errorf("hub: %s redirects more than %d times", address, maxRedirects)
}

func (h *Hub) http() *http.Client {
	if h.client != nil {
		return h.client
	}
	return plainClient
}

// plainClient follows no redirect and undoes no compression. It goes through the proxy of the environment.
var plainClient = func() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.MaxIdleConnsPerHost = defaultParallel
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}()

// sameOrigin reports whether two addresses are of one scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && port(a) == port(b)
}

// errSilent is why a connection was given up.
var errSilent = errors.New("the connection was silent for too long")

// cut is the error of a connection that broke: final if the caller has stopped it, else passing.
func (h *Hub) cut(ctx context.Context, host string, err error) error {
	cause := context.Cause(ctx)
	if cause != nil && !errors.Is(cause, errSilent) {
		return cause
	}
	if cause != nil {
		err = fmt.Errorf("%w (%v; HF_HUB_DOWNLOAD_TIMEOUT sets another bound)", cause, h.Timeout)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the address, which may hold a signature
	}
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	return &passing{
		error: failuref(ErrUnreachable, "hub: %s: %v", host, err),
		never: errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &certificate),
	}
}

// body is a response's body. It watches for silence.
type body struct {
	io.ReadCloser
	hub     *Hub
	host    string
	ctx     context.Context
	silence *time.Timer
	stop    func()
}

func (b *body) Read(p []byte) (int, error) {
	b.silence.Reset(b.hub.Timeout)
	n, err := b.ReadCloser.Read(p)
	b.silence.Stop() // what the reader does with the bytes is not the connection's silence
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.hub.cut(b.ctx, b.host, err)
	}
	return n, err
}

func (b *body) Close() error {
	b.stop()
	return b.ReadCloser.Close()
}

// retry calls try until it succeeds, fails for good, or fails h.Attempts times in a row without progress.
func (h *Hub) retry(ctx context.Context, try func() (progress bool, err error)) error {
	for failed, pause := 0, h.Backoff; ; pause *= 2 {
		progress, err := try()
		if err == nil {
			return nil
		}
		var again *passing
		if !errors.As(err, &again) {
			return err
		}
		if progress {
			failed, pause = 0, h.Backoff
		}
		if failed++; failed >= max(h.Attempts, 1) {
			return fmt.Errorf("%w (tried %d times)", again.error, failed)
		}
		wait := max(min(pause, maxWait), again.wait)
		if again.wait > pause {
			h.note("%s asks to wait %v", h.Endpoint, again.wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
