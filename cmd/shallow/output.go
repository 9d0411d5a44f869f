package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/term"
)

// printJSON writes one value to stdout, indented.
func printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n", data)
	return err
}

// note writes a line to stderr that is neither result nor error.
func note(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }

// isTerminal reports whether a person sees what is written to f.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// terminalWidth is the number of columns of the terminal behind stdout, 0 if there is none.
func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}
