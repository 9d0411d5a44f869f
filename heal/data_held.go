package heal

import (
	"fmt"
	"slices"
)

// holdOut takes the documents for validation out of the sources.
func (d *Data) holdOut() error {
	o := &d.options
	if len(o.Validation) > 0 {
		var err error
		if d.held, _, err = o.compact("validation", o.Validation); err == nil && len(d.held) == 0 {
			err = fmt.Errorf("heal: validation: %w", ErrNothingToPredict)
		}
		return err
	}
	if o.Held == 0 {
		return nil
	}
	found := map[uint64]document{}
	for _, s := range d.sources {
		for _, x := range s.documents {
			found[x.hash()] = x
		}
	}
	if o.Held >= len(found) {
		return fmt.Errorf("heal: %d documents are to be held out for validation and there are %d different ones", o.Held, len(found))
	}
	hashes := make([]uint64, 0, len(found))
	for h := range found {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	last := hashes[o.Held-1]
	for _, h := range hashes[:o.Held] {
		d.held = append(d.held, found[h])
	}
	for _, s := range d.sources {
		s.documents = slices.DeleteFunc(s.documents, func(x document) bool { return x.hash() <= last })
		if len(s.documents) == 0 {
			return fmt.Errorf("heal: %s: all of its documents are held out for validation; hold out fewer than %d", s.name, o.Held)
		}
	}
	return nil
}

// hash is a number that equal documents share: FNV-1a of the tokens, mixed. Source: Fowler, Noll and Vo.
func (x document) hash() uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, id := range x.ids {
		h = (h ^ uint64(uint32(id))) * 0x100000001b3
	}
	return mix(h)
}

// Held gives the first n rows of what is validated on, 0 for all: always the same ones, and none that is trained on. A last
// packed row may be shorter.
func (d *Data) Held(n int) []Row {
	var rows []Row
	add := func(p part) {
		if row := d.options.row(p); row.Predicted() > 0 && (n == 0 || len(rows) < n) {
			rows = append(rows, row)
		}
	}
	if !d.options.Pack {
		for _, x := range d.held {
			add(d.options.whole(x))
		}
		return rows
	}
	var all part
	for _, x := range d.held {
		p := d.options.joined(x)
		all.ids, all.weights = append(all.ids, p.ids...), append(all.weights, p.weights...)
	}
	for at := 0; at < len(all.ids); at += d.options.Length {
		end := min(at+d.options.Length, len(all.ids))
		add(part{all.ids[at:end], all.weights[at:end]})
	}
	return rows
}
