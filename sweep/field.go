package sweep

import (
	"math"
	"strconv"
	"strings"
)

// Readers of single values, each for a table. key is the name by which errors call the node.

func text(key string, to *string) func(*node) error {
	return func(n *node) error {
		s, ok := n.Value.(string)
		if !ok || s == "" {
			return n.Fail("%s: it is %s, a text is expected", key, n.Kind())
		}
		*to = s
		return nil
	}
}

func oneOf(key string, to *string, names ...string) func(*node) error {
	return func(n *node) error {
		s, _ := n.Value.(string)
		for _, name := range names {
			if s == name {
				*to = s
				return nil
			}
		}
		return n.Fail("%s: it is %s, one of %s is expected", key, n.Kind(), strings.Join(names, ", "))
	}
}

func truth(key string, to *bool) func(*node) error {
	return func(n *node) error {
		v, err := n.Truth(key)
		if err == nil {
			*to = v
		}
		return err
	}
}

// most bounds whole numbers of a spec.
const most = math.MaxInt32

func whole(key string, least int, to *int) func(*node) error {
	return func(n *node) error {
		v, ok := n.Value.(int)
		if !ok || v < least || v > most {
			return n.Fail("%s: it is %s, a whole number from %d on is expected", key, n.Kind(), least)
		}
		*to = v
		return nil
	}
}

// optional is whole for settings that may be left to others.
func optional(key string, least int, to **int) func(*node) error {
	return func(n *node) error {
		v := new(int)
		if err := whole(key, least, v)(n); err != nil {
			return err
		}
		*to = v
		return nil
	}
}

func seed(key string, to **uint64) func(*node) error {
	return func(n *node) error {
		v, ok := n.Value.(int)
		if !ok || v < 0 {
			return n.Fail("%s: it is %s, a whole number from 0 on is expected", key, n.Kind())
		}
		u := uint64(v)
		*to = &u
		return nil
	}
}

// number reads a number from 0 to below a bound.
func number(key string, bound float64, to **float64) func(*node) error {
	return func(n *node) error {
		var v float64
		switch x := n.Value.(type) {
		case int:
			v = float64(x)
		case float64:
			v = x
		case string: // YAML 1.2 has no 3e-4 without a point in some readers
			var err error
			if v, err = strconv.ParseFloat(x, 64); err != nil {
				v = math.NaN()
			}
		default:
			v = math.NaN()
		}
		if !(v >= 0 && v < bound) {
			return n.Fail("%s: it is %s, a number from 0 to below %v is expected", key, n.Kind(), bound)
		}
		*to = &v
		return nil
	}
}

// texts reads one text or a list of texts.
func texts(key string, to *[]string) func(*node) error {
	return func(n *node) error {
		*to = nil
		for _, e := range n.Entries() {
			var s string
			if err := text(key, &s)(e); err != nil {
				return err
			}
			*to = append(*to, s)
		}
		if len(*to) == 0 {
			return n.Fail("%s: the list is empty", key)
		}
		return nil
	}
}
