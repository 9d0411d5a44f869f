package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
	"shallow/gguf"
)

type inspectCommand struct {
	Model string `arg:"" help:"Model directory, GGUF file or hub id."`
	JSON  bool   `help:"Print JSON."`
}

// Help shows an example.
func (inspectCommand) Help() string {
	return `Reads config.json and the headers of the weights, not the weights. A model of a family that shallow does
not run is listed from its tensor names.
` + aboutModels + `
Examples:

  shallow inspect models/llama-2-7b
  shallow inspect Qwen/Qwen3-0.6B
`
}

// inspection is what inspect prints.
type inspection struct {
	Model      string   `json:"model"`
	Type       string   `json:"type"`
	Supported  bool     `json:"supported"`
	Note       string   `json:"note,omitempty"` // why it is not supported
	advice     string   // what can be done all the same
	Layers     int      `json:"layers"`
	Hidden     int      `json:"hidden,omitempty"`
	Heads      int      `json:"heads,omitempty"`
	KVHeads    int      `json:"kv_heads,omitempty"`
	HeadSize   int      `json:"head_size,omitempty"`
	Feed       int      `json:"feed_forward,omitempty"`
	Experts    int      `json:"experts,omitempty"` // of each mixture
	Chosen     int      `json:"experts_per_token,omitempty"`
	ExpertFeed int      `json:"expert_feed_forward,omitempty"`
	Vocabulary int      `json:"vocabulary,omitempty"`
	Context    int      `json:"context,omitempty"`
	Parameters int64    `json:"parameters"`
	Bytes      int64    `json:"bytes"`
	DTypes     []string `json:"dtypes"`
	Files      int      `json:"files"`
	CacheBytes int64    `json:"cache_bytes_per_token,omitempty"` // keys and values in bfloat16
	Parts      []part   `json:"parts"`
	Drops      []drop   `json:"drops"`
	Ignored    []string `json:"ignored,omitempty"`
}

// part is some tensors of a model: one outside the layers, or the same module of every layer.
type part struct {
	Name       string `json:"name"`
	Tensors    int    `json:"tensors"`
	Parameters int64  `json:"parameters"`
	Bytes      int64  `json:"bytes"`
}

// drop is what a model is without its deepest n layers but the last; layers may differ in size.
type drop struct {
	N          int   `json:"n"`
	Layers     int   `json:"layers"`
	Parameters int64 `json:"parameters"`
	Bytes      int64 `json:"bytes"`
	CacheBytes int64 `json:"cache_bytes_per_token,omitempty"`
}

// Run prints the inspection.
func (c *inspectCommand) Run(ctx context.Context) error {
	dir, err := localModel(ctx, c.Model, false)
	if err != nil {
		return err
	}
	cp, err := openModel(dir)
	if err != nil {
		return err
	}
	defer cp.Close()
	in, err := inspect(cp)
	if err != nil {
		return err
	}
	if gguf.Is(dir) && !in.Supported {
		in.advice = "" // prune takes it as it is, or says why not
		if in.Note, err = whyGGUF(dir); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(in)
	}
	return in.print()
}

func inspect(cp *checkpoint.Checkpoint) (*inspection, error) {
	layout, err := cp.Layout()
	if err != nil {
		return nil, err
	}
	in := &inspection{Model: cp.Dir, Type: cp.Config.ModelType(), Layers: layout.Layers, Ignored: cp.Ignored}
	spec, err := decoder.NewSpec(cp.Config)
	if err != nil {
		in.Note, in.advice = err.Error(), "; prune it with --unproved"
	} else {
		in.Supported = true
		in.Hidden, in.Heads, in.KVHeads, in.HeadSize = spec.D, spec.H, spec.K, spec.HeadSize
		in.Feed, in.Vocabulary, in.Context = spec.F, spec.V, spec.Context
		in.Experts, in.Chosen, in.ExpertFeed = spec.Experts.Count, spec.Experts.Chosen, spec.Experts.F
		in.CacheBytes = spec.CacheBytes(compute.BFloat16)
	}
	in.addTensors(cp, layout)
	in.addDrops(cp, layout)
	return in, nil
}

// addTensors sums tensors up by part, in the order in which names and layers list them.
func (in *inspection) addTensors(cp *checkpoint.Checkpoint, layout checkpoint.Layout) {
	at := map[string]int{}
	files := map[string]bool{}
	for _, name := range cp.Names() {
		t, _ := cp.Tensor(name)
		label := strings.TrimSuffix(strings.TrimSuffix(name, ".weight"), ".bias")
		if _, rest, ok := layout.Split(name); ok {
			module, _, _ := strings.Cut(strings.TrimPrefix(rest, "."), ".")
			label = layout.Prefix + "*." + module
		}
		i, ok := at[label]
		if !ok {
			i = len(in.Parts)
			at[label] = i
			in.Parts = append(in.Parts, part{Name: label})
		}
		in.Parts[i].Tensors++
		in.Parts[i].Parameters += int64(t.Elements())
		in.Parts[i].Bytes += t.Length
		in.Parameters += int64(t.Elements())
		in.Bytes += t.Length
		files[t.File] = true
		if !slices.Contains(in.DTypes, string(t.DType)) {
			in.DTypes = append(in.DTypes, string(t.DType))
		}
	}
	in.Files = len(files)
}

// addDrops lists an eighth, a quarter, three eighths and a half of the layers gone, and one layer.
func (in *inspection) addDrops(cp *checkpoint.Checkpoint, layout checkpoint.Layout) {
	counts := []int{1, in.Layers / 8, in.Layers / 4, in.Layers * 3 / 8, in.Layers / 2}
	slices.Sort(counts)
	for _, n := range slices.Compact(counts) {
		if n < 1 || n >= in.Layers {
			continue
		}
		d := drop{N: n, Layers: in.Layers - n, Parameters: in.Parameters, Bytes: in.Bytes}
		for l := in.Layers - 1 - n; l < in.Layers-1; l++ {
			for _, name := range layout.Tensors[l] {
				t, _ := cp.Tensor(name)
				d.Parameters -= int64(t.Elements())
				d.Bytes -= t.Length
			}
		}
		d.CacheBytes = in.CacheBytes / int64(in.Layers) * int64(d.Layers)
		in.Drops = append(in.Drops, d)
	}
}

func (in *inspection) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(format string, a ...any) { fmt.Fprintf(w, format+"\n", a...) }
	row("model\t%s", in.Model)
	if in.Supported {
		row("family\t%s", in.Type)
		row("layers\t%d, hidden size %d, %d heads of %d, %d key-value heads, feed-forward %d", in.Layers, in.Hidden, in.Heads, in.HeadSize, in.KVHeads, in.Feed)
		if in.Experts > 0 {
			row("experts\t%d of %d for each token, feed-forward %d", in.Chosen, in.Experts, in.ExpertFeed)
		}
		row("vocabulary\t%d, context %d", in.Vocabulary, in.Context)
	} else {
		row("family\t%s: cannot be run (%s)%s", in.Type, in.Note, in.advice)
		row("layers\t%d, by the tensor names", in.Layers)
	}
	row("weights\t%s parameters, %v, %s in %s", count(in.Parameters), byteSize(in.Bytes), strings.Join(in.DTypes, " and "), plural(in.Files, "file"))
	if in.CacheBytes > 0 {
		row("cache\t%v a token, keys and values in bfloat16", byteSize(in.CacheBytes))
	}
	for _, note := range in.Ignored {
		row("ignored\t%s", note)
	}
	if err := w.Flush(); err != nil {
		return err
	}

	w = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	width := len("part")
	for _, p := range in.Parts {
		width = max(width, len(p.Name))
	}
	row("\n%-*s\ttensors\tparameters\tbytes\tshare\t", width, "part")
	for _, p := range in.Parts {
		row("%-*s\t%d\t%s\t%v\t%.1f %%\t", width, p.Name, p.Tensors, count(p.Parameters), byteSize(p.Bytes), 100*float64(p.Bytes)/float64(max(in.Bytes, 1)))
	}
	if err := w.Flush(); err != nil {
		return err
	}

	w = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	row("\ndropped\tlayers left\tparameters\tbytes\tsaved\tcache a token\t")
	for _, d := range in.Drops {
		cache := "?"
		if d.CacheBytes > 0 {
			cache = byteSize(d.CacheBytes).String()
		}
		row("%d\t%d\t%s\t%v\t%.1f %%\t%s\t", d.N, d.Layers, count(d.Parameters), byteSize(d.Bytes), 100-100*float64(d.Bytes)/float64(max(in.Bytes, 1)), cache)
	}
	return w.Flush()
}

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "s") {
		thing += "e"
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
