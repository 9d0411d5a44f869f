package report

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is Chromium with a page, what the page complained about and what it asked for.
type browser struct {
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	errors   []string
	requests []string
}

// open opens a page. The test is skipped where there is no Chromium.
func open(t *testing.T, name string) *browser {
	t.Helper()
	var path string
	for _, candidate := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(candidate); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		t.Skip("there is no chromium on the path: nothing looks at the page in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	// A browser that hangs fails its test, where it hangs.
	limited, done := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(done)
	allocator, stop := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(stop)
	ctx, closed := chromedp.NewContext(allocator)
	t.Cleanup(closed)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	run(b, chromedp.Navigate((&url.URL{Scheme: "file", Path: name}).String()))
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.errors = append(b.errors, fmt.Sprintf("console.%v", e.Type))
	case *log.EventEntryAdded:
		b.errors = append(b.errors, fmt.Sprintf("%v: %s", e.Entry.Level, e.Entry.Text))
	case *cdppage.EventJavascriptDialogOpening:
		b.errors = append(b.errors, "a dialog: "+e.Message)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// quiet fails the test if the page complained, or asked for anything but itself.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		b.t.Errorf("the page says: %s", e)
	}
	if len(b.requests) != 1 {
		b.t.Errorf("the page asked for %q, not just for itself", b.requests)
	}
}

func run[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

func evaluate[T any](b *browser, script string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](script))
}

// look shows the page at a width, light or dark, with all figures drawn as wide as they are shown.
func (b *browser) look(width int64, scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500,
	})
	run(b, chromedp.Poll[bool](`[...document.querySelectorAll("[data-figure]")].every((f) => f.firstElementChild && f.firstElementChild.viewBox.baseVal.width === Math.max(f.querySelector(".heat") ? 280 : 260, f.clientWidth))`))
}

// over moves the pointer to the middle of the element that a script gives.
func (b *browser) over(script string) {
	b.t.Helper()
	at := evaluate[[]float64](b, `(() => {
		const node = `+script+`;
		node.scrollIntoView({block: "center", behavior: "instant"});
		const r = node.getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`)
	run(b, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
}

// tip is what the box beside the pointer says, empty where it is hidden.
func (b *browser) tip() string {
	b.t.Helper()
	return evaluate[string](b, `(() => { const t = document.querySelector(".tip"); return t && !t.hidden ? t.innerText : ""; })()`)
}

// wider is how many pixels the page is too wide.
func (b *browser) wider() int {
	b.t.Helper()
	return evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
}

// keep writes a file into the folder that SHALLOW_SCREENSHOTS names, for people.
func (b *browser) keep(name string, data func() []byte) {
	b.t.Helper()
	dir := os.Getenv("SHALLOW_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), data(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) screenshot(name string) {
	b.t.Helper()
	b.keep(name+".png", func() []byte { return run(b, chromedp.FullScreenshot(100)) })
}
