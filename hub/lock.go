package hub

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// How often a lock that another holds is tried, and after what time the user hears of it.
const (
	lockPoll = 100 * time.Millisecond
	lockNote = 5 * time.Second
)

// lock waits for the lock of a content. The file stays when it is given back, as Python leaves it.
func (h *Hub) lock(ctx context.Context, s *snapshot, f File) (release func(), err error) {
	if err := os.MkdirAll(s.locks, 0o777); err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	path := filepath.Join(s.locks, f.ETag+".lock")
	var told bool
	for began := time.Now(); ; {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
		if err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
		ok, err := tryLock(file)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("hub: %s: %w", path, err)
		}
		if ok && current(file, path) {
			return func() { file.Close() }, nil
		}
		file.Close()
		if !told && time.Since(began) > lockNote {
			told = true
			h.note("%s: waiting for another process that downloads it", f.Name)
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// current reports whether the locked file is still the one of its name: who had the lock before may have removed it.
func current(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(mine, now)
}
