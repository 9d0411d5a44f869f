package main

import (
	"fmt"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a run is: a bar on a terminal, a line now and then elsewhere, nothing where quiet is asked for.
// What is counted are rows through layers; what is shown are tokens through the model.
type progress struct {
	name   string
	layers int64

	bars *mpb.Progress
	bar  *mpb.Bar

	began       time.Time
	first, done int64 // at the begin, and now
	total       int64
	line        time.Time // of the last line
}

// betweenLines is how long a run that writes to a file is silent.
const betweenLines = 5 * time.Second

// newProgress begins to show a run through a number of layers. It is nil, and shows nothing, if quiet.
func newProgress(name string, layers int, quiet bool) *progress {
	if quiet {
		return nil
	}
	p := &progress{name: name, layers: int64(max(layers, 1))}
	if isTerminal(os.Stderr) {
		p.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(72))
	}
	return p
}

// report says that done of total rows times layers are through. The first call says where the run begins.
func (p *progress) report(done, total int64) {
	if p == nil {
		return
	}
	if p.began.IsZero() {
		p.began, p.first, p.total = time.Now(), done, total
		p.line = p.began
		if p.bars != nil {
			p.bar = p.bars.AddBar(total,
				mpb.PrependDecorators(decor.Name(p.name+" "), decor.Percentage()),
				mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return " " + p.rate(s.Current) })))
		}
	}
	p.done = done
	if p.bar != nil {
		p.bar.SetCurrent(done)
	} else if now := time.Now(); now.Sub(p.line) >= betweenLines {
		p.line = now
		note("%s %d %%, %s", p.name, 100*done/max(total, 1), p.rate(done))
	}
}

// rate is the tokens a second since the run began, and the time that is left at that rate.
func (p *progress) rate(done int64) string {
	seconds := time.Since(p.began).Seconds()
	if done <= p.first || seconds <= 0 {
		return ""
	}
	rate := float64(done-p.first) / seconds
	left := time.Duration(float64(p.total-done)/rate) * time.Second
	tokens := rate / float64(p.layers)
	if tokens < 100 {
		return fmt.Sprintf("%.1f tokens/s, %v left", tokens, left)
	}
	return fmt.Sprintf("%.0f tokens/s, %v left", tokens, left)
}

// close takes the bar away, finished or not.
func (p *progress) close() {
	if p == nil || p.bars == nil {
		return
	}
	if p.bar != nil && !p.bar.Completed() {
		p.bar.Abort(false)
	}
	p.bars.Wait()
}
