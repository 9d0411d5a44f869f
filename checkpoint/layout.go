package checkpoint

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Layout says which tensors belong to which layer, found from tensor names alone.
type Layout struct {
	Prefix  string     // what stands before the layer's number, such as "model.layers."
	Layers  int        // L
	Tensors [][]string // [L] full names, sorted
	Extra   [][]string // further numbers after L: the layers that predict more tokens ahead (num_nextn_predict_layers)
	Outside []string   // tensors of no layer: embeddings, final norm, head, other lists
}

// Layout finds the list of layers in the tensor names and checks it against the number of layers in config.json.
func (c *Checkpoint) Layout() (Layout, error) {
	l, err := FindLayout(c.names, c.Config.Layers(), c.Config.NextTokenLayers())
	if err != nil {
		return l, fmt.Errorf("checkpoint: %s: %w", c.Dir, err)
	}
	return l, nil
}

// nextTokenKeys count the layers that stand behind the last one and predict further tokens.
var nextTokenKeys = []string{"num_nextn_predict_layers", "num_mtp_layers"}

// NextTokenLayers is how many layers that predict further tokens may be numbered on after the last layer.
func (c *Config) NextTokenLayers() int {
	d := c.Decoder()
	for _, key := range nextTokenKeys {
		if d.Has(key) {
			return d.Int(key, 0)
		}
	}
	return 0
}

// FindLayout looks for names that differ in their first number between dots: "model.layers.0.…", "model.layers.1.…", ….
// Later numbers (experts) are within a layer. The list must have the given number of layers, or that and nextn more; where
// layers is 0, the list with the most tensors is taken.
func FindLayout(names []string, layers, nextn int) (Layout, error) {
	lists := map[string]map[int]int{} // prefix → number → tensors
	for _, name := range names {
		if prefix, n, _, ok := splitNumber(name); ok {
			if lists[prefix] == nil {
				lists[prefix] = map[int]int{}
			}
			lists[prefix][n]++
		}
	}
	prefix, err := chooseList(lists, layers, nextn)
	if err != nil {
		return Layout{}, err
	}
	if layers == 0 {
		layers = len(lists[prefix])
	}
	l := Layout{Prefix: prefix, Layers: layers, Tensors: make([][]string, layers), Extra: make([][]string, len(lists[prefix])-layers)}
	for _, name := range names {
		n, _, ok := l.Split(name)
		switch {
		case !ok:
			l.Outside = append(l.Outside, name)
		case n < layers:
			l.Tensors[n] = append(l.Tensors[n], name)
		default:
			l.Extra[n-layers] = append(l.Extra[n-layers], name)
		}
	}
	for _, group := range append(append([][]string{l.Outside}, l.Tensors...), l.Extra...) {
		sort.Strings(group)
	}
	return l, nil
}

func chooseList(lists map[string]map[int]int, layers, nextn int) (string, error) {
	var prefixes []string
	for prefix := range lists {
		prefixes = append(prefixes, prefix)
	}
	sort.Slice(prefixes, func(i, j int) bool {
		a, b := tensors(lists[prefixes[i]]), tensors(lists[prefixes[j]])
		if a != b {
			return a > b
		}
		return prefixes[i] < prefixes[j]
	})
	var fit []string
	for _, prefix := range prefixes {
		numbers := lists[prefix]
		if n := len(numbers); whole(numbers) && (layers == 0 || n == layers || nextn > 0 && n-layers == nextn) {
			fit = append(fit, prefix)
		}
	}
	if text := withoutTowers(fit); len(fit) > 1 && layers > 0 && len(text) == 1 {
		fit = text
	}
	switch {
	case len(prefixes) == 0:
		return "", fmt.Errorf("no tensor has a layer's number in its name")
	case len(fit) == 0:
		return "", explainMisfit(prefixes[0], lists[prefixes[0]], layers)
	case len(fit) > 1 && layers > 0:
		return "", fmt.Errorf("tensors are numbered up to %d layers under both %q and %q: which of them are the decoder's is not known", layers, fit[0], fit[1])
	}
	return fit[0], nil
}

// towers are the words by which the names of other models in a multimodal checkpoint are known.
var towers = []string{"vision", "visual", "image", "audio", "speech", "vit"}

// withoutTowers leaves the lists out that belong to a model of pictures or sound: it may have as many layers as the decoder.
func withoutTowers(prefixes []string) (rest []string) {
	for _, prefix := range prefixes {
		tower := false
		for _, part := range strings.FieldsFunc(prefix, func(r rune) bool { return r == '.' || r == '_' }) {
			for _, word := range towers {
				tower = tower || part == word
			}
		}
		if !tower {
			rest = append(rest, prefix)
		}
	}
	return rest
}

func explainMisfit(prefix string, numbers map[int]int, layers int) error {
	for i := range max(layers, len(numbers)) {
		if numbers[i] == 0 {
			return fmt.Errorf("layer %d has no tensors under %q, config.json says %d layers: the download is incomplete or the config is another model's", i, prefix, layers)
		}
	}
	return fmt.Errorf("tensors under %q are numbered up to %d layers, config.json says %d: the config is another model's", prefix, len(numbers), layers)
}

func tensors(numbers map[int]int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}

// whole tells whether the numbers are 0 … n−1.
func whole(numbers map[int]int) bool {
	for i := range len(numbers) {
		if numbers[i] == 0 {
			return false
		}
	}
	return true
}

// Split takes a name apart: the layer's number and what follows it, dot included. ok is false for tensors of no layer.
func (l Layout) Split(name string) (layer int, rest string, ok bool) {
	prefix, layer, rest, ok := splitNumber(name)
	return layer, rest, ok && prefix == l.Prefix
}

// Rename is the name of the same tensor in another layer. The name must be one that Split takes.
func (l Layout) Rename(name string, layer int) string {
	_, rest, _ := l.Split(name)
	return l.Prefix + strconv.Itoa(layer) + rest
}

// splitNumber finds the first part between dots that is a plain decimal number below MaxLayers.
func splitNumber(name string) (prefix string, number int, rest string, ok bool) {
	for start := 0; start <= len(name); {
		end := start + strings.IndexByte(name[start:], '.')
		if end < start {
			end = len(name)
		}
		part := name[start:end]
		if n, err := strconv.Atoi(part); err == nil && n >= 0 && n < 2*MaxLayers && strconv.Itoa(n) == part {
			return name[:start], n, name[end:], true
		}
		start = end + 1
	}
	return "", 0, "", false
}
