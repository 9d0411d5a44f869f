package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// shape is how many layers a file has, as its metadata say.
type shape struct {
	arch   string
	layers int // that run one after another
	behind int // that predict further tokens, behind the others
}

// maxLayers is llama.cpp's limit.
const maxLayers = 512

func (f *File) shape() (s shape, err error) {
	e, _ := f.Find("general.architecture")
	s.arch, _ = e.Text()
	if s.arch == "" || len(s.arch) > 64 {
		return s, fmt.Errorf("gguf: %s: general.architecture is missing: it is no model of llama.cpp's kind", f.Path)
	}
	if e, ok := f.Find("general.type"); ok {
		if kind, _ := e.Text(); kind != "model" {
			return s, fmt.Errorf("gguf: %s: general.type is %.20q; only models have layers to cut or measure", f.Path, kind)
		}
	}
	if e, ok := f.Find("split.count"); ok {
		if n, _ := e.Int(); n > 1 {
			return s, fmt.Errorf("gguf: %s is one of %d parts: join them first with llama-gguf-split --merge FIRST-PART OUT.gguf", f.Path, n)
		}
	}
	total, ok := f.count(s.arch + ".block_count")
	if !ok || total < 1 || total > maxLayers {
		return s, fmt.Errorf("gguf: %s: %s.block_count is missing or not from 1 to %d", f.Path, s.arch, maxLayers)
	}
	s.behind, _ = f.count(s.arch + ".nextn_predict_layers")
	if s.behind < 0 || s.behind >= total {
		return s, fmt.Errorf("gguf: %s: %s.nextn_predict_layers is %d of %d layers", f.Path, s.arch, s.behind, total)
	}
	s.layers = total - s.behind
	return s, nil
}

// count is a number under a key, -1 where what is there is none that counts something; ok is false where nothing is.
func (f *File) count(key string) (n int, ok bool) {
	e, ok := f.Find(key)
	if !ok {
		return 0, false
	}
	whole, is := e.Int()
	if !is || whole < 0 || whole > math.MaxInt32 {
		return -1, true
	}
	return int(whole), true
}

// surgery rewrites metadata for the layers that stay.
type surgery struct {
	shape
	file  *File
	known architecture
	drop  []int // ascending
	edits map[string]Entry
	added []Entry
	notes []string
}

// operate gives the metadata of the file without the dropped layers, in the file's order, and a sentence for each change.
// anyway goes on with an architecture that is not known, as if its layers were alike.
func operate(f *File, s shape, drop []int, anyway bool) ([]Entry, []string, error) {
	o := &surgery{shape: s, file: f, drop: drop, edits: map[string]Entry{}}
	var ok bool
	if o.known, ok = findArchitecture(s.arch); !ok && !anyway {
		return nil, nil, fmt.Errorf("gguf: what llama.cpp derives from the numbers of layers of %q is not known here; --unproved cuts it as if all layers were alike", s.arch)
	}
	for _, step := range []func() error{o.fitness, o.depths, o.lists, o.thresholds, o.windows, o.recurrent, o.periods, o.shared, o.counts} {
		if err := step(); err != nil {
			return nil, nil, fmt.Errorf("gguf: %s: %w", f.Path, err)
		}
	}
	var metadata []Entry
	for _, e := range f.Metadata {
		if edit, ok := o.edits[e.Key]; ok {
			e = edit
		}
		metadata = append(metadata, e)
	}
	return append(metadata, o.added...), o.notes, nil
}

func (o *surgery) key(name string) string { return o.arch + "." + name }

func (o *surgery) find(name string) (Entry, bool) { return o.file.Find(o.key(name)) }

func (o *surgery) edit(e Entry, format string, a ...any) {
	o.edits[e.Key] = e
	o.notes = append(o.notes, e.Key+" "+fmt.Sprintf(format, a...))
}

func (o *surgery) gone(layer int) bool { return slices.Contains(o.drop, layer) }

// below is how many dropped layers have a number below n.
func (o *surgery) below(n int) int {
	at, _ := slices.BinarySearch(o.drop, n)
	return at
}

// kept is how many layers stay, those behind the last not counted.
func (o *surgery) kept() int { return o.layers - len(o.drop) }

// fitness refuses what cannot be cut at all.
func (o *surgery) fitness() error {
	if o.known.unfit != "" {
		return fmt.Errorf("no layer can be cut out of a %s: %s", o.arch, o.known.unfit)
	}
	for _, t := range o.file.Tensors {
		if strings.HasPrefix(t.Name, "per_layer_") {
			return fmt.Errorf("tensor %q holds a part for each layer, which is not cut", t.Name)
		}
	}
	for name := range layerNumbers {
		if _, ok := o.find(name); ok {
			return fmt.Errorf("%s lists layers by their numbers, which is not rewritten", o.key(name))
		}
	}
	return nil
}

// depths refuses to come from or to a number of layers that llama.cpp takes for a sign.
func (o *surgery) depths() error {
	for _, n := range o.known.depths {
		before, after := o.layers == n, o.kept() == n
		if before == after || strings.HasPrefix(o.arch, "gemma") && o.headsFill() {
			continue
		}
		if before {
			return fmt.Errorf("llama.cpp %s where a %s has %d layers, as this one, and not otherwise: whatever is cut out of it would be run differently", o.known.about, o.arch, n)
		}
		return fmt.Errorf("llama.cpp %s where a %s has %d layers, which are what would be left: choose another number of layers", o.known.about, o.arch, n)
	}
	return nil
}

// windowless tells whether no attention.sliding_window is set.
func (o *surgery) windowless() bool {
	n, _ := o.file.count(o.key("attention.sliding_window"))
	return n == 0
}

// headsFill tells whether both scales that llama.cpp chooses from are the same.
func (o *surgery) headsFill() bool {
	d, _ := o.file.count(o.key("embedding_length"))
	h, _ := o.file.count(o.key("attention.head_count"))
	k, _ := o.file.count(o.key("attention.key_length"))
	return h > 0 && d/h == k
}

// lists cuts lists with an element for each layer, and refuses those whose length says that they are such a list but whose
// meaning is not known.
func (o *surgery) lists() error {
	for _, e := range o.file.Metadata {
		if e.Kind != Array {
			continue
		}
		name, ours := strings.CutPrefix(e.Key, o.arch+".")
		known := ours && perLayer[name] || perLayerElsewhere[e.Key]
		fits := e.Count == o.layers || e.Count == o.layers+o.behind
		switch {
		case !ours && !known || otherLists[name]:
		case known && fits && kindSizes[e.Of] > 0:
			o.edit(e.keep(o.gone), "has %d of %d elements", e.Count-len(o.drop), e.Count)
		case known:
			return fmt.Errorf("%s has %d elements of %v for %d layers: the file is damaged", e.Key, e.Count, e.Of, o.layers+o.behind)
		case fits:
			return fmt.Errorf("%s has as many elements as there are layers, but what it means is not known: it can be neither cut nor kept", e.Key)
		}
	}
	return nil
}

// thresholds lowers numbers of leading layers by those that go among them.
func (o *surgery) thresholds() error {
	for _, name := range []string{"leading_dense_block_count", "hash_layer_count"} {
		e, ok := o.find(name)
		n, whole := e.Int()
		if !ok {
			continue
		}
		if !whole || n < 0 || n > maxLayers {
			return fmt.Errorf("%s is no number of layers: the file is damaged", e.Key)
		}
		if gone := o.below(int(n)); gone > 0 {
			o.edit(e.withInt(n-int64(gone)), "is %d, was %d", n-int64(gone), n)
		}
	}
	if n, _ := o.file.count(o.key("n_deepstack_layers")); n > 0 && o.below(n) > 0 {
		return fmt.Errorf("images enter the first %d layers one by one (%s): none of them can go", n, o.key("n_deepstack_layers"))
	}
	return nil
}

// windows keeps which layers have a sliding window: by the period that llama.cpp assumes, or by the list that it reads instead.
func (o *surgery) windows() error {
	const name = "attention.sliding_window_pattern"
	e, ok := o.find(name)
	if o.known.windows == nil && ok && e.Kind != Array {
		return fmt.Errorf("%s is a number, whose meaning for a %s is not known", e.Key, o.arch)
	}
	if o.known.windows == nil || ok && e.Kind == Array || o.known.windowsIf && o.windowless() {
		return nil
	}
	p := *o.known.windows
	if ok {
		n, whole := e.Int()
		if !whole || n < 0 || n > maxLayers {
			return fmt.Errorf("%s is no period: the file is damaged", e.Key)
		}
		p.n = int(n)
	}
	if o.whole(p) {
		return nil
	}
	list := flags(o.key(name), make([]bool, 0))
	for i := range o.layers + o.behind {
		if !o.gone(i) {
			list.append(i < o.layers && !p.has(i))
		}
	}
	o.write(list, ok, "lists which layers have a sliding window, since every %d. has none no longer; a llama.cpp that does not read it as a list for a %s would run other windows%s", p.n, o.arch, o.aligned(p.n))
	return nil
}

// recurrent does the same for layers with recurrent instead of full attention.
func (o *surgery) recurrent() error {
	if o.known.recurrent == 0 {
		return nil
	}
	const name = "attention.recurrent_layers"
	if e, ok := o.find(name); ok && e.Kind == Array {
		return nil
	}
	p := period{n: o.known.recurrent}
	if n, ok := o.file.count(o.key("full_attention_interval")); ok {
		if n < 1 || n > maxLayers {
			return fmt.Errorf("%s is no period: the file is damaged", o.key("full_attention_interval"))
		}
		p.n = n
	}
	if o.whole(p) {
		return nil
	}
	list := flags(o.key(name), nil)
	for i := range o.layers + o.behind {
		if !o.gone(i) {
			list.append(i < o.layers && !p.has(i))
		}
	}
	o.write(list, false, "lists the recurrent layers, since every %d. has full attention no longer%s", p.n, o.aligned(p.n))
	return nil
}

// write puts a list in the place of a number, or behind everything.
func (o *surgery) write(e Entry, there bool, format string, a ...any) {
	if there {
		o.edit(e, format, a...)
		return
	}
	o.added = append(o.added, e)
	o.notes = append(o.notes, e.Key+" "+fmt.Sprintf(format, a...))
}

// periods refuses to break a period that llama.cpp has no list for.
func (o *surgery) periods() error {
	if window, ok := o.find("attention.sliding_window"); o.arch == "llama4" && ok && window.isZero() {
		if o.gone(o.layers - 1) {
			return fmt.Errorf("llama.cpp leaves the last layer of a %s with %s 0 without rotary positions: it must stay", o.arch, window.Key)
		}
	} else if p := o.known.noRope; p != nil && !o.whole(*p) && (!o.known.noRopeIf || !o.windowless()) {
		return fmt.Errorf("every %d. layer of a %s has no rotary positions, by its number, and llama.cpp reads no list of them%s", p.n, o.arch, o.aligned(p.n))
	}
	for _, name := range []string{"interleave_moe_layer_step", "moe_every_n_layers", "full_attention_interval"} {
		n, ok := o.file.count(o.key(name))
		if !ok || name == "full_attention_interval" && o.known.recurrent > 0 {
			continue
		}
		if n < 0 || n > maxLayers {
			return fmt.Errorf("%s is no period: the file is damaged", o.key(name))
		}
		if !o.whole(period{n: n}) {
			return fmt.Errorf("%s says that every %d. layer differs, and llama.cpp reads no list of them%s", o.key(name), n, o.aligned(n))
		}
	}
	return nil
}

// whole tells whether every layer that stays keeps its role under a period.
func (o *surgery) whole(p period) bool {
	to := 0
	for i := range o.layers {
		if o.gone(i) {
			continue
		}
		if p.has(i) != p.has(to) {
			return false
		}
		to++
	}
	return true
}

// aligned names the cuts nearest to one block that do keep a period, from the same layer on.
func (o *surgery) aligned(n int) string {
	size, start := len(o.drop), o.drop[0]
	if o.drop[size-1]-start+1 != size {
		return fmt.Sprintf("; ranges of %d layers or a multiple keep the period", n)
	}
	var near []string
	for _, size := range []int{size / n * n, (size/n + 1) * n} {
		if from := min(start, o.layers-size); size > 0 && from >= 0 && size < o.layers {
			near = append(near, fmt.Sprintf("%d:%d", from, from+size))
		}
	}
	if len(near) == 0 {
		return ""
	}
	return "; --layers " + strings.Join(near, " or ") + " keeps the period"
}

// shared keeps the layers at the end that use the keys and values of earlier ones pointing at the same layers.
func (o *surgery) shared() error {
	e, ok := o.find("attention.shared_kv_layers")
	n, whole := e.Int()
	if !ok || whole && n == 0 {
		return nil
	}
	first := o.layers + o.behind - int(n)
	if !whole || n < 0 || n > maxLayers || first < 2 {
		return fmt.Errorf("%s is no number of layers: the file is damaged", e.Key)
	}
	if o.gone(first-1) || o.gone(first-2) {
		return fmt.Errorf("the last %d layers use the keys and values of layers %d and %d (%s): these two must stay", n, first-2, first-1, e.Key)
	}
	if gone := len(o.drop) - o.below(first); gone > 0 {
		o.edit(e.withInt(n-int64(gone)), "is %d, was %d", n-int64(gone), n)
	}
	return nil
}

// counts writes the number of layers, and what llama.cpp would compute from it.
func (o *surgery) counts() error {
	e, _ := o.find("block_count")
	n := int64(o.kept() + o.behind)
	o.edit(e.withInt(n), "is %d, was %d", n, o.layers+o.behind)
	if o.behind > 0 {
		o.notes = append(o.notes, fmt.Sprintf("the last %d layers, which predict further tokens, are kept", o.behind))
	}
	if _, ok := o.find("residual_scale"); o.arch == "minicpm" && !ok {
		scale := float32(1.4 / math.Sqrt(float64(o.layers)))
		e := Entry{Key: o.key("residual_scale"), Kind: Float32, data: binary.LittleEndian.AppendUint32(nil, math.Float32bits(scale))}
		o.write(e, false, "is %g, which llama.cpp would otherwise compute from the number of layers", scale)
	}
	return nil
}

// append adds a truth value to a list of them.
func (e *Entry) append(v bool) {
	e.Count++
	if v {
		e.data = append(e.data, 1)
	} else {
		e.data = append(e.data, 0)
	}
}

// layerOf finds the layer's number in a tensor's name.
func layerOf(name string) (layer int, rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, "blk.")
	if !ok {
		return 0, "", false
	}
	number, rest, ok := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 || strconv.Itoa(n) != number {
		return 0, "", false
	}
	return n, rest, true
}
