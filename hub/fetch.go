package hub

import (
	"context"
	"fmt"
	"os"
	"sync"

	"shallow/internal/machine"
)

// spare is how many bytes a download leaves free on the disk.
const spare = 64 << 20

// fetch downloads the files that the snapshot lacks, several at once.
func (h *Hub) fetch(ctx context.Context, s *snapshot, files []File) error {
	count := &counter{report: h.Progress, have: make([]int64, len(files))}
	for i, f := range files {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("hub: %s: the listing has a file whose name %w: %.200q; nothing was downloaded", s.repo, err, f.Name)
		}
		count.total += f.Size
		if s.has(f.Name, f.Size) || hasSize(s.blob(f.ETag), f.Size) {
			count.have[i] = f.Size
		} else if info, err := os.Stat(s.blob(f.ETag) + ".incomplete"); err == nil {
			count.have[i] = min(info.Size(), f.Size)
		}
		count.done += count.have[i]
	}
	if missing := count.total - count.done; missing > 0 {
		if err := h.room(s, missing); err != nil {
			return err
		}
		count.show()
	} else {
		count.report = nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	places := make(chan struct{}, max(h.Parallel, 1))
	for i, f := range files {
		wait.Go(func() {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-ctx.Done():
				return
			}
			if err := h.download(ctx, s, f, func(have int64) { count.set(i, have) }); err != nil {
				cancel(err) // the first error is the one that tells; it stops the others
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// room refuses a download that the disk cannot hold.
func (h *Hub) room(s *snapshot, missing int64) error {
	if err := os.MkdirAll(s.root, 0o777); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	h.tagCache()
	if free, err := machine.FreeSpace(s.root); err == nil && free < missing+spare {
		return fmt.Errorf("hub: %s: %d MB are missing and %s has room for %d MB: make room, or set HF_HUB_CACHE", s.repo, missing>>20, h.Cache, free>>20)
	}
	return nil
}

// counter adds up how much of each file is there.
type counter struct {
	lock        sync.Mutex
	have        []int64
	done, total int64
	report      func(done, total int64)
}

func (c *counter) set(i int, have int64) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.done += have - c.have[i]
	c.have[i] = have
	c.show()
}

func (c *counter) show() {
	if c.report != nil {
		c.report(c.done, c.total)
	}
}
