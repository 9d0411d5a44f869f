// Command gen writes one family of package cpu's kernels as Go assembly:
//
//	go run . products -out ../products_amd64.s -stubs ../products_amd64.go -pkg cpu
//
// Each family is a file of this module that registers its generator in init.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	. "github.com/mmcloughlin/avo/build"
)

// generators are the families by name.
var generators = map[string]func(){}

func main() {
	if len(os.Args) < 2 || generators[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: gen %v [flags of avo]\n", slices.Sorted(maps.Keys(generators)))
		os.Exit(2)
	}
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil { // avo's own flags
		os.Exit(2)
	}
	ConstraintExpr("amd64")
	generators[os.Args[1]]()
	Generate()
}
