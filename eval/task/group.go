package task

import (
	"math"
	"slices"
	"strings"

	"shallow/internal/strictyaml"
)

// Group is a set of tasks, or of groups, with scores of its own.
type Group struct {
	Name     string
	Alias    string   // "" is Name
	Children []string // names of tasks and groups
	Tasks    []*Task  // all of them, those of the groups inside too
	Version  any      // as the harness writes it: a string, "N/A" where there is none
	metrics  []groupMetric
}

// groupMetric is one entry of aggregate_metric_list.
type groupMetric struct {
	metric   string
	filters  []string // nil: all that the tasks have
	weighted bool     // by the number of documents
}

// isGroup tells whether a file's keys are those of a group: its task is a list.
func isGroup(m *mapping) bool {
	n := m.At["task"]
	if m.At["group"] == nil {
		return false
	}
	if n == nil {
		return true
	}
	_, list := n.Value.([]*node)
	return list
}

// enterGroup puts a group's name into the index, which it gives, and those of the groups and subjects that are written inside.
func (l *loader) enterGroup(file string, m *mapping) (string, error) {
	name, err := nameAt(m, "group")
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", dialect.At(file, 1).Fail("group: the group has no name")
	}
	l.entries[name] = entry{file: file, group: true, template: m}
	if m.At["subjects"] != nil {
		subjects, err := l.subjects(file, m)
		if err != nil {
			return "", err
		}
		for name, keys := range subjects {
			l.entries[name] = entry{file: file, template: keys, subject: true}
		}
	}
	inside, err := children(m)
	if err != nil {
		return "", err
	}
	for _, child := range inside {
		if inner, ok := child.Value.(*mapping); ok {
			if inner.At["group"] == nil {
				return "", child.Fail("task: an entry is neither a name nor a group of its own")
			}
			if _, err := l.enterGroup(file, inner); err != nil {
				return "", err
			}
		}
	}
	return name, nil
}

func children(m *mapping) ([]*node, error) {
	n := m.At["task"]
	if n == nil {
		return nil, nil
	}
	list, ok := n.Value.([]*node)
	if !ok {
		return nil, n.Fail("task: it is %s, a list of names is expected", n.Kind())
	}
	return list, nil
}

// subjects are the tasks of a group with a template, by their names.
func (l *loader) subjects(file string, m *mapping) (map[string]*mapping, error) {
	list := m.At["subjects"]
	subjects, err := list.Texts("subjects")
	if err != nil {
		return nil, err
	}
	n := m.At["template"]
	if n == nil {
		return nil, list.Fail("subjects: there is no template for them")
	}
	name, err := n.Text("template")
	if err != nil {
		return nil, err
	}
	budget := mostIncludes
	template, err := l.merged(beside(file, name), &budget)
	if err != nil {
		return nil, err
	}
	out := map[string]*mapping{}
	for _, s := range subjects {
		words := strings.NewReplacer("$subject", s, "$words", strings.ReplaceAll(s, "_", " "))
		keys := strictyaml.NewMapping()
		for _, k := range template.Keys {
			keys.Set(k, replaced(template.At[k], words))
		}
		task, err := nameAt(keys, "task")
		if err != nil {
			return nil, err
		}
		if task == "" || out[task] != nil {
			return nil, list.Fail("subjects: subject %s makes a task named %q: the template's task must hold $subject, and each subject must be there once", s, task)
		}
		out[task] = keys
	}
	return out, nil
}

func replaced(n *node, words *strings.Replacer) *node {
	out := *n
	switch v := n.Value.(type) {
	case string:
		out.Value = words.Replace(v)
	case []*node:
		list := make([]*node, len(v))
		for i, e := range v {
			list[i] = replaced(e, words)
		}
		out.Value = list
	case *mapping:
		m := strictyaml.NewMapping()
		for _, k := range v.Keys {
			m.Set(k, replaced(v.At[k], words))
		}
		out.Value = m
	}
	return &out
}

// group reads a group and all that is in it, once.
func (l *loader) group(name string) (*Group, error) {
	if g := l.groups[name]; g != nil {
		return g, nil
	}
	e := l.entries[name]
	g := &Group{Name: name, Version: "N/A"}
	l.groups[name] = g // before its children: a group inside of itself is met as it is so far
	m := e.template
	err := table{
		"group":       func(*node) error { return nil },
		"group_alias": func(n *node) (err error) { g.Alias, err = n.Text("group_alias"); return err },
		"tag":         func(*node) error { return nil },
		"task":        func(*node) error { return nil },
		"template":    func(*node) error { return nil },
		"subjects":    func(*node) error { return nil },
		"metadata": func(n *node) error {
			m, err := n.Object("metadata: ")
			if err == nil && m.At["version"] != nil {
				g.Version = written(plain(m.At["version"]))
			}
			return err
		},
		"aggregate_metric_list": g.readMetrics,
	}.read(m, "")
	if err != nil {
		return nil, err
	}
	if list := m.At["subjects"]; list != nil {
		subjects, err := l.subjects(e.file, m)
		if err != nil {
			return nil, err
		}
		names := make([]string, 0, len(subjects))
		for name := range subjects {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := l.child(g, list, name); err != nil {
				return nil, err
			}
		}
	}
	inside, err := children(m)
	if err != nil {
		return nil, err
	}
	for _, child := range inside {
		switch v := child.Value.(type) {
		case string:
			err = l.child(g, child, v)
		case *mapping:
			inner, _ := nameAt(v, "group")
			err = l.child(g, child, inner)
		default:
			err = child.Fail("task: an entry is %s, a name is expected", child.Kind())
		}
		if err != nil {
			return nil, err
		}
	}
	l.set.Groups = append(l.set.Groups, g)
	return g, nil
}

// child adds a task, a group or the tasks of a tag to a group.
func (l *loader) child(g *Group, at *node, name string) error {
	if e, known := l.entries[name]; known && e.group {
		inner, err := l.group(name)
		if err != nil {
			return err
		}
		if !slices.Contains(l.set.Groups, inner) {
			return at.Fail("task: group %s is inside of itself", name)
		}
		g.Children = append(g.Children, name)
		for _, t := range inner.Tasks {
			g.join(t)
		}
		return nil
	} else if !known && len(l.tags[name]) == 0 {
		names := make([]string, 0, len(l.entries))
		for k := range l.entries {
			names = append(names, k)
		}
		return at.Fail("task: %q is no task, group or tag%s", name, nearest(name, names))
	} else if !known {
		tagged := slices.Clone(l.tags[name])
		slices.Sort(tagged)
		for _, t := range slices.Compact(tagged) {
			if err := l.child(g, at, t); err != nil {
				return err
			}
		}
		return nil
	}
	t, err := l.task(name)
	if err != nil {
		return err
	}
	g.Children = append(g.Children, name)
	g.join(t)
	return nil
}

func (g *Group) join(t *Task) {
	if !slices.Contains(g.Tasks, t) {
		g.Tasks = append(g.Tasks, t)
	}
}

func (g *Group) readMetrics(n *node) error {
	entries, err := n.Objects("aggregate_metric_list: ")
	for i := 0; err == nil && i < len(entries); i++ {
		m := groupMetric{weighted: true}
		err = table{
			"metric": func(n *node) (err error) { m.metric, err = n.Text("aggregate_metric_list: metric"); return err },
			"aggregation": func(n *node) error {
				if n.Value != "mean" {
					return n.Fail("aggregate_metric_list: aggregation: it is %s, only mean is known", n.Kind())
				}
				return nil
			},
			"weight_by_size": truthInto(&m.weighted, "aggregate_metric_list: weight_by_size"),
			"filter_list":    func(n *node) (err error) { m.filters, err = n.Texts("aggregate_metric_list: filter_list"); return err },
		}.read(entries[i], "aggregate_metric_list: ")
		if err == nil && m.metric == "" {
			err = n.Fail("aggregate_metric_list: an entry without metric")
		}
		g.metrics = append(g.metrics, m)
	}
	return err
}

// Aggregate makes the group's scores of those of its tasks, by their names.
func (g *Group) Aggregate(results map[string]Result) Result {
	out := Result{Name: g.Name, Alias: g.Alias, Group: true}
	if out.Alias == "" {
		out.Alias = g.Name
	}
	if len(g.metrics) == 0 {
		return out
	}
	for _, t := range g.Tasks {
		out.SampleLen += results[t.Name].SampleLen
	}
	for _, m := range g.metrics {
		filters := m.filters
		if filters == nil {
			filters = g.filtersOf(m.metric, results)
		}
		for _, filter := range filters {
			if measure, ok := g.measure(m, filter, results); ok {
				out.Metrics = append(out.Metrics, measure)
			}
		}
	}
	return out
}

func (g *Group) filtersOf(metric string, results map[string]Result) []string {
	var filters []string
	for _, t := range g.Tasks {
		for _, m := range results[t.Name].Metrics {
			if m.Metric == metric && !slices.Contains(filters, m.Filter) {
				filters = append(filters, m.Filter)
			}
		}
	}
	slices.Sort(filters)
	return filters
}

// measure is the mean of the tasks' values, weighted by their documents or not, with the error that belongs to it.
func (g *Group) measure(m groupMetric, filter string, results map[string]Result) (Measure, bool) {
	out := Measure{Metric: m.metric, Filter: filter}
	var values, errors, sizes, weights []float64
	for _, t := range g.Tasks {
		r := results[t.Name]
		for _, one := range r.Metrics {
			if one.Metric != m.metric || one.Filter != filter {
				continue
			}
			values, errors = append(values, one.Value), append(errors, one.Stderr)
			sizes = append(sizes, float64(r.SampleLen))
			if out.Samples += r.SampleLen; m.weighted {
				weights = append(weights, float64(r.SampleLen))
			} else {
				weights = append(weights, 1)
			}
		}
	}
	if len(values) == 0 {
		return out, false
	}
	var sum, weight, all, pooled, squares float64
	for i, v := range values {
		sum += v * weights[i]
		weight += weights[i]
		all += sizes[i]
		pooled += (sizes[i] - 1) * (errors[i] * errors[i]) * sizes[i]
		squares += errors[i] * errors[i]
	}
	out.Value = sum / weight
	if m.weighted {
		out.Stderr = math.Sqrt(pooled / (all - float64(len(values))) / all)
	} else {
		out.Stderr = math.Sqrt(squares) / float64(len(values))
	}
	return out, true
}
