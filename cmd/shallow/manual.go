package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"shallow/internal/atomicfile"
	"shallow/internal/manual"
)

type manCommand struct {
	Output string `arg:"" name:"dir" help:"Directory for the pages, as /usr/local/share/man/man1." placeholder:"DIR"`
}

// Help shows an example.
func (manCommand) Help() string {
	return `Writes shallow.1 and a page for every command, made from the same texts as --help.

Examples:

  shallow man ~/.local/share/man/man1
  man shallow-eval
`
}

// Run writes the pages.
func (c *manCommand) Run(command *kong.Context) error {
	pages, err := manual.Pages(command.Model, "shallow "+version, manualSections...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Output, 0o777); err != nil {
		return fmt.Errorf("man: %w", err)
	}
	for _, p := range pages {
		if err := atomicfile.Write(filepath.Join(c.Output, p.Name), p.Text); err != nil {
			return fmt.Errorf("man: %w", err)
		}
	}
	return nil
}

// manualSections are what shallow.1 says beyond the command tree.
var manualSections = []manual.Section{
	{Title: "Environment", Items: [][2]string{
		{"HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE", "Where models and data sets of the hub are kept and fetched from, as for Hugging Face's own libraries."},
		{"SHALLOW_CPU", "Level of instructions that computes: generic, avx2, avx512 or avx512bf16. Without it the best that the processor has."},
	}},
	{Title: "Exit status", Items: [][2]string{
		{"0", "It is done."},
		{fmt.Sprint(exitError), "It failed; the last line on stderr says why."},
		{fmt.Sprint(exitUsage), "The command line is wrong."},
		{fmt.Sprint(exitInterrupted), "It was stopped by Ctrl-C or SIGTERM."},
	}},
}

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

// Help shows how a script is installed.
func (completionCommand) Help() string {
	return `Prints a script that completes commands, flags and their values.

Examples:

  source <(shallow completion bash)                                   # in ~/.bashrc
  shallow completion zsh > ~/.zfunc/_shallow                          # with fpath+=~/.zfunc before compinit
  shallow completion fish > ~/.config/fish/completions/shallow.fish
`
}

// Run prints the script.
func (c *completionCommand) Run(command *kong.Context) error {
	write := map[string]func(*kong.Application) ([]byte, error){"bash": manual.Bash, "zsh": manual.Zsh, "fish": manual.Fish}
	script, err := write[c.Shell](command.Model)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(script)
	return err
}
