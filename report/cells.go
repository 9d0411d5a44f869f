package report

import (
	"math"
	"slices"
	"strings"

	"shallow/sweep"
)

// sort is what a task's score means to the page.
type sort int

const (
	choice     sort = iota // an answer among given ones
	generation             // an answer the model writes
	loss                   // how badly text is predicted
	other                  // no score that a figure shows
)

// subject is a task with everything that a sweep found of one model in it.
type subject struct {
	task    string
	sort    sort
	metric  string
	dense   *sweep.Cell // of the unpruned model, nil where the sweep has not scored it
	curves  []curve
	numeric func(*sweep.Cell) (score, bool)
}

// curve is one strategy's cells of one healing, n ascending.
type curve struct {
	strategy, healing string
	cells             []*sweep.Cell
}

// score is a value with its standard error, 0 where none is known.
type score struct{ value, stderr float64 }

// subjects sorts a model's cells by task, and each task's by strategy and healing.
func subjects(r *sweep.Result, m *sweep.Model) []*subject {
	var all []*subject
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Model != m.Name {
			continue
		}
		at := slices.IndexFunc(all, func(s *subject) bool { return s.task == c.Task })
		if at < 0 {
			at = len(all)
			all = append(all, &subject{task: c.Task, sort: other})
		}
		if all[at].sort == other { // so far: the unpruned model's cell lacks scores that compare with it
			all[at].judge(c, m)
		}
		all[at].add(c)
	}
	for _, s := range all {
		s.order(r)
	}
	return all
}

// judge decides from a cell what a task's score means.
func (s *subject) judge(c *sweep.Cell, m *sweep.Model) {
	switch c.Kind {
	case "loglikelihood_rolling", "next_token_loss":
		s.sort, s.metric = loss, "loss / ln V"
		s.numeric = func(c *sweep.Cell) (score, bool) { return normalised(c, m.Vocabulary) }
	case "generate_until", "continuation":
		s.sort = generation
	default:
		s.sort = choice
	}
	if s.sort == loss {
		return
	}
	// The main metric comes first; a perplexity may stand before an accuracy.
	i := slices.IndexFunc(c.Metrics, func(x sweep.Metric) bool { return x.HigherIsBetter != nil && *x.HigherIsBetter })
	if i < 0 {
		s.sort, s.metric = other, ""
		return
	}
	main := c.Metrics[i]
	s.metric = main.Metric
	if main.Filter != "" && main.Filter != "none" {
		s.metric += ", " + main.Filter
	}
	s.numeric = func(c *sweep.Cell) (score, bool) { return named(c, main.Metric, main.Filter) }
}

func named(c *sweep.Cell, metric, filter string) (score, bool) {
	for _, x := range c.Metrics {
		if x.Metric == metric && (filter == "" || x.Filter == filter) {
			return score{x.Value, known(x.Stderr)}, true
		}
	}
	return score{}, false
}

// normalised is the loss a token divided by ln V, so that 1 is uniform guessing, from whichever metric tells it.
func normalised(c *sweep.Cell, vocabulary int) (score, bool) {
	if s, ok := named(c, "loss_norm", ""); ok {
		return s, true
	}
	if vocabulary < 2 {
		return score{}, false
	}
	lnV := math.Log(float64(vocabulary))
	if s, ok := named(c, "loss_per_token", ""); ok {
		return score{s.value / lnV, s.stderr / lnV}, true
	}
	if s, ok := named(c, "token_perplexity", ""); ok && s.value > 0 {
		return score{math.Log(s.value) / lnV, s.stderr / s.value / lnV}, true
	}
	return score{}, false
}

// known is a standard error, 0 where there is none to draw.
func known(stderr *float64) float64 {
	if stderr == nil || !(*stderr > 0) || math.IsInf(*stderr, 0) {
		return 0
	}
	return *stderr
}

func (s *subject) add(c *sweep.Cell) {
	if c.N == 0 && c.Healing == sweep.Unhealed {
		if s.dense == nil {
			s.dense = c
		}
		return
	}
	at := slices.IndexFunc(s.curves, func(v curve) bool { return v.strategy == c.Strategy && v.healing == c.Healing })
	if at < 0 {
		at = len(s.curves)
		s.curves = append(s.curves, curve{strategy: c.Strategy, healing: c.Healing})
	}
	v := &s.curves[at]
	if !slices.ContainsFunc(v.cells, func(d *sweep.Cell) bool { return d.N == c.N }) {
		v.cells = append(v.cells, c)
	}
}

// order puts the curves in the page's order and lets each begin at the unpruned model: as it is, or finetuned where the sweep
// did that too.
func (s *subject) order(r *sweep.Result) {
	whole := map[string]*sweep.Cell{sweep.Unhealed: s.dense}
	s.curves = slices.DeleteFunc(s.curves, func(v curve) bool {
		if v.strategy != sweep.None {
			return false
		}
		whole[v.healing] = v.cells[0]
		return true
	})
	for i := range s.curves {
		v := &s.curves[i]
		slices.SortFunc(v.cells, func(a, b *sweep.Cell) int { return a.N - b.N })
		if c := whole[v.healing]; c != nil && v.cells[0].N > 0 {
			v.cells = append([]*sweep.Cell{c}, v.cells...)
		}
	}
	strategies, healings := strategiesOf(r), healingsOf(r)
	slices.SortStableFunc(s.curves, func(a, b curve) int {
		if d := slices.Index(strategies, a.strategy) - slices.Index(strategies, b.strategy); d != 0 {
			return d
		}
		return slices.Index(healings, a.healing) - slices.Index(healings, b.healing)
	})
}

// strategiesOf are the strategies that cells have: the paper's two first.
func strategiesOf(r *sweep.Result) []string {
	names := []string{sweep.Similarity, sweep.Deepest}
	for i := range r.Cells {
		if s := r.Cells[i].Strategy; s != sweep.None && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return names
}

// healingsOf are no healing, the spec's, and any other that cells have.
func healingsOf(r *sweep.Result) []string {
	names := []string{sweep.Unhealed}
	for _, h := range r.Healings {
		if !slices.Contains(names, h.Name) {
			names = append(names, h.Name)
		}
	}
	for i := range r.Cells {
		if h := r.Cells[i].Healing; !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	return names
}

// of is a cell's score in this task.
func (s *subject) of(c *sweep.Cell) (score, bool) {
	if c == nil || s.numeric == nil {
		return score{}, false
	}
	v, ok := s.numeric(c)
	return v, ok && !math.IsNaN(v.value) && !math.IsInf(v.value, 0)
}

// whole is the unpruned model's score.
func (s *subject) whole() (score, bool) { return s.of(s.dense) }

// chance is the score of guessing. What a model must write it does not guess, so there it is 0 unless the task says more.
func (s *subject) chance() (float64, bool) {
	for _, c := range s.cells() {
		if c.Chance != nil && !math.IsNaN(*c.Chance) && !math.IsInf(*c.Chance, 0) {
			return *c.Chance, true
		}
	}
	return 0, s.sort == generation
}

// cells are all of the task, the unpruned model's first.
func (s *subject) cells() (all []*sweep.Cell) {
	if s.dense != nil {
		all = append(all, s.dense)
	}
	for _, v := range s.curves {
		for _, c := range v.cells {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// share is how much of what the unpruned model has above chance a cell keeps. ok is false where the unpruned model itself is
// not clearly above chance.
func (s *subject) share(c *sweep.Cell) (kept score, ok bool) {
	whole, ok1 := s.whole()
	chance, ok2 := s.chance()
	v, ok3 := s.of(c)
	above := whole.value - chance
	if !ok1 || !ok2 || !ok3 || above <= 0 || above < 2*whole.stderr {
		return score{}, false
	}
	return score{(v.value - chance) / above, v.stderr / above}, true
}

// label names a curve for people.
func (v curve) label() string {
	if v.strategy == sweep.None {
		return healed(v.healing)
	}
	return v.strategy + ", " + healed(v.healing)
}

// words are the label within a sentence.
func (v curve) words() string {
	if v.healing == sweep.Unhealed {
		return v.strategy + " and no healing"
	}
	return v.strategy + " and healing by " + v.healing
}

// healed says how cells were healed. A name that says so itself is not said twice.
func healed(name string) string {
	if name == sweep.Unhealed {
		return "unhealed"
	}
	if strings.HasPrefix(name, "heal") {
		return name
	}
	return "healed: " + name
}

// with are the subjects of a sort.
func with(all []*subject, want sort) (some []*subject) {
	for _, s := range all {
		if s.sort == want {
			some = append(some, s)
		}
	}
	return some
}
