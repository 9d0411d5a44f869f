package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// File is a file of a commit. Name comes from the server: it is checked where it becomes a path.
type File struct {
	Name string // with slashes
	Size int64
	ETag string // SHA-256 of a large file (Git LFS, Xet), git's SHA-1 of a small one, in hex
}

// The bounds of a listing: a page is a thousand entries, the largest data sets have some hundred thousand files.
const (
	maxPage    = 32 << 20
	maxPages   = 2000
	maxEntries = 1_000_000
)

// commit is the hash of the repository's revision.
func (h *Hub) commit(ctx context.Context, repo Repo) (string, error) {
	if commitHash.MatchString(repo.Revision) {
		return repo.Revision, nil
	}
	var info struct {
		SHA string `json:"sha"`
	}
	// expand leaves out the list of files, which has no bound here.
	address := fmt.Sprintf("%s/api/%ss/%s/revision/%s?expand=sha", h.Endpoint, repo.Kind, repo.ID, url.PathEscape(repo.Revision))
	if _, err := h.getJSON(ctx, address, repo, "", &info); err != nil {
		return "", err
	}
	if !commitHash.MatchString(info.SHA) {
		return "", fmt.Errorf("hub: %s: %s gives %.60q for a commit: does HF_ENDPOINT name a hub?", repo, h.Endpoint, info.SHA)
	}
	return info.SHA, nil
}

// entry is a line of a listing.
type entry struct {
	Type string
	Path string
	OID  string
	Size int64
	LFS  *struct {
		OID  string
		Size int64
	}
}

// tree lists the files of a commit, or those below a folder.
func (h *Hub) tree(ctx context.Context, repo Repo, commit, folder string) ([]File, error) {
	address := fmt.Sprintf("%s/api/%ss/%s/tree/%s", h.Endpoint, repo.Kind, repo.ID, commit)
	if folder != "" {
		address += "/" + escape(folder)
	}
	address += "?recursive=true"
	var files []File
	seen := map[string]bool{}
	for range maxPages {
		var page []entry
		header, err := h.getJSON(ctx, address, repo, folder, &page)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			f, err := e.file()
			switch {
			case err != nil:
				return nil, fmt.Errorf("hub: %s: the listing: %.200q %w", repo, e.Path, err)
			case e.Type != "file":
				continue
			case seen[f.Name]:
				return nil, fmt.Errorf("hub: %s: the listing has %q twice", repo, f.Name)
			}
			seen[f.Name] = true
			files = append(files, f)
		}
		if len(files) > maxEntries {
			return nil, fmt.Errorf("hub: %s: has more than %d files", repo, maxEntries)
		}
		if address, err = h.nextPage(repo, header); err != nil || address == "" {
			return files, err
		}
	}
	return nil, fmt.Errorf("hub: %s: the listing has more than %d pages", repo, maxPages)
}

// etag is what a content is named by.
var etag = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

func (e entry) file() (File, error) {
	f := File{Name: e.Path, Size: e.Size, ETag: e.OID}
	if e.LFS != nil {
		f.Size, f.ETag = e.LFS.Size, e.LFS.OID
	}
	if e.Type == "file" && (f.Size < 0 || !etag.MatchString(f.ETag)) {
		return f, fmt.Errorf("has %d bytes and the hash %.80q, which cannot be", f.Size, f.ETag)
	}
	return f, nil
}

// next is the address in a Link header, as <https://…?cursor=…>; rel="next".
var next = regexp.MustCompile(`<([^<>]*)>\s*;\s*rel="?next"?`)

// nextPage is the address of the page behind the one with this header, "" for none. A proxy in front of the hub may pass
// on an address of the hub's own: whatever its host is, the endpoint is asked.
func (h *Hub) nextPage(repo Repo, header http.Header) (string, error) {
	match := next.FindStringSubmatch(strings.Join(header.Values("Link"), ", "))
	if match == nil {
		return "", nil
	}
	u, err := url.Parse(match[1])
	if err != nil {
		return "", fmt.Errorf("hub: the listing's next page: %w", err)
	}
	endpoint, err := url.Parse(h.Endpoint)
	if err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	root := "/api/" + string(repo.Kind) + "s/"
	_, path, ok := strings.Cut(u.EscapedPath(), root)
	if !ok {
		return "", fmt.Errorf("hub: the listing's next page is said to be at %q, which is no listing", match[1])
	}
	return endpoint.String() + root + path + "?" + u.RawQuery, nil
}

// getJSON reads a bounded answer into v.
func (h *Hub) getJSON(ctx context.Context, address string, repo Repo, what string, v any) (http.Header, error) {
	var header http.Header
	err := h.retry(ctx, func() (bool, error) {
		r, err := h.get(ctx, address, nil)
		var broken *passing
		if errors.As(err, &broken) && broken.never {
			return false, broken.error // there is no network, more likely than not
		}
		if err != nil {
			return false, err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return false, h.refusal(r.Response, repo, what)
		}
		header = r.Header
		data, err := io.ReadAll(io.LimitReader(r.Body, maxPage+1))
		switch {
		case err != nil:
			return false, err
		case len(data) > maxPage:
			return false, fmt.Errorf("hub: %s: %s answers with more than %d MB of JSON", repo, h.Endpoint, maxPage>>20)
		}
		if err := json.Unmarshal(data, v); err != nil {
			return false, fmt.Errorf("hub: %s: %s does not answer as a hub does: %w", repo, h.Endpoint, err)
		}
		return false, nil
	})
	return header, err
}

// escape is a path with each part made fit for an address.
func escape(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// away reports whether a copy in the cache may stand in for an answer: no server answered, or it would not tell.
func away(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrRepoNotFound) || errors.Is(err, ErrGated) || errors.Is(err, ErrToken)
}
