package heal

import "math"

// Schedule is a learning rate that rises in a line from 0 and falls along half a cosine to 0, as transformers'
// get_cosine_schedule_with_warmup.
type Schedule struct {
	Peak   float64 // the rate of step Warmup
	Warmup int     // steps
	Steps  int     // of the whole training
}

// DefaultWarmup is the warm-up of a training of so many steps: the paper's 100 steps, but not more than a tenth.
func DefaultWarmup(steps int) int { return min(100, (steps+9)/10) }

// Rate is the learning rate of a step, counted from 0.
func (s Schedule) Rate(step int) float64 {
	if step < s.Warmup {
		return s.Peak * (float64(step) / float64(s.Warmup))
	}
	progress := float64(step-s.Warmup) / float64(max(1, s.Steps-s.Warmup))
	return s.Peak * (1 + math.Cos(math.Pi*min(progress, 1))) / 2
}
