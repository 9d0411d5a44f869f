package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"shallow/sweep"
)

func written(t *testing.T, r *sweep.Result) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "report.html")
	if err := Write(name, r); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPageInBrowser(t *testing.T) {
	r := fixture(t)
	b := open(t, written(t, r))
	figures := len(build(r).figures())
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			b.look(width, scheme)
			b.fits(width, figures)
			b.screenshot(fmt.Sprintf("%d-%s", width, scheme))
		}
	}
	if ground := evaluate[string](b, `getComputedStyle(document.documentElement).backgroundColor`); ground != "rgb(20, 23, 27)" {
		t.Errorf("the dark page's ground is %s", ground)
	}
	b.look(1280, "light")
	testPointer(t, b)
	testKeyboard(t, b)
	testSwitch(t, b)
	testTables(t, b)
	testPrint(t, b)
	b.quiet()
}

// fits checks that every figure is drawn, that nothing is wider than the page and that no label leaves its figure.
func (b *browser) fits(width int64, figures int) {
	b.t.Helper()
	if n := evaluate[int](b, `document.querySelectorAll("svg.chart").length`); n != figures {
		b.t.Errorf("%d wide: %d figures are drawn, not %d", width, n, figures)
	}
	if by := b.wider(); by > 0 {
		b.t.Errorf("the page is %d pixels wider than %d", by, width)
	}
	if cut := evaluate[[]string](b, `[...document.querySelectorAll("svg.chart text")].filter((e) => {
		const t = e.getBoundingClientRect(), s = e.closest("svg").getBoundingClientRect();
		return t.left < s.left - 1 || t.right > s.right + 1 || t.top < s.top - 1 || t.bottom > s.bottom + 1;
	}).map((e) => e.textContent)`); len(cut) > 0 {
		b.t.Errorf("%d wide: labels leave their figures: %q", width, cut)
	}
}

func testPointer(t *testing.T, b *browser) {
	b.over(`document.querySelectorAll("#accuracy-mmlu .point")[31]`)
	text := b.tip()
	for _, want := range []string{"similarity, healed: qlora", "n = 7 of 32 layers (22 %)\nwithout [22, 29), distance 0.", "acc 0.", "±"} {
		if !strings.Contains(text, want) {
			t.Errorf("over a point the page shows %q, without %q", text, want)
		}
	}
	b.screenshot("hover")
	b.over(`document.querySelector("#heatmap .cell")`)
	if text := b.tip(); !strings.Contains(text, "ℓ = 0, n = 1: layer 0") || !strings.Contains(text, "distance 0.") {
		t.Errorf("over the heat map's first cell the page shows %q", text)
	}
	run(b, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 2, 2))
	if text := b.tip(); text != "" {
		t.Errorf("beside a figure the page still shows %q", text)
	}
}

func testKeyboard(t *testing.T, b *browser) {
	press := func(key, want string) {
		t.Helper()
		run(b, chromedp.KeyEvent(key))
		got := evaluate[string](b, `document.activeElement.getAttribute("aria-label") ?? ""`)
		if !strings.Contains(got, want) {
			t.Errorf("after a key the focused point is read as %q, without %q", got, want)
		}
	}
	if stops := evaluate[int](b, `document.querySelectorAll("#heatmap svg [tabindex='0']").length`); stops != 1 {
		t.Errorf("the heat map has %d stops for the keyboard, not one", stops)
	}
	run(b, chromedp.Focus(chromedp.CSS(`#heatmap svg [tabindex='0']`)))
	press(kb.ArrowRight, "ℓ = 1, n = 1: layer 1; distance")
	press(kb.ArrowUp, "ℓ = 1, n = 2: layers 1 to 2; distance")
	press(kb.Home, "chosen by similarity, and scored")

	run(b, chromedp.Focus(chromedp.CSS(`#accuracy-mmlu svg [tabindex='0']`)))
	press(kb.ArrowLeft, "unpruned, unhealed; acc 0.4")
	press(kb.ArrowRight, "similarity, unhealed; n = 1 of 32")
	press(kb.ArrowDown, "similarity, healed: qlora; n = 1 of 32")
	if text := b.tip(); !strings.Contains(text, "n = 1 of 32") {
		t.Errorf("at a focused point the page shows %q", text)
	}
	press(kb.Escape, "similarity, healed: qlora; n = 1 of 32")
	if text := b.tip(); text != "" {
		t.Errorf("after Escape the page shows %q", text)
	}
	press(kb.End, "n = 24 of 32")
}

func testSwitch(t *testing.T, b *browser) {
	fills := func() []string {
		return evaluate[[]string](b, `[...document.querySelectorAll("#heatmap .cell")].map((c) => c.getAttribute("fill"))`)
	}
	before := fills()
	run(b, chromedp.Click(chromedp.CSS(`#heatmap input[value="absolute"]`)))
	if slices.Equal(fills(), before) {
		t.Error("the switch leaves the heat map's colours as they were")
	}
	if got := evaluate[string](b, `document.querySelector("#heatmap .ramp text").textContent`); !strings.HasPrefix(got, "0.") {
		t.Errorf("the scale begins at %q, not at the least distance", got)
	}
	run(b, chromedp.Click(chromedp.CSS(`#heatmap input[value="row"]`)))
	if !slices.Equal(fills(), before) {
		t.Error("the switch back does not give the first colours")
	}
}

func testTables(t *testing.T, b *browser) {
	run(b, chromedp.Click(chromedp.ID("tables")))
	if closed := evaluate[int](b, `document.querySelectorAll("details:not([open])").length`); closed != 0 {
		t.Errorf("%d tables stay closed", closed)
	}
	if by := b.wider(); by > 0 {
		t.Errorf("with open tables the page is %d pixels too wide", by)
	}
	b.screenshot("tables")
	b.look(390, "light")
	if by := b.wider(); by > 0 {
		t.Errorf("with open tables the narrow page is %d pixels too wide", by)
	}
	b.screenshot("tables-390")
	b.look(1280, "light")
	run(b, chromedp.Click(chromedp.ID("tables")))
}

func testPrint(t *testing.T, b *browser) {
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	pdf := run(b, chromedp.PrintToPDF())
	if !strings.HasPrefix(string(pdf), "%PDF-") || len(pdf) < 50_000 {
		t.Errorf("printing gives %d bytes", len(pdf))
	}
	b.keep("print.pdf", func() []byte { return pdf })
}

// TestHostileNames shows a page whose model, tasks, healings and files are called so that they would run.
func TestHostileNames(t *testing.T) {
	const script = `</script><script>alert(1)</script>`
	const image = `"'><img src=x onerror=alert(1)>{{.}}`
	r := fixture(t)
	r.Tool, r.Spec = script, []byte(`{"x":"</script><!--<script>alert(1)"}`)
	r.Models[0].Name, r.Models[0].Type = script, image
	r.Models[0].Distances.Model.Name = image
	r.Healings[0].Name, r.Healings[0].Settings = image, map[string]string{image: script}
	for i := range r.Cells {
		c := &r.Cells[i]
		c.Model = script
		c.Settings.Data = map[string]string{image: script}
		if c.Healing != sweep.Unhealed {
			c.Healing = image
		}
		if c.Task == "mmlu" {
			c.Task, c.Metrics[0].Metric = image, script
		}
	}
	b := open(t, written(t, r))
	b.look(390, "light")
	b.fits(390, len(build(r).figures()))
	if n := evaluate[int](b, `document.querySelectorAll("img, script:not([type]) ~ script").length`); n != 0 {
		t.Errorf("%d elements came out of names", n)
	}
	if title := evaluate[string](b, `document.querySelector("h1").textContent`); title != script+" without some layers" {
		t.Errorf("the title is %q", title)
	}
	b.over(`document.querySelectorAll("#accuracy-img-src-x-onerror-alert-1 .point")[3]`)
	if text := b.tip(); !strings.Contains(text, script) {
		t.Errorf("over a point the page shows %q", text)
	}
	b.quiet()
}

// TestComplaints shows that a page which complains, or asks for something, is noticed.
func TestComplaints(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.html")
	page := `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src file:"><body><img src="absent.png"><p style="color:red">x</p><script>alert(1)</script>`
	if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	b := open(t, name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) < 3 || len(b.requests) < 2 {
		t.Errorf("errors %q and requests %q were noticed", b.errors, b.requests)
	}
}

// TestOddPages shows pages of results that are not like the paper's.
func TestOddPages(t *testing.T) {
	small := small(t)
	one := fixture(t)
	one.Cells = one.Cells[:1]
	for name, r := range map[string]*sweep.Result{"two models": small, "one cell": one} {
		t.Run(name, func(t *testing.T) {
			b := open(t, written(t, r))
			for _, width := range []int64{1280, 390} {
				b.look(width, "light")
				b.fits(width, len(build(r).figures()))
				b.screenshot(fmt.Sprintf("%s-%d", slug(name), width))
			}
			b.quiet()
		})
	}
}
