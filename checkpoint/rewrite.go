package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Value is one value of config.json, for rules that look at every key.
type Value struct {
	Path    []string // keys from the outermost object; an element of a list is "key[3]"
	Kind    Kind
	Literal string   // its text in the file
	Items   []string // the texts of a list's elements
	Keys    []string // of an object
}

// Key is the last part of the path.
func (v Value) Key() string { return v.Path[len(v.Path)-1] }

// Name is the whole path, as errors show it.
func (v Value) Name() string { return strings.Join(v.Path, ".") }

// Values lists every value within this object, the outer before the inner, in the file's order.
func (c *Config) Values() []Value {
	var all []Value
	var walk func(path []string, v *value)
	walk = func(path []string, v *value) {
		for i, item := range v.values {
			at := append(slices.Clone(path), "")
			if v.kind == Object {
				at[len(path)] = v.keys[i]
			} else {
				at[len(path)-1] += "[" + strconv.Itoa(i) + "]"
				at = at[:len(path)]
				if item.kind != Object && item.kind != List {
					continue
				}
			}
			x := Value{Path: at, Kind: item.kind, Literal: string(c.src[item.start:item.end]), Keys: item.keys}
			if item.kind == List {
				for _, e := range item.values {
					x.Items = append(x.Items, string(c.src[e.start:e.end]))
				}
			}
			all = append(all, x)
			walk(at, item)
		}
	}
	walk(nil, c.root)
	return all
}

// Path is where this object lies in the file: nil for the file itself, ["text_config"] for a nested one.
func (c *Config) Path() []string {
	if c.path == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(c.path, "."), ".")
}

// Edit gives a key of an object a new value, written as JSON. A key that is not there is added at the object's end.
type Edit struct {
	Path     []string
	JSON     string
	Verbatim bool // JSON is laid out already
}

// Rewrite is the file's text with the edits made and every other byte as it was. A list or object takes one line per
// element where the file is written so.
func (c *Config) Rewrite(edits []Edit) ([]byte, error) {
	type patch struct {
		start, end int
		text       string
	}
	var patches []patch
	for _, e := range edits {
		parent := c.root
		for _, key := range e.Path[:len(e.Path)-1] {
			if parent = parent.get(key); parent == nil || parent.kind != Object {
				return nil, fmt.Errorf("checkpoint: %s has no object %s", c.name, strings.Join(e.Path[:len(e.Path)-1], "."))
			}
		}
		key := e.Path[len(e.Path)-1]
		indent := c.indent(parent)
		text := e.JSON
		if !e.Verbatim {
			text = layOut(e.JSON, indent)
		}
		if v := parent.get(key); v != nil {
			if !strings.Contains(string(c.src[v.start:v.end]), "\n") && (v.kind == List || v.kind == Object) {
				text = e.JSON
			}
			patches = append(patches, patch{v.start, v.end, text})
			continue
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		member := indent + string(name) + ": " + text
		if n := len(parent.values); n > 0 {
			at := parent.values[n-1].end
			patches = append(patches, patch{at, at, "," + member})
		} else {
			patches = append(patches, patch{parent.start, parent.end, "{" + member + "}"})
		}
	}
	// Stable, so that several keys added at one place keep their order.
	sort.SliceStable(patches, func(i, j int) bool { return patches[i].start < patches[j].start })
	var out bytes.Buffer
	at := 0
	for _, p := range patches {
		if p.start < at {
			return nil, fmt.Errorf("checkpoint: %s: two edits of the same value", c.name)
		}
		out.Write(c.src[at:p.start])
		out.WriteString(p.text)
		at = p.end
	}
	out.Write(c.src[at:])
	return out.Bytes(), nil
}

// indent is the white space before the object's first key, line break included; empty where all stands on one line.
func (c *Config) indent(v *value) string {
	text := c.src[v.start+1 : v.end]
	n := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
	if !bytes.Contains(text[:n], []byte("\n")) {
		return ""
	}
	return string(text[:n])
}

// layOut puts each element of a JSON list or object on a line of its own if the surrounding text is indented.
func layOut(text, indent string) string {
	if indent == "" || text == "" || text[0] != '[' && text[0] != '{' {
		return text
	}
	indent = indent[strings.LastIndexByte(indent, '\n')+1:]
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), indent, "  "); err != nil {
		return text // NaN and Infinity are not JSON to Go
	}
	return out.String()
}
