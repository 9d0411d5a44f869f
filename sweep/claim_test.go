package sweep

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func claimant(t *testing.T, dir string) *claims {
	t.Helper()
	c, err := openClaims(dir, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func take(t *testing.T, c *claims, id string) *claim {
	t.Helper()
	x, err := c.take(id, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestClaimIsTakenOnce(t *testing.T) {
	dir := t.TempDir()
	a, b := claimant(t, dir), claimant(t, dir)
	x := take(t, a, "one")
	if x == nil {
		t.Fatal("a claim that is free is not taken")
	}
	if take(t, b, "one") != nil || take(t, a, "one") != nil {
		t.Error("a claim is taken twice")
	}
	if take(t, b, "two") == nil {
		t.Error("another claim is not free")
	}
	x.release()
	if take(t, b, "one") == nil {
		t.Error("a claim that was given back is not free")
	}
}

// TestClaimOfTheDead: a claim whose process is gone is taken over at once on the same machine, for its lock is gone.
func TestClaimOfTheDead(t *testing.T) {
	if !keepOpen || bootID() == "" {
		t.Skip("this system does not tell of locks and reboots")
	}
	dir := t.TempDir()
	a, b := claimant(t, dir), claimant(t, dir)
	x := take(t, a, "one")
	x.file.Close() // as the end of the process does
	y := take(t, b, "one")
	if y == nil {
		t.Fatal("the claim of a process that is gone is not taken over")
	}
	lost := false
	x.lost = func() { lost = true }
	a.renew(time.Now())
	if !lost {
		t.Error("who has lost a claim is not told")
	}
	x.release()
	if !y.mine() {
		t.Error("who has lost a claim takes it from the other")
	}
}

// TestClaimOfAnotherMachine: it is taken over when it was not renewed for some beats.
func TestClaimOfAnotherMachine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "one")
	if err := os.WriteFile(path, []byte(`{"owner":"x","host":"far","boot":"other"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	c := claimant(t, dir)
	// The watcher's clock is moved instead of waiting.
	pass := func(d time.Duration) {
		s := c.seen["one"]
		s.since = s.since.Add(-d)
		c.seen["one"] = s
	}
	c.beat = time.Millisecond
	if take(t, c, "one") != nil {
		t.Fatal("a claim is taken over at first sight")
	}
	c.beat = time.Hour
	pass((staleBeats - 1) * time.Hour)
	if take(t, c, "one") != nil {
		t.Fatal("a claim is taken over too early")
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	pass(2 * staleBeats * time.Hour)
	if take(t, c, "one") != nil {
		t.Fatal("a claim that was renewed is taken over")
	}
	c.beat = time.Millisecond
	pass(time.Second)
	if take(t, c, "one") == nil {
		t.Error("a claim that was not renewed is not taken over")
	}
}

// TestClaimOfTheStopped: a process that lives but does not beat has long to come back.
func TestClaimOfTheStopped(t *testing.T) {
	dir := t.TempDir()
	a, b := claimant(t, dir), claimant(t, dir)
	x := take(t, a, "one")
	b.beat = time.Minute
	pass := func(d time.Duration) {
		s := b.seen["one"]
		s.since = s.since.Add(-d)
		b.seen["one"] = s
	}
	if take(t, b, "one") != nil {
		t.Fatal("a claim is taken over at first sight")
	}
	if keepOpen && bootID() != "" {
		pass((stoppedBeats - 1) * time.Minute)
		if take(t, b, "one") != nil {
			t.Fatal("a claim that is locked is taken over too early")
		}
	}
	pass(stoppedBeats * time.Minute)
	b.beat = time.Millisecond
	y := take(t, b, "one")
	if y == nil {
		t.Fatal("a claim that was not renewed for long is not taken over")
	}
	x.release()
	if !y.mine() {
		t.Error("who has lost a claim takes it from the other")
	}
}

// TestClaimRace: of many that find a claim of the dead, one gets it.
func TestClaimRace(t *testing.T) {
	if !keepOpen || bootID() == "" {
		t.Skip("this system does not tell of locks and reboots")
	}
	dir := t.TempDir()
	for round := range 200 {
		id := fmt.Sprint("claim", round)
		take(t, claimant(t, dir), id).file.Close()
		var winners atomic.Int32
		var all sync.WaitGroup
		var racers []*claims // kept: a file that nothing holds is closed, as if its process had ended
		for range 4 {
			c := claimant(t, dir)
			racers = append(racers, c)
			all.Go(func() {
				if x, err := c.take(id, func() {}); err != nil {
					t.Error(err)
				} else if x != nil {
					winners.Add(1)
				}
			})
		}
		all.Wait()
		if n := winners.Load(); n != 1 {
			t.Fatalf("%d have the claim", n)
		}
		runtime.KeepAlive(racers)
	}
}
