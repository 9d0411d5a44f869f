package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"shallow/internal/manual"
)

// TestManualPages renders the page of every command: groff must have nothing to say.
func TestManualPages(t *testing.T) {
	parser, err := kong.New(&program{}, kong.Name("shallow"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := manual.Pages(parser.Model, "shallow "+version, manualSections...)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 1+len(parser.Model.Children) {
		t.Errorf("%d pages for %d commands", len(pages), len(parser.Model.Children))
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not here: pages are written, not rendered")
	}
	for _, p := range pages {
		c := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		c.Stdin = bytes.NewReader(p.Text)
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: groff: %v\n%s", p.Name, err, out)
		}
	}
}

// TestBashCompletion sources the script in bash, as a person's .bashrc does.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not here")
	}
	parser, err := kong.New(&program{}, kong.Name("shallow"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	script, err := manual.Bash(parser.Model)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{"shallow ev": "eval", "shallow eval --num": "--num-fewshot", "shallow eval --precision f": "float32"} {
		c := exec.Command(bash, "--norc", "-c", `eval "$1"; COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shallow 2> /dev/null; echo "${COMPREPLY[@]}"`, "bash", string(script), line)
		out, err := c.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q, %v; want %q", line, got, err, want)
		}
	}
}
