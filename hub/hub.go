package hub

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Hub is where repositories come from and where they are kept. FromEnvironment makes one; its fields may be changed
// before it is used.
type Hub struct {
	Endpoint string // as https://huggingface.co, without a slash at the end
	Token    string // "" for none
	Cache    string // the folder that holds models--owner--name
	Offline  bool   // ask no server, take what is in the cache
	NoLinks  bool   // make copies instead of symbolic links

	Parallel int           // files at once
	Attempts int           // how often in a row a request may fail without a byte that is new
	Backoff  time.Duration // before the second attempt; it doubles with each
	Timeout  time.Duration // how long a connection may be silent before it counts as cut

	Progress func(done, total int64) // bytes of the files that are wanted; nil for none; never called twice at a time
	Note     func(text string)       // what a user should know, such as that the cache is used since no server answers

	client *http.Client // nil but in tests
	part   int64        // the most bytes of one request; 0 is maxRequest
}

// The defaults, which are those of huggingface_hub but for the number of files at once.
const (
	defaultEndpoint = "https://huggingface.co"
	defaultTimeout  = 10 * time.Second
	defaultParallel = 4
	defaultAttempts = 6
	defaultBackoff  = time.Second
)

// FromEnvironment is the hub that the environment describes, by the variables and with the defaults of huggingface_hub:
// HF_ENDPOINT; HF_TOKEN, else the file at HF_TOKEN_PATH, else HF_HOME/token; HF_HUB_CACHE, else HF_HOME/hub, where HF_HOME
// is XDG_CACHE_HOME/huggingface or ~/.cache/huggingface if not set; HF_HUB_OFFLINE; HF_HUB_DISABLE_SYMLINKS,
// HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_DOWNLOAD_TIMEOUT.
func FromEnvironment() (*Hub, error) {
	h := &Hub{
		Endpoint: strings.TrimRight(first("HF_ENDPOINT", defaultEndpoint), "/"),
		Offline:  isTrue("HF_HUB_OFFLINE") || os.Getenv("HF_HUB_OFFLINE") == "" && isTrue("TRANSFORMERS_OFFLINE"),
		NoLinks:  isTrue("HF_HUB_DISABLE_SYMLINKS"),
		Parallel: defaultParallel, Attempts: defaultAttempts, Backoff: defaultBackoff, Timeout: defaultTimeout,
	}
	if u, err := url.Parse(h.Endpoint); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("hub: HF_ENDPOINT is %q: write an address such as %s", h.Endpoint, defaultEndpoint)
	}
	if text := os.Getenv("HF_HUB_DOWNLOAD_TIMEOUT"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 {
			return nil, fmt.Errorf("hub: HF_HUB_DOWNLOAD_TIMEOUT is %q: write a number of seconds", text)
		}
		if seconds > 0 {
			h.Timeout = time.Duration(seconds) * time.Second
		}
	}
	home, err := homeFolder()
	if err != nil {
		return nil, err
	}
	if h.Cache, err = expand(first("HF_HUB_CACHE", first("HUGGINGFACE_HUB_CACHE", filepath.Join(home, "hub")))); err != nil {
		return nil, err
	}
	if h.Token, err = findToken(home); err != nil {
		return nil, err
	}
	return h, nil
}

// homeFolder is HF_HOME.
func homeFolder() (string, error) {
	if home := os.Getenv("HF_HOME"); home != "" {
		return expand(home)
	}
	return expand(filepath.Join(first("XDG_CACHE_HOME", "~/.cache"), "huggingface"))
}

// maxToken bounds the file of the token; they have some forty characters.
const maxToken = 64 << 10

// findToken is the token of the environment, else the one that hf auth login has stored.
func findToken(home string) (string, error) {
	if isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return "", nil
	}
	if token := first("HF_TOKEN", os.Getenv("HUGGING_FACE_HUB_TOKEN")); token != "" {
		return cleanToken(token, "HF_TOKEN")
	}
	path, err := expand(first("HF_TOKEN_PATH", filepath.Join(home, "token")))
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("hub: the token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("hub: the token: %w", err)
	}
	return cleanToken(string(data), path)
}

// cleanToken takes white space away. The token itself is in no error.
func cleanToken(token, from string) (string, error) {
	token = strings.TrimSpace(token)
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return "", fmt.Errorf("hub: %s holds no token: it has blanks, control characters or letters outside ASCII", from)
		}
	}
	return token, nil
}

// first is a variable of the environment, or the alternative where it is not set or empty.
func first(variable, alternative string) string {
	if text := os.Getenv(variable); text != "" {
		return text
	}
	return alternative
}

func isTrue(variable string) bool {
	switch strings.ToUpper(os.Getenv(variable)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// expand replaces $NAME where it is set, and ~ at the begin.
func expand(path string) (string, error) {
	path = os.Expand(path, func(name string) string {
		if text, ok := os.LookupEnv(name); ok {
			return text
		}
		return "$" + name
	})
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("hub: %s: %w; set HF_HOME", path, err)
		}
		path = home + rest
	}
	return path, nil
}

func (h *Hub) note(format string, a ...any) {
	if h.Note != nil {
		h.Note(fmt.Sprintf(format, a...))
	}
}
