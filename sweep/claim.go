package sweep

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A claim is a file that says which process computes something. Its owner renews its time at every beat. One that has not been
// renewed for staleBeats of the watcher's own beats is taken over, whatever the clocks of the two machines say; on the machine
// that it was made on, a lock that goes with the process tells at once, and one that is still locked belongs to a process that lives
// but may hardly get a turn, or was stopped: it is given more time.
const (
	staleBeats   = 6
	stoppedBeats = 120
)

// defaultBeat is the time between two beats.
const defaultBeat = 5 * time.Second

// errLost is why work is given up whose claim another process has taken.
var errLost = errors.New("sweep: another process has taken over the claim, since this one did not renew it in time")

// claims are those of a folder that this process holds, and what it has seen of others'.
type claims struct {
	dir   string
	owner string // this process
	boot  string // this machine since it was started; "" where the system does not say
	beat  time.Duration

	mutex sync.Mutex
	held  map[string]*claim
	seen  map[string]sighting
}

// tidy removes files of claims that a killed process was just writing.
func tidy(dir string, age time.Duration) {
	left, _ := filepath.Glob(filepath.Join(dir, ".claim.*.tmp"))
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > age {
			_ = os.Remove(path)
		}
	}
}

// claim is one that this process holds.
type claim struct {
	of   *claims
	id   string
	file *os.File // locked
	lost func()   // called when another process has it
}

// sighting is how another's claim looked, and since when it has looked so.
type sighting struct {
	content string
	renewed time.Time
	since   time.Time
}

// claimed is what a claim says.
type claimed struct {
	Owner string `json:"owner"`
	Host  string `json:"host"`
	PID   int    `json:"pid"`
	Boot  string `json:"boot,omitempty"`
	// Locked says that the owner has locked the file, so that on this machine a lock tells whether it lives.
	Locked bool `json:"locked,omitempty"`
}

func openClaims(dir string, beat time.Duration) (*claims, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	if beat <= 0 {
		beat = defaultBeat
	}
	tidy(dir, staleBeats*beat)
	name := make([]byte, 16)
	if _, err := rand.Read(name); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	return &claims{dir: dir, owner: hex.EncodeToString(name), boot: bootID(), beat: beat, held: map[string]*claim{}, seen: map[string]sighting{}}, nil
}

// keep renews the claims that are held until stop is called.
func (c *claims) keep() (stop func()) {
	ticker, done := time.NewTicker(c.beat), make(chan struct{})
	var over sync.WaitGroup
	over.Go(func() {
		for {
			select {
			case <-ticker.C:
				c.renew(time.Now())
			case <-done:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		over.Wait()
	}
}

// renew says of each claim that its owner lives, and notices those that are another's by now.
func (c *claims) renew(now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for id, x := range c.held {
		if !x.mine() {
			delete(c.held, id)
			x.lost()
			continue
		}
		_ = os.Chtimes(c.path(id), now, now) // a beat that fails is missed, as one that is late
	}
}

func (c *claims) path(id string) string { return filepath.Join(c.dir, id) }

// take claims id, unless another process has it: then it is nil. lost is called if another process takes it over.
func (c *claims) take(id string, lost func()) (*claim, error) {
	c.mutex.Lock()
	_, own := c.held[id]
	c.mutex.Unlock()
	if own {
		return nil, nil
	}
	x := &claim{of: c, id: id, lost: lost}
	created, err := x.create()
	if err == nil && !created {
		created, err = c.takeOver(x)
	}
	if err != nil || !created {
		return nil, err
	}
	c.mutex.Lock()
	c.held[id] = x
	delete(c.seen, id)
	c.mutex.Unlock()
	return x, nil
}

// create makes the claim's file, unless there is one.
func (x *claim) create() (bool, error) {
	path := x.of.path(x.id)
	temp, err := x.write()
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(temp) }()
	// Linking gives the name to a file that is whole and locked, and fails where there is one.
	err = os.Link(temp, path)
	if err == nil {
		return true, nil
	}
	defer func() {
		if x.file != nil && err != nil {
			x.file.Close()
		}
	}()
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	// Not every file system has links.
	f, failed := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if errors.Is(failed, fs.ErrExist) {
		return false, nil
	}
	if failed != nil {
		return false, fmt.Errorf("sweep: the claim: %w", failed)
	}
	x.file.Close()
	x.file, err = f, x.of.fill(f)
	return err == nil, err
}

// write makes a file with the claim, locked, that is not yet in its place.
func (x *claim) write() (temp string, err error) {
	f, err := os.CreateTemp(x.of.dir, ".claim.*.tmp")
	if err != nil {
		return "", fmt.Errorf("sweep: the claim: %w", err)
	}
	x.file = f
	if err := x.of.fill(f); err != nil {
		f.Close()
		_ = os.Remove(f.Name())
		return "", err
	}
	if !keepOpen { // nothing is gained by leaving it open, and it could not be removed
		f.Close()
	}
	return f.Name(), nil
}

// lock is what came of trying to lock a file.
type lock int

const (
	unsupported lock = iota
	locked
	lockedByOther
)

// fill locks a new file and says whose it is.
func (c *claims) fill(f *os.File) error {
	host, _ := os.Hostname()
	data, err := json.Marshal(claimed{Owner: c.owner, Host: host, PID: os.Getpid(), Boot: c.boot, Locked: lockFile(f) == locked})
	if err == nil {
		_, err = f.Write(append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("sweep: the claim: %w", err)
	}
	return nil
}

// takeOver puts the claim in the place of another's whose process is gone.
func (c *claims) takeOver(x *claim) (bool, error) {
	path := c.path(x.id)
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // given back just now: the next attempt finds it free, or the work done
	}
	if err != nil {
		return false, fmt.Errorf("sweep: the claim: %w", err)
	}
	defer old.Close()
	silent, local := c.look(x.id, old)
	own := lockFile(old)
	if !silent && (!local || own != locked) {
		return false, nil
	}
	// Where the lock on the old file is held from here on, one goes on of several that want to.
	before, err := old.Stat()
	now, failed := os.Stat(path)
	if err != nil || failed != nil || !os.SameFile(before, now) {
		return false, nil
	}
	temp, err := x.write()
	if err != nil {
		return false, err
	}
	if !keepOpen {
		old.Close()
	}
	if err := os.Rename(temp, path); err != nil {
		x.file.Close()
		_ = os.Remove(temp)
		return false, fmt.Errorf("sweep: the claim: %w", err)
	}
	if !local || own != locked {
		// Whoever renamed last has it, and all can see that a moment later.
		time.Sleep(c.beat)
	}
	if !x.mine() {
		x.file.Close()
		return false, nil
	}
	return true, nil
}

// look reports whether a claim was not renewed for long, and whether a lock tells more because its owner is, or was, on this machine.
func (c *claims) look(id string, f *os.File) (silent, local bool) {
	data := make([]byte, 1024)
	n, _ := f.ReadAt(data, 0)
	info, err := f.Stat()
	if err != nil {
		return false, false
	}
	var of claimed
	local = json.Unmarshal(data[:n], &of) == nil && of.Locked && c.boot != "" && of.Boot == c.boot
	beats := time.Duration(staleBeats)
	if local {
		beats = stoppedBeats
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := sighting{string(data[:n]), info.ModTime(), time.Now()}
	before, known := c.seen[id]
	if !known || before.content != now.content || !before.renewed.Equal(now.renewed) {
		c.seen[id] = now
		return false, local
	}
	return now.since.Sub(before.since) >= beats*c.beat, local
}

// mine reports whether the claim in place is this one.
func (x *claim) mine() bool {
	data, err := os.ReadFile(x.of.path(x.id))
	if err != nil {
		// A folder that cannot be read for a moment has not given the claim to anyone.
		return !errors.Is(err, fs.ErrNotExist)
	}
	var of claimed
	return json.Unmarshal(data, &of) == nil && of.Owner == x.of.owner
}

// release gives the claim back.
func (x *claim) release() {
	x.of.mutex.Lock()
	defer x.of.mutex.Unlock()
	if _, held := x.of.held[x.id]; held && x.mine() {
		_ = os.Remove(x.of.path(x.id))
	}
	delete(x.of.held, x.id)
	x.file.Close()
}
