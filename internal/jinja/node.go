package jinja

import "slices"

// A statement is run for what it writes and sets.
type statement interface {
	run(r *run, s *scope) flow
}

// flow says how a statement ended.
type flow int

const (
	flowOn flow = iota
	flowBreak
	flowContinue
)

func (f flow) run(*run, *scope) flow { return f }

func (r *run) run(body []statement, s *scope) flow {
	r.enter()
	defer func() { r.depth-- }()
	for _, one := range body {
		r.work(stepWork)
		if f := one.run(r, s); f != flowOn {
			return f
		}
	}
	return flowOn
}

type textNode string

func (n textNode) run(r *run, _ *scope) flow {
	r.write(string(n))
	return flowOn
}

type outputNode struct {
	line  int
	value expression
}

func (n *outputNode) run(r *run, s *scope) flow {
	r.line = n.line
	r.write(r.str(r.eval(n.value, s)))
	return flowOn
}

type branch struct {
	line int
	test expression
	body []statement
}

type ifNode struct {
	branches  []branch
	otherwise []statement
}

func (n *ifNode) run(r *run, s *scope) flow {
	for _, b := range n.branches {
		r.line = b.line
		if r.truth(r.eval(b.test, s)) {
			return r.run(b.body, s)
		}
	}
	return r.run(n.otherwise, s)
}

type forNode struct {
	line            int
	target          target
	over, test      expression
	recursive       bool
	body, otherwise []statement
}

func (n *forNode) run(r *run, s *scope) flow {
	r.line = n.line
	n.loop(r, s, r.eval(n.over, s), 0)
	return flowOn
}

// loop runs the body over a value; depth counts the loops of a recursive one.
func (n *forNode) loop(r *run, s *scope, over any, depth int64) {
	items := r.iterate(over)
	if n.test != nil {
		r.items(len(items))
		items = slices.DeleteFunc(slices.Clone(items), func(item any) bool {
			inner := s.inner()
			n.target.assign(r, inner, item)
			return !r.truth(r.eval(n.test, inner))
		})
	}
	state := &loop{items: items, depth: depth, strict: r.dialect.strict}
	if n.recursive {
		state.again = func(over any) string {
			return r.capture(func() { n.loop(r, s, over, depth+1) })
		}
	}
	for i, item := range items {
		r.work(stepWork)
		state.index = i
		inner := s.inner()
		inner.set("loop", state)
		n.target.assign(r, inner, item)
		if r.run(n.body, inner) == flowBreak {
			break
		}
	}
	if len(items) == 0 {
		r.run(n.otherwise, s.inner())
	}
}

type setNode struct {
	line   int
	target target
	value  expression
}

func (n *setNode) run(r *run, s *scope) flow {
	r.line = n.line
	n.target.assign(r, s, r.eval(n.value, s))
	return flowOn
}

// captureNode gives the text of its body to a name, or through filters to the output.
type captureNode struct {
	line   int
	target target     // nil: the output
	filter expression // nil: none
	body   []statement
}

func (n *captureNode) run(r *run, s *scope) flow {
	var f flow
	value := any(r.capture(func() { f = r.run(n.body, s.inner()) }))
	if f != flowOn {
		return f
	}
	r.line = n.line
	if n.filter != nil {
		value = n.throughFilters(r, s, value.(string))
	}
	if n.target != nil {
		n.target.assign(r, s, value)
	} else {
		r.write(r.str(value))
	}
	return flowOn
}

// throughFilters evaluates the filters with the text in the place of the value they lack.
func (n *captureNode) throughFilters(r *run, s *scope, text string) any {
	inner := s.inner()
	inner.set(capturedName, text)
	return r.eval(n.filter, inner)
}

// capturedName is a name that no template can write.
const capturedName = "{% %}"

type withNode struct {
	targets []target
	values  []expression
	body    []statement
}

func (n *withNode) run(r *run, s *scope) flow {
	inner := s.inner()
	for i, t := range n.targets {
		t.assign(r, inner, r.eval(n.values[i], s))
	}
	return r.run(n.body, inner)
}

type macroNode struct {
	line       int
	name       string
	parameters []parameter
	body       []statement
	varargs    bool // the body asks for what no parameter took
	kwargs     bool
	caller     bool
}

type parameter struct {
	name     string
	standard expression // nil: none
}

// takes notes which of a macro's special names stand in its body.
func (n *macroNode) takes(body []token) {
	for _, t := range body {
		n.varargs = n.varargs || t.is(name, "varargs")
		n.kwargs = n.kwargs || t.is(name, "kwargs")
		n.caller = n.caller || t.is(name, "caller")
	}
}

func (n *macroNode) run(_ *run, s *scope) flow {
	s.set(n.name, &macro{node: n, scope: s})
	return flowOn
}

type callBlockNode struct {
	line   int
	call   *callNode
	caller *macroNode
}

func (n *callBlockNode) run(r *run, s *scope) flow {
	r.line = n.line
	f, a := n.call.prepare(r, s)
	a.names = append(a.names, "caller")
	a.named = append(a.named, &macro{node: n.caller, scope: s})
	r.write(r.str(r.call(f, a)))
	return flowOn
}
