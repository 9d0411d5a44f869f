package manual

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completed are the command lines that every shell must complete; what is there is named a, b.json and c/.
var completed = []struct {
	line string
	want []string
}{
	{"shallow ev", []string{"eval"}},
	{"shallow ", []string{"cut", "eval"}},
	{"shallow eval --pre", []string{"--precision"}},
	{"shallow eval --precision ", []string{"auto", "bfloat16", "float32"}},
	{"shallow eval --precision b", []string{"bfloat16"}},
	{"shallow eval --split=n", []string{"none"}},
	{"shallow cut z", []string{"zsh"}},
	{"shallow eval --plan b.", []string{"b.json"}},
	{"shallow eval --limit ", nil},
	{"shallow eval --output ", []string{"c"}},
	{"shallow eval -o ", []string{"c"}},
	{"shallow eval b", []string{"b.json"}},
	{"shallow eval x --js", []string{"--json"}},
}

// shell finds a shell, and a folder with the script of it and some files.
func shell(t *testing.T, name string) (path, dir string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not here: its script is compared with testdata only", name)
	}
	script, err := scripts[name](model(t))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, text := range map[string]string{"script": string(script), "files/a": "", "files/b.json": "", "files/c/d": ""} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return path, dir
}

// TestBash does what readline does at Tab: it splits the line at blanks and equals signs, calls the function, and completes
// paths itself where the reply is empty and the function has not said otherwise.
func TestBash(t *testing.T) {
	bash, dir := shell(t, "bash")
	if exec.Command(bash, "-c", "((BASH_VERSINFO[0] >= 4))").Run() != nil {
		t.Skip("this bash is older than 4 and has no compopt, which the test stands in for")
	}
	const tab = `
. ../script
declare -A option=([default]=1)
compopt() { while (($#)); do case $1 in -o) option[$2]=1 ;; +o) unset "option[$2]" ;; esac; shift 2; done; }
line=$1
COMP_WORDS=(${line//=/ = })
if [[ $line == *[\ =] ]]; then COMP_WORDS+=(""); fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shallow
word=${COMP_WORDS[COMP_CWORD]}
if ((${#COMPREPLY[@]})); then printf '%s\n' "${COMPREPLY[@]}"
elif [[ ${option[dirnames]} ]]; then compgen -d -- "$word"
elif [[ ${option[default]} ]]; then compgen -f -- "$word"
fi
complete -p shallow | grep -q -- '-o default.* -F _shallow shallow' || echo not registered`
	for _, c := range completed {
		run := exec.Command(bash, "--norc", "--noprofile", "-c", tab, "bash", c.line)
		run.Dir = filepath.Join(dir, "files")
		check(t, run, c.line, c.want)
	}
}

// TestFish asks fish, which completes without a terminal. What it offers is one a line with its help behind a tab.
func TestFish(t *testing.T) {
	fish, dir := shell(t, "fish")
	for _, c := range completed {
		run := exec.Command(fish, "--no-config", "-c", `source ../script; complete -C "$argv[1]" | string replace -r '\t.*' '' | string replace -r '/$' '' | string replace -r '^--.*=' ''; true`, c.line)
		run.Dir = filepath.Join(dir, "files")
		run.Env = append(os.Environ(), "HOME="+dir)
		check(t, run, c.line, c.want)
	}
}

// TestZsh loads the script: zsh completes on a terminal only, and what one shows depends on how fast it is.
func TestZsh(t *testing.T) {
	zsh, dir := shell(t, "zsh")
	if out, err := exec.Command(zsh, "-n", filepath.Join(dir, "script")).CombinedOutput(); err != nil {
		t.Fatalf("zsh -n: %v\n%s", err, out)
	}
	run := exec.Command(zsh, "-f", "-c", `autoload -U compinit; compinit -D -u; . ../script; print $_comps[shallow]; whence -w $_comps[shallow]`)
	run.Dir = filepath.Join(dir, "files")
	run.Env = append(os.Environ(), "HOME="+dir, "TERM=dumb")
	if out, err := run.CombinedOutput(); err != nil || !strings.Contains(string(out), ": function") {
		t.Errorf("no function completes shallow: %v\n%s", err, out)
	}
}

func check(t *testing.T, run *exec.Cmd, line string, want []string) {
	t.Helper()
	out, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%q: %v\n%s", line, err, out)
		return
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	got = slices.Compact(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q completes to %q, want %q", line, got, want)
	}
}
