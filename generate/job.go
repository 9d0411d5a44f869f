package generate

import "shallow/internal/sampling"

// job is a request between Submit and Run.
type job struct {
	Request
	sampler *sampling.Sampler
	prefill int // tokens of the prompt that go through the layers
	need    int // tokens that the sequence has in the end

	// Run's own.
	text      *text
	generated int
	leader    *text // that computes a beginning, for which this job waits
	until     int   // the length of it
	finish    Finish
	err       error

	// What Submit has not seen yet: under Engine.mu.
	news    news
	running bool          // it has a place
	gone    bool          // Submit has returned
	signal  chan struct{} // of one: there are news
}

// news is what has come of a job since Submit last looked.
type news struct {
	tokens []Token
	reused int
	finish Finish // not empty: there is no more
	err    error  // the same
}

// enqueue puts a job behind all others.
func (e *Engine) enqueue(j *job) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped != nil {
		return e.stopped
	}
	e.arrived = append(e.arrived, j)
	e.stats.Waiting++
	e.rouse()
	return nil
}

// rouse wakes Run if it has nothing to do.
func (e *Engine) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// take gives Submit what is new.
func (e *Engine) take(j *job) news {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := j.news
	j.news.tokens = nil
	return n
}

// leave says that Submit returns.
func (e *Engine) leave(j *job, failed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	j.gone = true
	e.stats.Requests++
	if failed {
		e.stats.Failed++
	}
	if !j.running {
		e.stats.Waiting--
	}
	e.rouse()
}

// tell hands a token to Submit.
func (e *Engine) tell(j *job, t Token) {
	e.mu.Lock()
	j.news.tokens = append(j.news.tokens, t)
	e.mu.Unlock()
	j.rouse()
}

// end tells Submit that there is no more.
func (e *Engine) end(j *job, finish Finish, err error) {
	e.mu.Lock()
	j.news.finish, j.news.err = finish, err
	e.mu.Unlock()
	j.rouse()
}

func (j *job) rouse() {
	select {
	case j.signal <- struct{}{}:
	default:
	}
}

// isGone tells whether nobody waits for the job any more.
func (e *Engine) isGone(j *job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return j.gone
}
