package manual

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// program has a flag and an argument of every kind, and texts that roff and the shells would take for their own.
type program struct {
	Eval  evalCommand `cmd:"" help:"Score a model: its worth."`
	Cut   cutCommand  `cmd:"" help:"Cut 'layers' out."`
	Ghost struct{}    `cmd:"" hidden:"" help:"Not shown."`
}

type evalCommand struct {
	Model     string   `arg:"" help:"Model [or id]."`
	Text      string   `arg:"" optional:"" help:"Text."`
	Tasks     []string `required:"" help:"Tasks: mmlu." placeholder:"NAMES"`
	Output    string   `short:"o" help:"Directory for $HOME's \"results\"; not \\n." placeholder:"DIR"`
	Plan      string   `help:"plan.json, d(ℓ, n)." placeholder:"FILE"`
	Precision string   `help:"Kind." enum:"auto,bfloat16,float32" default:"auto" placeholder:"KIND"`
	Split     string   `help:"Ends." enum:"none,blank" default:"none"`
	Data      []string `help:"Data." sep:"none" placeholder:"DIR"`
	Limit     int      `help:"Documents; 0 is all." default:"0"`
	Seed      int      `help:"Seed." default:"7"`
	Key       string   `env:"EVAL_KEY" help:"Key." placeholder:"KEY"`
	JSON      bool     `name:"json" help:".json on stdout."`
	Secret    bool     `hidden:""`
}

func (evalCommand) Help() string {
	return `Scores [21, 29) of a model,
in two lines.

.Dots, 'quotes' and \slashes begin no request.

Examples:

  shallow eval model --tasks mmlu
    .indented 'more'
`
}

type cutCommand struct {
	Shell string `arg:"" enum:"bash,zsh"`
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&program{}, kong.Name("shallow"), kong.Description("Makes models shallower."))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// TestGolden compares with files that were read by a person. UPDATE_GOLDEN=1 writes them anew.
func TestGolden(t *testing.T) {
	pages, err := Pages(model(t), "shallow 1.0", Section{"Exit status", [][2]string{{"0", "Done."}}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, p := range pages {
		got[p.Name] = p.Text
	}
	if len(got) != 3 {
		t.Errorf("%d pages, want the program's and those of eval and cut", len(got))
	}
	delete(got, "shallow-cut.1")
	for name, write := range scripts {
		script, err := write(model(t))
		if err != nil {
			t.Fatal(err)
		}
		got["completion."+name] = script
	}
	for name, text := range got {
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want) {
			t.Errorf("%s differs from testdata:\n%s", name, text)
		}
	}
}

var scripts = map[string]func(*kong.Application) ([]byte, error){"bash": Bash, "zsh": Zsh, "fish": Fish}

// TestPagesRender gives the pages to groff, which must have nothing to say, and looks for the texts in what a reader sees.
func TestPagesRender(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not here: the pages are compared with testdata only")
	}
	pages, err := Pages(model(t), "shallow 1.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		var out, said bytes.Buffer
		c := exec.Command(groff, "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u")
		c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(p.Text), &out, &said
		if err := c.Run(); err != nil || said.Len() > 0 {
			t.Errorf("%s: groff: %v\n%s", p.Name, err, &said)
		}
		if p.Name != "shallow-eval.1" {
			continue
		}
		for _, want := range []string{
			"--tasks=NAMES", "plan.json, d(ℓ, n).", `$HOME's "results"; not \n.`, `'quotes' and \slashes`,
			"  .indented 'more'", "The default is 7.", "One of auto, bfloat16, float32.", "EVAL_KEY",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s does not show %q:\n%s", p.Name, want, &out)
			}
		}
	}
}

func TestNestedCommandsAreRefused(t *testing.T) {
	var nested struct {
		A struct {
			B struct{} `cmd:""`
		} `cmd:""`
	}
	parser, err := kong.New(&nested, kong.Name("p"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pages(parser.Model, ""); err == nil || !strings.Contains(err.Error(), "a has commands of its own") {
		t.Errorf("Pages: %v", err)
	}
	for name, write := range scripts {
		if _, err := write(parser.Model); err == nil {
			t.Errorf("%s wrote half a tree", name)
		}
	}
}
