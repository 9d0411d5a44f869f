package task

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"shallow/internal/strictyaml"
)

//go:embed tasks/*.yaml
var builtIn embed.FS

const (
	mostIncludes = 16    // files that one task file includes, in all
	mostFiles    = 20000 // of a folder
	mostTasks    = 10000 // of one list
)

// LoadOptions say where else tasks are.
type LoadOptions struct {
	Include []string // folders of task files, searched with all their folders; their names go before those of this program
}

// Set is what a list of names stands for.
type Set struct {
	Tasks  []*Task  // each once, in the order of the list
	Groups []*Group // each once, those inside of others first
}

// Load finds tasks by name. A name is that of a task, a group or a tag, may hold * and ? for several, or is the path of a
// .yaml file.
func Load(names []string, o LoadOptions) (*Set, error) {
	l := &loader{set: &Set{}, tasks: map[string]*Task{}, groups: map[string]*Group{}}
	if err := l.index(o.Include); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := l.named(name); err != nil {
			return nil, err
		}
	}
	if len(l.set.Tasks) == 0 {
		return nil, fmt.Errorf("task: no task is named: name some of %s", strings.Join(l.offered(), ", "))
	}
	return l.set, nil
}

// Names are the tasks and groups of this program. Those of a group with many subjects are not listed one by one.
func Names() []string {
	l, err := ownIndex()
	if err != nil {
		panic(err) // the files are part of the program
	}
	return l.offered()
}

// loader finds and reads task files.
type loader struct {
	entries map[string]entry    // by name
	tags    map[string][]string // the tasks of a tag
	broken  []error             // files of folders that cannot be read
	files   map[string]*mapping // those that are parsed
	set     *Set
	tasks   map[string]*Task
	groups  map[string]*Group
}

// entry is where a name comes from.
type entry struct {
	file     string
	group    bool
	template *mapping // of a task that is one subject of a template
	subject  bool
}

// builtInName marks a file of this program in paths and errors.
const builtInName = "built-in:"

// index makes the names known: those of this program, and over them those of folders.
func (l *loader) index(folders []string) error {
	own, err := ownIndex()
	if err != nil {
		return err
	}
	l.entries, l.tags, l.files = maps.Clone(own.entries), maps.Clone(own.tags), maps.Clone(own.files)
	for _, folder := range folders {
		if err := l.indexFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// ownIndex reads the files of this program once. Nothing changes them afterwards.
var ownIndex = sync.OnceValues(func() (*loader, error) {
	l := &loader{entries: map[string]entry{}, tags: map[string][]string{}, files: map[string]*mapping{}}
	names, err := fs.Glob(builtIn, "tasks/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := l.enter(builtInName + path.Base(name)); err != nil {
			return nil, err
		}
	}
	return l, nil
})

func (l *loader) indexFolder(folder string) error {
	files := 0
	return filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("task: %w", err)
		}
		if d.IsDir() || !isTaskFile(name) {
			return nil
		}
		if files++; files > mostFiles {
			return fmt.Errorf("task: %s: it holds more than %d task files", folder, mostFiles)
		}
		// A folder can be the harness's own, with tasks that are not for here: what is wrong shows when it is wanted.
		if _, err := l.enter(name); err != nil {
			l.broken = append(l.broken, err)
		}
		return nil
	})
}

func isTaskFile(name string) bool {
	ending := strings.ToLower(filepath.Ext(name))
	return ending == ".yaml" || ending == ".yml"
}

// enter puts the names of a file into the index. It gives that of its task or group, "" where it is only there to be included.
func (l *loader) enter(file string) (string, error) {
	m, err := l.parsed(file)
	if err != nil {
		return "", err
	}
	if m.At["include"] != nil {
		budget := mostIncludes // the name can be that of the file it builds on
		if m, err = l.merged(file, &budget); err != nil {
			return "", err
		}
	}
	if isGroup(m) {
		return l.enterGroup(file, m)
	}
	name, err := nameAt(m, "task")
	if err != nil || name == "" || strings.HasPrefix(path.Base(filepath.ToSlash(file)), "_") {
		return "", err
	}
	l.entries[name] = entry{file: file}
	if tag := m.At["tag"]; tag != nil {
		tags, err := tag.Texts("tag")
		if err != nil {
			return "", err
		}
		for _, t := range tags {
			l.tags[t] = append(slices.Clip(l.tags[t]), name)
		}
	}
	return name, nil
}

// parsed is a file's own keys.
func (l *loader) parsed(file string) (*mapping, error) {
	if m := l.files[file]; m != nil {
		return m, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	m, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	l.files[file] = m
	return m, nil
}

func readFile(file string) ([]byte, error) {
	if name, inside := strings.CutPrefix(file, builtInName); inside {
		data, err := builtIn.ReadFile("tasks/" + name)
		if err != nil {
			err = fmt.Errorf("task: %w", err)
		}
		return data, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > strictyaml.Largest {
		return nil, fmt.Errorf("task: %s: no file of at most %d bytes", file, strictyaml.Largest)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	return data, nil
}

// merged are the keys of a file over those of the files that it includes.
func (l *loader) merged(file string, budget *int) (*mapping, error) {
	if *budget--; *budget < 0 {
		return nil, fmt.Errorf("task: %s: include: files include each other, or more than %d", file, mostIncludes)
	}
	m, err := l.parsed(file)
	if err != nil {
		return nil, err
	}
	n := m.At["include"]
	if n == nil {
		return m, nil
	}
	names, err := n.Texts("include")
	if err != nil {
		return nil, err
	}
	out := strictyaml.NewMapping()
	for _, name := range names {
		from, err := l.merged(beside(file, name), budget)
		if err != nil {
			return nil, fmt.Errorf("%w (included by %s, line %d)", err, file, n.Line)
		}
		lay(out, from)
	}
	lay(out, m)
	return out, nil
}

// lay puts an object's keys over those of another, but include, which is done with.
func lay(m, over *mapping) {
	for _, k := range over.Keys {
		if k != "include" {
			m.Set(k, over.At[k])
		}
	}
}

// beside is the path of a file that another names: next to it, or of this program.
func beside(file, name string) string {
	if strings.HasPrefix(file, builtInName) {
		return builtInName + name
	}
	near := filepath.FromSlash(name)
	if !filepath.IsAbs(near) {
		near = filepath.Join(filepath.Dir(file), near)
	}
	if _, err := os.Stat(near); err != nil {
		if _, err := fs.Stat(builtIn, "tasks/"+name); err == nil {
			return builtInName + name
		}
	}
	return near
}

// named adds what a name of the user's list stands for.
func (l *loader) named(name string) error {
	if isTaskFile(name) || strings.ContainsAny(name, `/\`) {
		own, err := l.enter(name)
		if err == nil && own == "" {
			err = fmt.Errorf("task: %s: task: the file names no task", name)
		}
		if err != nil {
			return err
		}
		name = own
	}
	if found, err := l.add(name); found || err != nil {
		return err
	}
	if strings.ContainsAny(name, "*?[") {
		any := false
		for _, known := range slices.Sorted(maps.Keys(l.entries)) {
			// mmlu_* are the subjects, not the subjects in the paper's protocol.
			fits, _ := path.Match(name, known)
			if !fits || strings.Contains(known, "@") && !strings.Contains(name, "@") {
				continue
			}
			any = true
			if _, err := l.add(known); err != nil {
				return err
			}
		}
		if any {
			return nil
		}
	}
	hint := nearest(name, slices.Collect(maps.Keys(l.entries)))
	if len(l.broken) > 0 {
		hint += fmt.Sprintf("; %d files could not be read, the first: %v", len(l.broken), l.broken[0])
	}
	return fmt.Errorf("task: %q is no task, group or tag%s: known are %s, and files that end in .yaml", name, hint, strings.Join(l.offered(), ", "))
}

// offered are the names that a user may want, sorted.
func (l *loader) offered() []string {
	var names []string
	for name, e := range l.entries {
		if !e.subject {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// add adds a task, a group with its tasks, or the tasks of a tag.
func (l *loader) add(name string) (found bool, err error) {
	if e, known := l.entries[name]; known {
		if e.group {
			_, err = l.group(name)
		} else {
			_, err = l.task(name)
		}
		return true, err
	}
	tagged := slices.Clone(l.tags[name])
	slices.Sort(tagged)
	for _, t := range slices.Compact(tagged) {
		if _, err := l.task(t); err != nil {
			return true, err
		}
	}
	return len(tagged) > 0, nil
}

// task reads a task once.
func (l *loader) task(name string) (*Task, error) {
	if t := l.tasks[name]; t != nil {
		return t, nil
	}
	if len(l.tasks) >= mostTasks {
		return nil, fmt.Errorf("task: more than %d tasks are named", mostTasks)
	}
	e := l.entries[name]
	m := e.template
	if m == nil {
		budget := mostIncludes
		var err error
		if m, err = l.merged(e.file, &budget); err != nil {
			return nil, err
		}
	}
	t, err := newTask(e.file, m)
	if err != nil {
		return nil, err
	}
	l.tasks[name] = t
	l.set.Tasks = append(l.set.Tasks, t)
	return t, nil
}
