package main

import (
	"fmt"
	"path/filepath"

	"shallow/report"
)

type reportCommand struct {
	Dir    string `arg:"" name:"dir" help:"What sweep or run wrote, its directory; or what measure wrote."`
	Output string `short:"o" help:"Page to write; report.html in DIR, if not given." placeholder:"FILE.html"`
	Quiet  bool   `short:"q" help:"Print nothing but the page's name."`
}

// Help shows examples.
func (reportCommand) Help() string {
	return `Writes one HTML page that needs no network, and its figures as PNG and SVG beside it: the heat map with the block of every n,
accuracy and loss against the share of layers dropped, what is saved, where quality is lost, and every number in tables. A sweep
that is not through gives a page of what there is.

Examples:

  shallow report sweep
  shallow report sweep -o llama-2-7b.html
`
}

// Run writes the page and prints what it found.
func (c *reportCommand) Run() error {
	r, err := report.Read(c.Dir)
	if err != nil {
		return err
	}
	name := c.Output
	if name == "" {
		name = filepath.Join(c.Dir, "report.html")
	}
	if err := report.Write(name, r); err != nil {
		return err
	}
	if !c.Quiet {
		for _, sentence := range report.Findings(r) {
			fmt.Println(sentence)
		}
	}
	fmt.Println(name)
	return nil
}
