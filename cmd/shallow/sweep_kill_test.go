//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shallow/internal/randommodel"
	"shallow/sweep"
)

// sweeping is a sweep of a small model by the program itself.
type sweeping struct {
	t         *testing.T
	self, dir string
}

const sweepGrid = `
models: m
strategies: [similarity, deepest]
drop: [1, 2, 3, 4, 6]
from: 0.5
corpus: {files: texts.jsonl, samples: 12, length: 32}
healing:
 - none
 - {name: q, corpus: texts.jsonl, steps: 6, batch: 1, accumulate: 1, length: 24, rank: 2, dropout: 0.1, checkpoint_every: 1, drop: [2, 4]}
tasks: [towns.yaml, sums.yaml]
data: data
memory: 20MB
`

func newSweeping(t *testing.T) *sweeping {
	t.Helper()
	s := &sweeping{t: t, dir: t.TempDir()}
	at := func(name string) string { return filepath.Join(s.dir, name) }
	var towns strings.Builder
	for i := range 12 {
		fmt.Fprintf(&towns, `{"country": "Land %d", "towns": ["Gor", "Lund %d", "Mere"], "right": %d}`+"\n", i, i, i%3)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(randommodel.Write(at("m"), 1))
	must(randommodel.WriteCorpus(at("texts.jsonl"), 1))
	must(os.MkdirAll(at("data/towns"), 0o777))
	must(os.MkdirAll(at("data/sums"), 0o777))
	for name, text := range map[string]string{
		"grid.yaml":             sweepGrid,
		"data/towns/test.jsonl": towns.String(),
		"data/sums/test.csv":    "question,answer\n1 + 1,2\n2 + 2,4\n3 + 4,7\n",
		"towns.yaml":            "task: towns\ndataset_path: towns\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: The capital of {{country}} is\ndoc_to_choice: \"{{towns}}\"\ndoc_to_target: right\n",
		"sums.yaml":             "task: sums\ndataset_path: sums\ntest_split: test\noutput_type: generate_until\ndoc_to_text: \"{{question}} =\"\ndoc_to_target: answer\ngeneration_kwargs: {until: [\"\\n\"], max_gen_toks: 6}\n",
	} {
		must(os.WriteFile(at(name), []byte(text), 0o666))
	}
	var err error
	s.self, err = os.Executable()
	must(err)
	return s
}

// command is the program. By its name the test's binary is it.
func (s *sweeping) command(out string, more ...string) *exec.Cmd {
	c := exec.Command(s.self, append([]string{"sweep", filepath.Join(s.dir, "grid.yaml"), "-o", filepath.Join(s.dir, out)}, more...)...)
	c.Args[0] = "shallow"
	return c
}

func (s *sweeping) run(out string, more ...string) {
	s.t.Helper()
	if text, err := s.command(out, more...).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
}

// result is sweep.json without what the runs cost.
func (s *sweeping) result(out string) string {
	s.t.Helper()
	r, err := sweep.Read(filepath.Join(s.dir, out))
	if err != nil {
		s.t.Fatal(err)
	}
	if len(r.Cells) != r.Planned {
		s.t.Errorf("%s has %d of %d cells", out, len(r.Cells), r.Planned)
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		c.Seconds, c.TokensPerSecond, c.PeakMemory, c.HealSeconds = 0, 0, 0, 0
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// same compares what two sweeps left: results, the names of cells, adapters to the byte, and nothing that should be gone.
func (s *sweeping) same(want, got string) {
	s.t.Helper()
	if s.result(want) != s.result(got) {
		s.t.Errorf("%s: sweep.json is another than that of a sweep that was not killed", got)
	}
	names := func(out, pattern string) (names []string) {
		found, err := filepath.Glob(filepath.Join(s.dir, out, pattern))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, path := range found {
			name, _ := filepath.Rel(filepath.Join(s.dir, out), path)
			names = append(names, name)
		}
		return names
	}
	for _, pattern := range []string{"cells/*.json", "healed/*/*.safetensors", "measure-*/distances.json"} {
		files := names(want, pattern)
		if len(files) == 0 || !slices.Equal(files, names(got, pattern)) {
			s.t.Errorf("%s: there are %v, want %v", pattern, names(got, pattern), files)
			continue
		}
		if strings.HasPrefix(pattern, "cells") {
			continue // sweep.json has what is in them
		}
		for _, name := range files {
			a, err := os.ReadFile(filepath.Join(s.dir, want, name))
			b, err2 := os.ReadFile(filepath.Join(s.dir, got, name))
			if err != nil || err2 != nil || !bytes.Equal(a, b) {
				s.t.Errorf("%s differs", name)
			}
		}
	}
	for _, pattern := range []string{"claims/*", "work/*", "measure-*/*.journal"} {
		if left := names(got, pattern); len(left) > 0 && !strings.HasPrefix(filepath.Base(left[0]), ".") {
			s.t.Errorf("%v are left", left)
		}
	}
}

// TestSweepKilled kills the program at random moments, 20 times or SHALLOW_KILLS, and lets it go on with other threads: it ends
// with the same cells.
func TestSweepKilled(t *testing.T) {
	kills := 20
	if text := os.Getenv("SHALLOW_KILLS"); text != "" {
		if _, err := fmt.Sscan(text, &kills); err != nil {
			t.Fatal(err)
		}
	}
	s := newSweeping(t)
	begin := time.Now()
	s.run("want", "-q", "--threads", "1")
	whole := time.Since(begin)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 5))
	done := 0
	for round := 0; done < kills; round++ {
		if round > 20*kills {
			t.Fatalf("only %d kills in %d rounds", done, round)
		}
		out := fmt.Sprint("got", round)
		for finished := false; !finished; {
			c := s.command(out, "-q", "--threads", fmt.Sprint(1+r.IntN(2)))
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
		s.same("want", out)
	}
	t.Logf("%d kills of a sweep of %v", done, whole)
}

// TestRunKilled kills shallow run at random moments: plan, checkpoint and adapter are the same in the end.
func TestRunKilled(t *testing.T) {
	const kills = 5
	s := newSweeping(t)
	at := func(name string) string { return filepath.Join(s.dir, name) }
	args := []string{"run", at("m"), "--drop", "25%", "--corpus", at("texts.jsonl"), "--samples", "12", "--length", "32", "--heal", "steps=4,batch=1,accumulate=1,length=24,rank=2,checkpoint-every=1",
		"--tasks", at("towns.yaml"), "--data", at("data"), "-q", "-o"}
	run := func(out string) *exec.Cmd {
		c := exec.Command(s.self, append(slices.Clone(args), at(out))...)
		c.Args[0] = "shallow"
		return c
	}
	begin := time.Now()
	if text, err := run("want").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	whole := time.Since(begin)
	for range kills {
		c := run("got")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(whole))), func() { c.Process.Kill() })
		_ = c.Wait()
		timer.Stop()
	}
	if text, err := run("got").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if s.result("want") != s.result("got") {
		t.Error("sweep.json is another than that of a run that was not killed")
	}
	for _, name := range []string{"plan.json", "pruned/model.safetensors", "pruned/config.json", "healed/adapter_model.safetensors"} {
		a, err := os.ReadFile(at("want/" + name))
		b, err2 := os.ReadFile(at("got/" + name))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", name, err, err2)
		}
	}
	if _, err := os.Stat(at("got/report.html")); err != nil {
		t.Error(err)
	}
}

// TestSweepByTwo lets two processes share a folder: no part is computed by both, and both print the whole.
func TestSweepByTwo(t *testing.T) {
	s := newSweeping(t)
	s.run("want", "-q")
	said := make([]bytes.Buffer, 2)
	var both sync.WaitGroup
	for i := range said {
		c := s.command("got", "--threads", "1")
		c.Stderr = &said[i]
		both.Go(func() {
			if err := c.Run(); err != nil {
				t.Errorf("%v: %s", err, said[i].String())
			}
		})
	}
	both.Wait()
	s.same("want", "got")
	parts := map[string]int{}
	for i := range said {
		for _, found := range regexp.MustCompile(`(?m)^(.*): done;`).FindAllStringSubmatch(said[i].String(), -1) {
			parts[found[1]]++
		}
	}
	if len(parts) != 2+3 && len(parts) != 2+4 && len(parts) != 2+2 { // tasks, and the variants that are healed
		t.Errorf("the parts are %v", parts)
	}
	for part, n := range parts {
		if n != 1 {
			t.Errorf("%s is computed %d times", part, n)
		}
	}
}
