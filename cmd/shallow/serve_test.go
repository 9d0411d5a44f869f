package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// running is the server of a script.
type running struct {
	command *exec.Cmd
	url     string
	stderr  bytes.Buffer
}

type serverKey struct{}

// startServer runs shallow serve with the arguments, in the background, until it says its address.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	self, err := os.Executable()
	ts.Check(err)
	r := &running{command: exec.Command(self, append([]string{"serve"}, args...)...)}
	r.command.Args[0] = "shallow" // by this name the test's binary is the program
	r.command.Dir, r.command.Stderr = ts.MkAbs("."), &r.stderr
	for _, name := range []string{"PATH", "HOME", "HF_HOME", "HF_HUB_OFFLINE"} {
		r.command.Env = append(r.command.Env, name+"="+ts.Getenv(name))
	}
	out, err := r.command.StdoutPipe()
	ts.Check(err)
	ts.Check(r.command.Start())
	ts.Defer(func() { _ = r.command.Process.Kill() }) // a script that fails leaves none behind
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, r.url, _ = strings.Cut(strings.TrimSpace(line), " at "); err != nil || r.url == "" {
		_ = r.command.Wait()
		ts.Fatalf("the server said %q (%v): %s", line, err, r.stderr.String())
	}
	*serverOf(ts) = r
}

func serverOf(ts *testscript.TestScript) **running {
	r, ok := ts.Value(serverKey{}).(**running)
	if !ok {
		ts.Fatalf("the script has no server")
	}
	return r
}

// askServer sends a request; the reply goes to stdout. With ! it must be refused.
func askServer(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || *serverOf(ts) == nil {
		ts.Fatalf("usage, behind serve: ask METHOD PATH [BODY]")
	}
	r, err := http.NewRequest(args[0], (*serverOf(ts)).url+args[1], strings.NewReader(strings.Join(args[2:], " ")))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer reply.Body.Close()
	_, err = io.Copy(ts.Stdout(), reply.Body)
	ts.Check(err)
	if neg != (reply.StatusCode >= http.StatusBadRequest) {
		ts.Fatalf("%v: status %d", args, reply.StatusCode)
	}
}

// terminateServer stops the server with SIGTERM; it must end with exit code 0. What it wrote to stderr goes there.
func terminateServer(ts *testscript.TestScript, _ bool, _ []string) {
	r := *serverOf(ts)
	ts.Check(r.command.Process.Signal(syscall.SIGTERM))
	err := r.command.Wait()
	_, _ = io.Copy(ts.Stderr(), &r.stderr)
	if err != nil {
		ts.Fatalf("the server ended with %v: %s", err, r.stderr.String())
	}
}
