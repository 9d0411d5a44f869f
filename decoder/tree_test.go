package decoder_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"shallow/compute"
	"shallow/decoder"
	"shallow/internal/shared"
)

// randomTree is segments of up to most tokens, depth first, and the whole sequence that each of them ends.
func randomTree(r *rand.Rand, spec *decoder.Spec, segments, most int) (tree []decoder.Segment, whole [][]int) {
	limit := 250
	if p := spec.Positions; p > 0 {
		limit = p
	}
	for len(tree) < segments {
		parent := -1
		var before []int
		// Up from the last segment by a random number of steps.
		for at := len(tree) - 1; at >= 0 && r.IntN(8) > 0; at = tree[at].Parent {
			if r.IntN(2) == 0 {
				parent, before = at, whole[at]
				break
			}
		}
		ids := make([]int, 1+r.IntN(most))
		for i := range ids {
			ids[i] = r.IntN(spec.V)
		}
		all := append(append([]int{}, before...), ids...)
		if len(all) > limit || parent >= 0 && !spec.Shares(len(all)) {
			continue
		}
		tree, whole = append(tree, decoder.Segment{Parent: parent, IDs: ids}), append(whole, all)
	}
	return tree, whole
}

func TestTreeEqualsWholeSequences(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			bothPrecisions(t, func(t *testing.T, p decoder.Precision) {
				e := readExpected(t, name)
				r := rand.New(rand.NewPCG(5, 6))
				alone := openModel(t, e.dir, 1, decoder.Options{Precision: p})
				for threads, rows := range []int{0, 7, 100} {
					m := openModel(t, e.dir, threads+1, decoder.Options{Precision: p, Rows: rows})
					tree, whole := randomTree(r, m.Spec, 24, []int{90, 30, 70}[threads])
					g, err := m.StartTree(tree)
					if err != nil {
						t.Fatal(err)
					}
					defer g.Close()
					wholes, err := alone.Start(whole)
					if err != nil {
						t.Fatal(err)
					}
					defer wholes.Close()
					var wanted []int
					for row := range g.Rows() {
						if r.IntN(3) == 0 {
							wanted = append(wanted, row)
						}
					}
					some := m.Device.New(compute.Float32, len(wanted), m.Spec.D)
					layers := alone.Layers(nil)
					m.Layers(nil)(func(l *decoder.Layer, err error) bool {
						if err != nil {
							t.Fatal(err)
						}
						if l.Index == m.Spec.L-1 {
							g.ForwardRows(l, wanted, some)
						}
						g.Forward(l)
						return true
					})
					for l, err := range layers {
						if err != nil {
							t.Fatal(err)
						}
						wholes.Forward(l)
					}
					d := m.Spec.D
					x, want, last := download(t, m, g.X()), download(t, alone, wholes.X()), download(t, m, some)
					for i := range tree {
						lo, hi := g.Offsets()[i], g.Offsets()[i+1]
						end := wholes.Offsets()[i+1]
						sameBits(t, fmt.Sprintf("%d threads, segment %d behind %d", threads+1, i, tree[i].Parent), x[lo*d:hi*d], want[(end-(hi-lo))*d:end*d])
					}
					for i, row := range wanted {
						sameBits(t, fmt.Sprintf("row %d of the last layer", row), last[i*d:(i+1)*d], x[row*d:(row+1)*d])
					}
				}
			})
		})
	}
}

func TestTreesThatAreNone(t *testing.T) {
	m := openModel(t, shared.Family(t, "llama-plain"), 1, decoder.Options{})
	for want, tree := range map[string][]decoder.Segment{
		"not on its path": {{-1, []int{1}}, {-1, []int{2}}, {0, []int{3}}},
		"segment 1 of a":  {{-1, []int{1}}, {1, []int{2}}},
		"empty":           {{-1, []int{1}}, {0, nil}},
		"vocabulary":      {{-1, []int{1 << 20}}},
		"no sequences":    nil,
	} {
		if _, err := m.StartTree(tree); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", tree, err, want)
		}
	}
}
