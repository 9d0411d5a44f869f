package generate

import "slices"

// worthSharing is the number of tokens from which on a common beginning is not computed twice.
const worthSharing = 16

// text is a sequence of the session, of a live job or kept.
type text struct {
	seq    int
	ids    []int   // tokens; keys and values of the first ones are in the session
	live   bool    // a job still makes it longer
	goal   int     // tokens of it that are known to be computed, if it stays live
	scores []Token // what was said of the first ids, if they are scored
	top    int     // likely tokens in scores
	scored bool    // scores go as far as keys and values, within the prompt
	used   int     // when it was last of use
}

// admit gives waiting jobs places in the order in which they came. A job that begins like one whose prompt is just being
// computed waits for that beginning; others may go first meanwhile.
func (e *Engine) admit() {
	e.live = slices.DeleteFunc(e.live, func(j *job) bool {
		gone := e.isGone(j)
		if gone {
			e.retire(j)
		}
		return gone
	})
	e.mu.Lock()
	e.waiting = append(e.waiting, e.arrived...)
	clear(e.arrived)
	e.arrived = e.arrived[:0]
	e.waiting = slices.DeleteFunc(e.waiting, func(j *job) bool { return j.gone })
	e.mu.Unlock()
	full := false
	e.waiting = slices.DeleteFunc(e.waiting, func(j *job) bool {
		if full || len(e.live) == e.o.Sequences {
			return false
		}
		if j.leader != nil && j.leader.live && e.session.Length(j.leader.seq) < j.until {
			return false
		}
		source, length, wait := e.beginning(j)
		if wait {
			return false
		}
		full = !e.place(j, source, length)
		return !full
	})
}

// beginning finds the longest beginning of a job's prompt that a sequence has, or tells the job to wait for the longer
// one that a live sequence is about to have.
func (e *Engine) beginning(j *job) (source *text, length int, wait bool) {
	j.leader = nil
	if !e.spec.Shares(j.prefill) {
		return nil, 0, false
	}
	until := 0
	see := func(t *text) {
		now, later := e.shared(j, t)
		if now > length {
			source, length = t, now
		}
		if later > until {
			j.leader, until = t, later
		}
	}
	for _, other := range e.live {
		see(other.text)
	}
	for _, t := range e.kept {
		see(t)
	}
	if until >= length+worthSharing {
		j.until = until
		return nil, 0, true
	}
	j.leader = nil
	if length < worthSharing {
		return nil, 0, false
	}
	return source, length, false
}

// shared is how many tokens a job can take from a text, now and when the text has reached its goal.
func (e *Engine) shared(j *job, t *text) (now, later int) {
	n, have := common(j.Prompt, t.ids), e.session.Forkable(t.seq)
	if j.PromptLogProbs {
		// Behind the last common token the two go on differently: what is said of that is not shared.
		n, have = n-1, min(have, len(t.scores)-1)
		if !t.scored || t.top < j.Top {
			return 0, 0
		}
	}
	n = max(0, min(n, len(j.Prompt)-1))
	now = max(0, min(n, have))
	if t.live && e.spec.Shares(t.goal) {
		later = min(n, t.goal)
	}
	return now, max(now, later)
}

// common is the number of tokens with which both begin.
func common(a, b []int) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// place opens a sequence for a job, unless it could run out of room before it ends.
func (e *Engine) place(j *job, source *text, length int) bool {
	t := &text{live: true, goal: j.prefill, scored: j.PromptLogProbs, top: j.Top}
	var err error
	if source == nil {
		t.seq, err = e.session.Open()
	} else {
		t.seq, err = e.session.Fork(source.seq, length)
	}
	if err != nil {
		panic(err) // there is a sequence for each place and each that is kept
	}
	if !e.fits(j, t.seq) {
		e.session.Shut(t.seq)
		return false
	}
	t.ids = append(make([]int, 0, j.need+1), j.Prompt...)
	if source != nil {
		source.used = e.tick()
	}
	if j.PromptLogProbs {
		t.scores = []Token{{ID: j.Prompt[0], Prompt: true}}
		if source != nil {
			t.scores = source.scores[: length+1 : length+1]
		}
		for _, s := range t.scores {
			e.tell(j, s.first(j.Top))
		}
	}
	j.text = t
	e.mu.Lock()
	j.running = true
	j.news.reused = length
	e.stats.Reused += int64(length)
	if !j.gone { // else it has been counted
		e.stats.Waiting--
	}
	e.mu.Unlock()
	e.live = append(e.live, j)
	return true
}

// fits tells whether all live sequences and one more can reach their ends.
func (e *Engine) fits(j *job, seq int) bool {
	w := &e.work
	w.sequences, w.lengths = append(w.sequences[:0], seq), append(w.lengths[:0], j.need)
	for _, other := range e.live {
		w.sequences, w.lengths = append(w.sequences, other.text.seq), append(w.lengths, other.need)
	}
	return e.session.Fits(w.sequences, w.lengths)
}

// retire takes a job's place away. What it computed is kept for others, unless it is of no use.
func (e *Engine) retire(j *job) {
	t := j.text
	t.live = false
	t.ids = t.ids[:e.session.Length(t.seq)]
	if j.err != nil || len(t.ids) < worthSharing || e.o.Kept <= 0 {
		e.session.Shut(t.seq)
		return
	}
	if len(e.kept) == e.o.Kept {
		e.forget()
	}
	t.used = e.tick()
	e.kept = append(e.kept, t)
}

// forget shuts the kept sequence that was of no use for the longest time, if there is one.
func (e *Engine) forget() bool {
	if len(e.kept) == 0 {
		return false
	}
	oldest := 0
	for i, t := range e.kept {
		if t.used < e.kept[oldest].used {
			oldest = i
		}
	}
	e.session.Shut(e.kept[oldest].seq)
	e.kept = slices.Delete(e.kept, oldest, oldest+1)
	return true
}

func (e *Engine) tick() int {
	e.clock++
	return e.clock
}
