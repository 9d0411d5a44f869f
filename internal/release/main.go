// Command release makes the files of a release: an archive for every platform with the program, its manual pages, its shell
// completions, the licences of all that is linked into it, and SHA256SUMS over the archives.
//
//	go run ./internal/release
//	go run ./internal/release -platforms linux/amd64 -o out
//
// The same source and the same Go give the same bytes, wherever and whenever it runs: no paths (-trimpath), no commit or clock in
// the program or the archives, and none of a builder's own settings.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// platforms are those that a release is made for.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	list := flag.String("platforms", platforms, "platforms to build for, each as GOOS/GOARCH")
	dir := flag.String("o", "dist", "directory for the archives and SHA256SUMS")
	vet := flag.Bool("vet", true, "run go vet over everything for each platform first")
	flag.Parse()
	if err := release(strings.Split(*list, ","), *dir, *vet); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release works in the module's root directory.
func release(platforms []string, dir string, vet bool) error {
	if _, err := os.Stat("cmd/shallow"); err != nil {
		return errors.New("run it in the root directory of the source, as go run ./internal/release")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	version, shared, err := papers(work)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, p := range platforms {
		system, processor, ok := strings.Cut(p, "/")
		if !ok {
			return fmt.Errorf("%q is no platform: write it as linux/amd64", p)
		}
		if vet {
			if _, err := run(environment(system, processor), "go", "vet", "./..."); err != nil {
				return err
			}
		}
		archive, err := pack(work, system, processor, version, shared)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(archive.data), archive.name)
		if err := os.WriteFile(filepath.Join(dir, archive.name), archive.data, 0o666); err != nil {
			return err
		}
		fmt.Printf("%s %.1f MB\n", filepath.Join(dir, archive.name), float64(len(archive.data))/1e6)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o666)
}

// pack builds for a platform and puts the program with its papers into one archive: zip for Windows, tar.gz for the others.
func pack(work, system, processor, version string, shared []file) (file, error) {
	program := "shallow"
	if system == "windows" {
		program += ".exe"
	}
	env := environment(system, processor)
	built := filepath.Join(work, program)
	if _, err := run(env, buildCommand(built)...); err != nil {
		return file{}, err
	}
	data, err := os.ReadFile(built)
	if err != nil {
		return file{}, err
	}
	licences, err := linkedLicences(env)
	if err != nil {
		return file{}, err
	}
	files := append([]file{{name: program, data: data, program: true}, {name: "LICENSES-OF-PARTS.txt", data: licences}}, shared...)
	root := fmt.Sprintf("shallow-%s-%s-%s", version, system, processor)
	if system == "windows" {
		data, err = zipped(root, files)
		return file{name: root + ".zip", data: data}, err
	}
	data, err = tarred(root, files)
	return file{name: root + ".tar.gz", data: data}, err
}

// papers are the files that every archive has; a build for this machine writes the pages and scripts, and tells the version.
func papers(work string) (version string, files []file, err error) {
	own := filepath.Join(work, "own")
	if runtime.GOOS == "windows" {
		own += ".exe"
	}
	if _, err := run(environment(runtime.GOOS, runtime.GOARCH), buildCommand(own)...); err != nil {
		return "", nil, err
	}
	said, err := run(nil, own, "--version")
	if err != nil {
		return "", nil, err
	}
	version = strings.TrimPrefix(strings.TrimSpace(string(said)), "shallow ")
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", nil, err
		}
		files = append(files, file{name: name, data: data})
	}
	pages := filepath.Join(work, "man")
	if _, err := run(nil, own, "man", pages); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(pages, e.Name()))
		if err != nil {
			return "", nil, err
		}
		files = append(files, file{name: "man/man1/" + e.Name(), data: data})
	}
	// The names under which each shell looks for its script.
	for _, script := range [][2]string{{"bash", "shallow.bash"}, {"zsh", "_shallow"}, {"fish", "shallow.fish"}} {
		data, err := run(nil, own, "completion", script[0])
		if err != nil {
			return "", nil, err
		}
		files = append(files, file{name: "completions/" + script[1], data: data})
	}
	return version, files, nil
}

// run runs a command and gives what it prints; what it says of an error becomes the error's text. env nil is this process's.
func run(env []string, command ...string) ([]byte, error) {
	c := exec.Command(command[0], command[1:]...)
	c.Env = env
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, said.String())
	}
	return out, nil
}
