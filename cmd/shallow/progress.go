package main

import (
	"fmt"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a run is: a bar on a terminal, a line now and then elsewhere, nothing where quiet is asked for.
type progress struct {
	name string
	unit func(perSecond float64) string // what is counted, as "90.5 tokens/s"; "" for steps that say nothing

	bars *mpb.Progress
	bar  *mpb.Bar

	began       time.Time
	first, done int64 // at the begin, and now
	total       int64
	line        time.Time // of the last line
}

// betweenLines is how long a run that writes to a file is silent.
const betweenLines = 5 * time.Second

// newTokenProgress begins to show a run that counts rows times layers, as tokens through that many layers.
func newTokenProgress(name string, layers int, quiet bool) *progress {
	return newProgress(name, quiet, func(rate float64) string {
		rate /= float64(max(layers, 1))
		if rate < 100 {
			return fmt.Sprintf("%.1f tokens/s", rate)
		}
		return fmt.Sprintf("%.0f tokens/s", rate)
	})
}

// newByteProgress begins to show a run that counts bytes.
func newByteProgress(name string, quiet bool) *progress {
	return newProgress(name, quiet, func(rate float64) string { return byteSize(rate).String() + "/s" })
}

// newProgress is nil, and shows nothing, if quiet.
func newProgress(name string, quiet bool, unit func(float64) string) *progress {
	if quiet {
		return nil
	}
	p := &progress{name: name, unit: unit}
	if isTerminal(os.Stderr) {
		p.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(72))
	}
	return p
}

// report says that done of total are through. The first call says where the run begins.
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

// rate is the speed since the run began, and the time that is left at it.
func (p *progress) rate(done int64) string {
	seconds := time.Since(p.began).Seconds()
	if done <= p.first || seconds <= 0 {
		return ""
	}
	rate := float64(done-p.first) / seconds
	left := time.Duration(float64(p.total-done)/rate) * time.Second
	text := fmt.Sprintf("%v left", left)
	if speed := p.unit(rate); speed != "" {
		text = speed + ", " + text
	}
	return text
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
