package cpu

import (
	"sync"
	"sync/atomic"
)

// pool is a fixed number of threads that share the work of one operation at a time. Worker 0 is the caller.
type pool struct {
	threads int
	jobs    []chan *job
}

type job struct {
	n    int64
	next atomic.Int64
	body func(worker, i int)
	done sync.WaitGroup
}

func newPool(threads int) *pool {
	p := &pool{threads: threads}
	for w := 1; w < threads; w++ {
		c := make(chan *job, 1)
		p.jobs = append(p.jobs, c)
		go func() {
			for j := range c {
				j.run(w)
				j.done.Done()
			}
		}()
	}
	return p
}

func (j *job) run(worker int) {
	for i := j.next.Add(1) - 1; i < j.n; i = j.next.Add(1) - 1 {
		j.body(worker, int(i))
	}
}

// run calls body for i = 0 to n-1, each once, handed out in ascending order, and returns when all are done. body knows which
// worker (0 to threads-1) runs it, for scratch memory; no result may depend on that.
func (p *pool) run(n int, body func(worker, i int)) {
	if n <= 0 {
		return
	}
	helpers := min(n, p.threads) - 1
	j := &job{n: int64(n), body: body}
	j.done.Add(helpers)
	for _, c := range p.jobs[:helpers] {
		c <- j
	}
	j.run(0)
	j.done.Wait()
}

func (p *pool) close() {
	for _, c := range p.jobs {
		close(c)
	}
}
