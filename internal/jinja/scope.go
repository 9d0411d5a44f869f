package jinja

// scope is where names live: the template's own over those it was given over Jinja's globals; loops, macros and blocks
// add one each. An if adds none.
type scope struct {
	names  map[string]any
	parent *scope
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.names[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *scope) set(name string, v any) {
	if s.names == nil {
		s.names = map[string]any{}
	}
	s.names[name] = v
}

func (s *scope) inner() *scope { return &scope{parent: s} }

// target is what a value can be given to.
type target interface {
	assign(r *run, s *scope, v any)
}

type nameTarget string

func (t nameTarget) assign(_ *run, s *scope, v any) { s.set(string(t), v) }

type targetList []target

func (t targetList) assign(r *run, s *scope, v any) {
	items := r.iterate(v)
	if len(items) > len(t) {
		r.fail(nil, "too many values to unpack (expected %d)", len(t))
	}
	if len(items) < len(t) {
		r.fail(nil, "not enough values to unpack (expected %d, got %d)", len(t), len(items))
	}
	for i, one := range t {
		one.assign(r, s, items[i])
	}
}

// attributeTarget is ns.x: the one way out of a loop's scope.
type attributeTarget struct{ name, attribute string }

func (t *attributeTarget) assign(r *run, s *scope, v any) {
	of, _ := s.get(t.name)
	ns, ok := of.(*namespace)
	if !ok {
		r.fail(nil, "cannot assign attribute on non-namespace object")
	}
	r.checkNamespaceKey(t.attribute)
	ns.Set(t.attribute, v)
}
