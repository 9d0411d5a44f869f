//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shallow/internal/randommodel"
)

// healing is a training of a small model by the program itself.
type healing struct {
	t    *testing.T
	self string
	args []string // without -o

	results []string // the files that must be the same
}

func newHealing(t *testing.T) *healing {
	t.Helper()
	dir := t.TempDir()
	model, corpus := filepath.Join(dir, "m"), filepath.Join(dir, "c.jsonl")
	if err := randommodel.Write(model, 1); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		lines.WriteString(`{"ids":[1`)
		for range 3 + r.IntN(8) {
			fmt.Fprintf(&lines, ",%d", r.IntN(200))
		}
		lines.WriteString("]}\n")
	}
	if err := os.WriteFile(corpus, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &healing{t: t, self: self, results: []string{"adapter_model.safetensors", "adapter_config.json", "log.jsonl"}, args: []string{"heal", model, "--corpus", corpus, "--steps", "12", "--batch", "1", "--accumulate", "2", "--rank", "4",
		"--lr", "1e-2", "--dropout", "0.1", "--held", "4", "--validate-every", "5", "--checkpoint-every", "1", "-q"}}
}

// command is the program with more flags. By its name the test's binary is the program.
func (h *healing) command(out string, more ...string) *exec.Cmd {
	c := exec.Command(h.self, append(append(append([]string{}, h.args...), "-o", out), more...)...)
	c.Args[0] = "shallow"
	return c
}

func (h *healing) run(out string, more ...string) {
	h.t.Helper()
	if text, err := h.command(out, more...).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, text)
	}
}

// same compares what two runs left: adapter and log to the byte, and no file that should be gone.
func (h *healing) same(want, got string) {
	h.t.Helper()
	for _, name := range h.results {
		a, err := os.ReadFile(filepath.Join(want, name))
		if err != nil {
			h.t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(got, name))
		if err != nil {
			h.t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			h.t.Errorf("%s is another than that of a run that was not stopped", name)
		}
	}
	entries, err := os.ReadDir(got)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".") || strings.HasPrefix(name, "checkpoint") || strings.HasSuffix(name, ".shallow-partial") || strings.HasSuffix(name, ".shallow-replaced") {
			h.t.Errorf("%s was left behind", name)
		}
	}
}

// TestHealKilled kills the program at random moments, 10 times with an adapter and half as often with weights, or 30 times with
// SHALLOW_KILLS=30, and lets it go on each time with other threads and memory: it ends with the same bytes.
func TestHealKilled(t *testing.T) {
	t.Run("lora", func(t *testing.T) { killed(newHealing(t), 10) })
	t.Run("tail", func(t *testing.T) {
		h := newHealing(t)
		h.args = append(h.args, "--method", "tail", "--tail-layers", "2")
		h.results = []string{"model/model.safetensors", "model/config.json", "log.jsonl"}
		killed(h, 5)
	})
}

func killed(h *healing, kills int) {
	t := h.t
	if text := os.Getenv("SHALLOW_KILLS"); text != "" {
		if _, err := fmt.Sscan(text, &kills); err != nil {
			t.Fatal(err)
		}
	}
	want := filepath.Join(t.TempDir(), "want")
	begin := time.Now()
	h.run(want, "--threads", "1")
	whole := time.Since(begin)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	done := 0
	for round := 0; done < kills; round++ {
		if round > 20*kills {
			t.Fatalf("only %d kills in %d runs", done, round)
		}
		got := filepath.Join(t.TempDir(), "got")
		for finished := false; !finished; {
			c := h.command(got, "--threads", fmt.Sprint(1+r.IntN(2)), "--memory", []string{"1MB", "1GB"}[r.IntN(2)])
			var said bytes.Buffer
			c.Stderr = &said
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(r.Int64N(int64(whole))), func() { c.Process.Kill() })
			err := c.Wait()
			timer.Stop()
			var exit *exec.ExitError
			switch {
			case err == nil:
				finished = true
			case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
				done++
			default:
				t.Fatalf("%v: %s", err, said.String())
			}
		}
		h.same(want, got)
	}
	t.Logf("%d kills of a run of %v", done, whole)
}

// TestHealStopped stops a run as Ctrl-C and as kill do.
func TestHealStopped(t *testing.T) {
	h := newHealing(t)
	want, got := filepath.Join(t.TempDir(), "want"), filepath.Join(t.TempDir(), "got")
	begin := time.Now()
	h.run(want)
	whole := time.Since(begin)
	logged := func() int {
		text, _ := os.ReadFile(filepath.Join(got, "log.jsonl"))
		return bytes.Count(text, []byte("\n"))
	}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		before := logged()
		c := h.command(got, "--checkpoint-every", "0")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for logged() <= before && time.Since(begin) < 100*whole { // so that there is a step to keep
			time.Sleep(whole / 200)
		}
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		var exit *exec.ExitError
		if err == nil {
			break // it was quicker
		}
		if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
			t.Fatalf("%v: ended with %v, want code %d", s, err, exitInterrupted)
		}
		if _, err := os.Stat(filepath.Join(got, "checkpoint.safetensors")); err != nil {
			t.Fatal(err)
		}
	}
	h.run(got)
	h.same(want, got)
}

// TestHealFullDisk lets no file grow beyond what a checkpoint takes.
func TestHealFullDisk(t *testing.T) {
	h := newHealing(t)
	want, got := filepath.Join(t.TempDir(), "want"), filepath.Join(t.TempDir(), "got")
	h.run(want)
	for _, blocks := range []int{1, 16, 64} {
		c := h.command(got)
		shell := exec.Command("bash", append([]string{"-c", fmt.Sprintf(`ulimit -f %d; exec -a shallow "$0" "$@"`, blocks), c.Path}, c.Args[1:]...)...)
		text, err := shell.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitError {
			t.Fatalf("with %d kB: %v: %s", blocks, err, text)
		}
		if !bytes.Contains(text, []byte("too large")) || !bytes.Contains(text, []byte("heal: ")) {
			t.Errorf("with %d kB it says %q", blocks, text)
		}
	}
	h.run(got)
	h.same(want, got)
}
