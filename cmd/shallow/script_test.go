package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"shallow/internal/randommodel"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"shallow": main})
}

// TestScripts runs the program as a person does. The scripts have more commands:
//
//	model DIR              writes a random Llama of 16 layers
//	gguf NAME FILE         copies a file of package gguf's testdata
//	adapter DIR            writes the tensors of a PEFT adapter of three layers
//	corpus FILE            writes short texts as .jsonl
//	ids FILE N T           writes N sequences of T token ids as .jsonl
//	code N COMMAND ARG…    runs a command that exits with code N
//	serve ARG…             runs shallow serve in the background until it says its address
//	ask METHOD PATH [BODY] sends the server a request
//	terminate              stops the server with SIGTERM
//	hub REPO DIR           serves a folder as models/owner/name or datasets/owner/name, on a hub of the script's own
//
// Without it there is no network.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Values[serverKey{}] = new(*running)
			return setUpHub(e)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"model": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(randommodel.Write(ts.MkAbs(args[0]), 1))
			},
			"corpus": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(randommodel.WriteCorpus(ts.MkAbs(args[0]), 1))
			},
			"gguf": func(ts *testscript.TestScript, neg bool, args []string) {
				data, err := os.ReadFile("../../gguf/testdata/" + args[0] + ".gguf")
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
			},
			"adapter": writeAdapter,
			"ids":     writeIDs,
			"code":    exitCode,
			"hub":     serveHub,

			"serve":     startServer,
			"ask":       askServer,
			"terminate": terminateServer,
		},
	})
}

func writeIDs(ts *testscript.TestScript, neg bool, args []string) {
	sequences, err := strconv.Atoi(args[1])
	ts.Check(err)
	length, err := strconv.Atoi(args[2])
	ts.Check(err)
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	for range sequences {
		b.WriteString(`{"ids":[1`)
		for range length - 1 {
			fmt.Fprintf(&b, ",%d", r.IntN(256))
		}
		b.WriteString("]}\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == want:
	case err == nil:
		ts.Fatalf("%v succeeded, want exit code %d", args[1:], want)
	default:
		ts.Fatalf("%v: %v, want exit code %d", args[1:], err, want)
	}
}
