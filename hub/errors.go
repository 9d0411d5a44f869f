package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What went wrong, for errors.Is.
var (
	ErrOffline          = errors.New("not in the cache")
	ErrUnreachable      = errors.New("no answer")
	ErrGated            = errors.New("gated repository")
	ErrToken            = errors.New("token refused")
	ErrRepoNotFound     = errors.New("no such repository")
	ErrRevisionNotFound = errors.New("no such revision")
	ErrEntryNotFound    = errors.New("no such file")
	ErrChecksum         = errors.New("wrong content")
	ErrNoWeights        = errors.New("no safetensors")
)

// failure is one of the errors above, explained.
type failure struct {
	kind error
	text string
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.kind }

func failuref(kind error, format string, a ...any) error {
	return &failure{kind, fmt.Sprintf(format, a...)}
}

// passing is an error that may be gone the next time.
type passing struct {
	error
	wait  time.Duration // what the server asks for; 0 for nothing
	never bool          // no connection came about
}

func (e *passing) Unwrap() error { return e.error }

// maxMessage bounds what is read of an answer that is an error.
const maxMessage = 16 << 10

// refusal explains an answer that is not the one that was asked for. what is the file, or "" for the repository itself.
func (h *Hub) refusal(r *http.Response, repo Repo, what string) error {
	code, message := r.Header.Get("X-Error-Code"), errorMessage(r)
	name := repo.String()
	if what != "" {
		name += ": " + what
	}
	page := h.page(repo)
	switch {
	case code == "GatedRepo":
		if h.Token == "" {
			return failuref(ErrGated, "hub: %s: the repository is gated: ask for access on %s, then give a token of your account in HF_TOKEN, or store it with hf auth login", name, page)
		}
		return failuref(ErrGated, "hub: %s: the repository is gated and the account of your token has no access: ask for it on %s; a fine-grained token also needs the right to read gated repositories", name, page)
	case code == "RevisionNotFound":
		return failuref(ErrRevisionNotFound, "hub: %s has no revision %q: see %s/tree/main", repo.ID, repo.Revision, page)
	case code == "EntryNotFound":
		return failuref(ErrEntryNotFound, "hub: %s: is not in the repository", name)
	case r.StatusCode == http.StatusUnauthorized && strings.Contains(message, "Invalid credentials"):
		return failuref(ErrToken, "hub: %s: %s does not accept the token: check HF_TOKEN, or the token file that hf auth login has written", name, h.Endpoint)
	case code == "RepoNotFound" || code == "" && (r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusNotFound):
		// To strangers the hub answers 401 for repositories that are private and for such as do not exist.
		if h.Token == "" {
			return failuref(ErrRepoNotFound, "hub: %s: there is no %s of this name at %s, or it is private: check the name, or give a token in HF_TOKEN", name, repo.noun(), h.Endpoint)
		}
		return failuref(ErrRepoNotFound, "hub: %s: there is no %s of this name at %s that your token may read", name, repo.noun(), h.Endpoint)
	}
	err := fmt.Errorf("hub: %s: %s answers %s", name, h.Endpoint, r.Status)
	if message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	switch r.StatusCode {
	case http.StatusForbidden:
		return fmt.Errorf("%w; the token needs the right to read this repository", err)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &passing{error: &failure{ErrUnreachable, err.Error()}, wait: askedToWait(r.Header)}
	}
	return err
}

func (r Repo) noun() string {
	if r.Kind == Dataset {
		return "data set"
	}
	return "model"
}

// page is where a person sees the repository.
func (h *Hub) page(repo Repo) string {
	if repo.Kind == Dataset {
		return h.Endpoint + "/datasets/" + repo.ID
	}
	return h.Endpoint + "/" + repo.ID
}

// errorMessage is what the server says, on one line.
func errorMessage(r *http.Response) string {
	message := r.Header.Get("X-Error-Message")
	if message == "" {
		var body struct{ Error string }
		data, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
		if err == nil && json.Unmarshal(data, &body) == nil {
			message = body.Error
		}
	}
	message = strings.Join(strings.FieldsFunc(message, func(c rune) bool { return c <= ' ' || c == 0x7f }), " ")
	if len(message) > 300 {
		message = strings.ToValidUTF8(message[:300], "") + "…"
	}
	return message
}

// maxWait bounds how long a server may make us wait: the hub counts requests in windows of five minutes.
const maxWait = 5 * time.Minute

// rateLimit is the hub's own header: "api";r=0;t=55 for none left, the next in 55 seconds.
var rateLimit = regexp.MustCompile(`;\s*r=0\s*;\s*t=(\d+)`)

// askedToWait is the time of Retry-After in seconds, or of the rate limit's window.
func askedToWait(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if text == "" {
		if match := rateLimit.FindStringSubmatch(header.Get("RateLimit")); match != nil {
			text = match[1]
		}
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxWait)
}
