package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// buildCommand is how the program is built for people, here and in the Dockerfile. The version control's stamp is left out: a
// source archive has none, and must give the same bytes.
func buildCommand(output string) []string {
	return []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", output, "./cmd/shallow"}
}

// settings are what the Go command would otherwise take from the builder. The oldest level of each processor is the one that
// runs everywhere; kernels choose their instructions when they start.
var settings = []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0"}

// environment is the environment of a build for a platform.
func environment(system, processor string) []string {
	env := append(os.Environ(), settings...)
	return append(env, "GOOS="+system, "GOARCH="+processor)
}

// linkedLicences are the texts that come with the modules that are linked into the program, and Go's own: what is built from
// them must carry them.
func linkedLicences(env []string) ([]byte, error) {
	out, err := run(env, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/shallow")
	if err != nil {
		return nil, err
	}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	root, err := run(env, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules = append(modules, "Go\t"+strings.TrimSpace(string(root)))
	slices.Sort(modules)
	var b bytes.Buffer
	for _, m := range slices.Compact(modules) {
		name, dir, _ := strings.Cut(m, "\t")
		if name == "" {
			continue
		}
		texts, err := licenceFiles(dir)
		if err != nil {
			return nil, err
		}
		if len(texts) == 0 {
			return nil, fmt.Errorf("%s has no licence in its root directory", name)
		}
		for _, text := range texts {
			data, err := os.ReadFile(filepath.Join(dir, text))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "%s\n%s: %s\n%[1]s\n\n%s\n\n", strings.Repeat("-", 100), name, text, bytes.TrimSpace(data))
		}
	}
	return b.Bytes(), nil
}

func licenceFiles(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		for _, word := range []string{"LICENSE", "LICENCE", "UNLICENSE", "COPYING", "NOTICE", "PATENTS"} {
			if e.Type().IsRegular() && strings.HasPrefix(upper, word) {
				names = append(names, e.Name())
				break
			}
		}
	}
	return names, nil
}
