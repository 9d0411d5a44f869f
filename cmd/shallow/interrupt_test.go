package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"shallow/internal/randommodel"
)

// TestInterrupt stops a measurement as Ctrl-C does.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C there")
	}
	dir := t.TempDir()
	model, corpus, out := filepath.Join(dir, "m"), filepath.Join(dir, "c.jsonl"), filepath.Join(dir, "run")
	if err := randommodel.Write(model, 1); err != nil {
		t.Fatal(err)
	}
	line := `{"ids":[1` + strings.Repeat(",7", 511) + "]}\n"
	if err := os.WriteFile(corpus, []byte(strings.Repeat(line, 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "measure", model, "--corpus", corpus, "--samples", "0", "-o", out)
	c.Args[0] = "shallow" // by this name the test's binary is the program
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "sequences of") {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want exit code %d", err, exitInterrupted)
	}
	if len(said) == 0 || said[len(said)-1] != "shallow: stopped" {
		t.Errorf("said %q, want shallow: stopped at the end", said)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "measure.journal" {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}
