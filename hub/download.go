package hub

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha1" // git names small files by it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// download is one content on its way into the cache.
type download struct {
	hub      *Hub
	snapshot *snapshot
	file     File
	count    func(have int64) // hears how many bytes are there

	partial *os.File
	hash    hash.Hash // of the first have bytes
	have    int64
	until   int64 // where the bytes of a request end
}

// maxRequest is how many bytes are asked for at once: the hosts behind the hub serve no answer of more than 50 GB.
const maxRequest = 32 << 30

// download brings a content into the cache, or finds it there, and links it.
func (h *Hub) download(ctx context.Context, s *snapshot, f File, count func(int64)) error {
	if s.has(f.Name, f.Size) {
		count(f.Size)
		return nil
	}
	release, err := h.lock(ctx, s, f)
	if err != nil {
		return err
	}
	defer release()
	if hasSize(s.blob(f.ETag), f.Size) { // of another revision, or by another process meanwhile
		count(f.Size)
		return s.link(f)
	}
	d := &download{hub: h, snapshot: s, file: f, count: count}
	if err := d.run(ctx); err != nil {
		return err
	}
	return s.link(f)
}

// run fills blobs/<etag>.incomplete and gives it its name when it is right.
func (d *download) run(ctx context.Context) error {
	blob := d.snapshot.blob(d.file.ETag)
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	var err error
	if d.partial, err = os.OpenFile(blob+".incomplete", os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	defer d.partial.Close()
	if err := d.resume(); err != nil {
		return err
	}
	for broken := false; ; broken = true {
		began := d.have
		for d.have < d.file.Size {
			if err := d.hub.retry(ctx, func() (bool, error) { return d.request(ctx) }); err != nil {
				return err
			}
		}
		got := hex.EncodeToString(d.hash.Sum(nil))
		if got == d.file.ETag {
			break
		}
		// What was there before may have been damaged, so that there is a second chance.
		d.restart()
		if broken || began == 0 {
			_ = d.partial.Close()
			_ = os.Remove(d.partial.Name()) // it is worth nothing, and a next run begins anew in any case
			return failuref(ErrChecksum, "hub: %s: %s: what came has the checksum %s and not %s: the file was changed on its way; try again, or without proxy or mirror",
				d.snapshot.repo, d.file.Name, got, d.file.ETag)
		}
	}
	if err := d.partial.Truncate(d.file.Size); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err := d.partial.Sync(); err != nil {
		return fmt.Errorf("hub: %s: %w", d.file.Name, err)
	}
	if err := d.partial.Close(); err != nil {
		return fmt.Errorf("hub: %s: %w", d.file.Name, err)
	}
	if err := os.Rename(d.partial.Name(), blob); err != nil && !hasSize(blob, d.file.Size) {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

// resume takes what an earlier run has left.
func (d *download) resume() error {
	d.hash = d.newHash()
	info, err := d.partial.Stat()
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if info.Size() > d.file.Size {
		return nil // not of this content
	}
	n, err := io.Copy(d.hash, io.NewSectionReader(d.partial, 0, info.Size()))
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	d.add(n)
	return nil
}

// newHash is the hash that names the content: SHA-256 of the bytes, or git's SHA-1 of a header and the bytes.
func (d *download) newHash() hash.Hash {
	if len(d.file.ETag) == 2*sha256.Size {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", d.file.Size)
	return h
}

func (d *download) add(n int64) {
	d.have += n
	d.count(d.have)
}

// restart forgets what is there. The bytes stay until they are written over: another process may be writing the same.
func (d *download) restart() {
	d.add(-d.have)
	d.hash = d.newHash()
}

// request asks for what is missing and takes what comes.
func (d *download) request(ctx context.Context) (progress bool, err error) {
	s, h := d.snapshot, d.hub
	prefix := ""
	if s.repo.Kind == Dataset {
		prefix = "datasets/"
	}
	header := http.Header{}
	d.until = d.file.Size
	if most := cmp.Or(h.part, maxRequest); d.until-d.have > most {
		d.until = d.have + most
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.have, d.until-1))
	} else if d.have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.have))
	}
	address := fmt.Sprintf("%s/%s%s/resolve/%s/%s", h.Endpoint, prefix, s.repo.ID, s.commit, escape(d.file.Name))
	r, err := h.get(ctx, address, header)
	if err != nil {
		return false, err
	}
	defer r.Body.Close()
	switch r.StatusCode {
	case http.StatusPartialContent:
		if !strings.HasPrefix(r.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", d.have)) {
			return false, fmt.Errorf("hub: %s: %s: bytes from %d on were asked for, %q came", s.repo, d.file.Name, d.have, r.Header.Get("Content-Range"))
		}
	case http.StatusOK: // the server may not know ranges
		d.restart()
		d.until = d.file.Size
	case http.StatusRequestedRangeNotSatisfiable:
		d.restart()
		return false, &passing{error: fmt.Errorf("hub: %s: %s: the server has no bytes from %s on", s.repo, d.file.Name, header.Get("Range"))}
	default:
		return false, h.refusal(r.Response, s.repo, d.file.Name)
	}
	if err := d.check(r); err != nil {
		return false, err
	}
	return d.take(r)
}

// check holds what the headers say against the listing.
func (d *download) check(r *answer) error {
	name := fmt.Sprintf("hub: %s: %s", d.snapshot.repo, d.file.Name)
	tag := r.hub.Get("X-Linked-Etag")
	if tag == "" {
		tag = r.hub.Get("Etag")
	}
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	// Other tags, as of a mirror, say nothing: the checksum decides.
	if etag.MatchString(tag) && len(tag) == len(d.file.ETag) && tag != d.file.ETag {
		return failuref(ErrChecksum, "%s: the server has the content %s, its listing says %s: try again later", name, tag, d.file.ETag)
	}
	size := int64(-1)
	if linked, err := strconv.ParseInt(r.hub.Get("X-Linked-Size"), 10, 64); err == nil {
		size = linked
	} else if r.ContentLength >= 0 && r.Header.Get("Content-Encoding") == "" {
		size = d.have + r.ContentLength + d.file.Size - d.until
	}
	if size >= 0 && size != d.file.Size {
		return failuref(ErrChecksum, "%s: the server has %d bytes, its listing says %d: try again later", name, size, d.file.Size)
	}
	return nil
}

// take writes the bytes that come behind those that are there.
func (d *download) take(r *answer) (progress bool, err error) {
	in := io.Reader(r.Body)
	switch encoding := r.Header.Get("Content-Encoding"); {
	case encoding == "gzip" && r.StatusCode == http.StatusOK: // some servers compress unasked
		if in, err = gzip.NewReader(in); err != nil {
			return false, d.came(err)
		}
	case encoding != "" && encoding != "identity":
		return false, fmt.Errorf("hub: %s: %s: comes as %q, which was not asked for", d.snapshot.repo, d.file.Name, encoding)
	}
	buffer := make([]byte, 256<<10)
	for {
		n, err := in.Read(buffer)
		if int64(n) > d.until-d.have {
			return progress, failuref(ErrChecksum, "hub: %s: %s: more than the %d bytes that were asked for come", d.snapshot.repo, d.file.Name, d.file.Size)
		}
		if n > 0 {
			// By place and not at the end: should a lock not hold, two processes write the same bytes to the same places.
			if _, err := d.partial.WriteAt(buffer[:n], d.have); err != nil {
				return progress, fmt.Errorf("hub: %s: %w", d.file.Name, err)
			}
			d.hash.Write(buffer[:n])
			d.add(int64(n))
			progress = true
		}
		switch {
		case errors.Is(err, io.EOF) && d.have == d.until:
			return progress, nil
		case errors.Is(err, io.EOF):
			return progress, d.came(io.ErrUnexpectedEOF)
		case err != nil:
			return progress, d.came(err)
		}
	}
}

// came is the error of a body that broke off.
func (d *download) came(err error) error {
	var again *passing
	if errors.As(err, &again) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &passing{error: failuref(ErrUnreachable, "hub: %s: %s: broke off at byte %d of %d: %v", d.snapshot.repo, d.file.Name, d.have, d.file.Size, err)}
}
