package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// ChangeText says what becomes of a text in a JSON file: another text, or, where keep is false, nothing.
type ChangeText func(text string) (changed string, keep bool, err error)

// ChangeTexts gives the JSON of the value under a path, nil for the whole file, with every text in it changed: elements of
// lists, values, and keys. An element of a list or a member of an object whose text is not kept goes; a text that is the value of a key cannot
// go. All other bytes stay as they are. The result equals the old text where nothing changed.
func (c *Config) ChangeTexts(path []string, change ChangeText) (string, error) {
	return c.rewriteTexts(path, &textChange{c.src, change, true})
}

// ChangeKeys is ChangeTexts for the keys of one object alone, not of what is within it.
func (c *Config) ChangeKeys(path []string, change ChangeText) (string, error) {
	return c.rewriteTexts(path, &textChange{c.src, change, false})
}

func (c *Config) rewriteTexts(path []string, t *textChange) (string, error) {
	v := c.root
	for _, key := range path {
		if v = v.get(key); v == nil {
			return "", fmt.Errorf("checkpoint: %s has no %s", c.name, strings.Join(path, "."))
		}
	}
	var out bytes.Buffer
	if err := t.write(&out, v, strings.Join(path, ".")); err != nil {
		return "", err
	}
	if len(path) == 0 && c.path == "" {
		return string(c.src[:v.start]) + out.String() + string(c.src[v.end:]), nil
	}
	return out.String(), nil
}

// textChange writes values with their texts changed.
type textChange struct {
	src    []byte
	change ChangeText
	deep   bool // values too, and what is within them
}

func (t *textChange) write(out *bytes.Buffer, v *value, name string) error {
	switch v.kind {
	case List, Object:
		return t.writeMembers(out, v, name)
	case String:
		text, keep, err := t.change(v.text)
		if err == nil && !keep {
			err = fmt.Errorf("speaks of nothing that is left")
		}
		if err != nil {
			return fmt.Errorf("%s (%.80q): %w", name, v.text, err)
		}
		if text != v.text {
			out.Write(quote(text))
			return nil
		}
	}
	out.Write(t.src[v.start:v.end])
	return nil
}

// writeMembers writes a list or an object. What stands between members is kept with the later of the two.
func (t *textChange) writeMembers(out *bytes.Buffer, v *value, name string) error {
	at, kept := v.start+1, 0
	var lead []byte // what stands before the first member
	seen := map[string]bool{}
	out.WriteByte(t.src[v.start])
	for i, item := range v.values {
		m := member{start: item.start, name: fmt.Sprintf("%s[%d]", name, i), keep: true}
		var err error
		if v.kind == Object {
			m.start = at + bytes.IndexByte(t.src[at:], '"')
			m.name = strings.TrimPrefix(name+"."+v.keys[i], ".")
			err = t.key(&m, v.keys[i], item, seen)
		} else if item.kind == String {
			_, m.keep, err = t.change(item.text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if i == 0 {
			lead = t.src[at:m.start]
		}
		if m.keep {
			space := lead
			if kept > 0 {
				space = t.src[at:m.start] // with the comma behind the member before
			}
			out.Write(space)
			out.WriteString(m.head)
			if !t.deep {
				out.Write(t.src[item.start:item.end])
			} else if err := t.write(out, item, m.name); err != nil {
				return err
			}
			kept++
		}
		at = item.end
	}
	if kept > 0 || len(v.values) == 0 {
		out.Write(t.src[at : v.end-1])
	}
	out.WriteByte(t.src[v.end-1])
	return nil
}

// member is an element of a list or a key and its value.
type member struct {
	start int
	name  string
	head  string // the key and what follows it up to the value
	keep  bool
}

func (t *textChange) key(m *member, key string, item *value, seen map[string]bool) error {
	changed, keep, err := t.change(key)
	if err != nil {
		return err
	}
	if keep && seen[changed] {
		return fmt.Errorf("becomes %q, which is there already", changed)
	}
	seen[changed] = seen[changed] || keep
	m.keep, m.head = keep, string(t.src[m.start:item.start])
	if changed != key {
		m.head = string(quote(changed)) + ": "
	}
	return nil
}

// quote writes a text as JSON, with the signs of regular expressions left readable.
func quote(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return []byte(`""`) // a string always encodes
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
