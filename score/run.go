package score

import (
	"context"
	"errors"
	"fmt"

	"shallow/compute"
	"shallow/decoder"
)

// run is one group of requests on its way through all variants.
type run struct {
	model    *decoder.Model
	forest   *forest
	tree     *tree
	results  [][]Result
	progress *counter

	branches []branch
	outs     []out
}

// branch is variants that have gone through the same layers so far.
type branch struct {
	variants []int
	group    *decoder.Group
}

// out is the states that leave the last layer of some variants, in the rows that predict something.
type out struct {
	variants []int
	states   compute.Tensor
}

// through takes the group through the layers and the head.
func (r *run) through(ctx context.Context) error {
	defer r.close()
	g, err := r.model.StartTree(r.tree.segments)
	if err != nil {
		return fmt.Errorf("score: %w", err)
	}
	all := make([]int, len(r.forest.drops))
	for v := range all {
		all[v] = v
	}
	r.branches = []branch{{all, g}}
	for layer, err := range r.model.Layers(r.forest.unused) {
		if err != nil {
			return err
		}
		if err := r.layer(ctx, layer); err != nil {
			return err
		}
	}
	head := r.model.Head()
	defer head.Release()
	for _, o := range r.outs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.predict(head, o); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) close() {
	for _, b := range r.branches {
		b.group.Close()
	}
	for _, o := range r.outs {
		r.model.Device.Release(o.states.Memory)
	}
}

// layer takes each branch through a layer. A branch of which some variants lack the layer parts there.
func (r *run) layer(ctx context.Context, layer *decoder.Layer) error {
	branches := r.branches
	r.branches = nil
	for i, b := range branches {
		through, ends, around := r.forest.part(b.variants, layer.Index)
		if len(ends) > 0 {
			o := out{variants: ends, states: r.model.Device.New(compute.Float32, len(r.tree.rows), r.model.Spec.D)}
			r.outs = append(r.outs, o)
			b.group.ForwardRows(layer, r.tree.rows, o.states)
			r.progress.add(int64(b.group.Rows()))
		}
		if len(around) > 0 {
			own := b.group
			if len(through) > 0 {
				own = b.group.Clone()
			}
			r.branches = append(r.branches, branch{around, own})
		}
		if len(through) > 0 {
			r.branches = append(r.branches, branch{through, b.group})
			for rows := range b.group.Through(layer) {
				if err := ctx.Err(); err != nil {
					r.branches = append(r.branches, branches[i+1:]...)
					return err
				}
				r.progress.add(int64(rows))
			}
		}
		if len(through)+len(around) == 0 {
			b.group.Close()
		}
	}
	return ctx.Err()
}

// predict adds up the log-likelihoods of the variants that an out belongs to.
func (r *run) predict(head *decoder.Head, o out) error {
	to := r.results[o.variants[0]]
	for _, request := range r.tree.requests {
		to[request] = Result{Greedy: true}
	}
	// A row's targets come in the order of their places in the request, so each sum runs over ascending places.
	err := head.Predict(o.states, func(row int, p decoder.Prediction) error {
		for _, w := range r.tree.targets[row] {
			to[w.request].LogLikelihood += p.LogProb(w.id)
			to[w.request].Greedy = to[w.request].Greedy && w.id == p.Top
		}
		return nil
	})
	var broken *decoder.RowError
	if errors.As(err, &broken) {
		request := r.tree.targets[broken.Row][0].request
		return &RequestError{request, r.explain(r.forest.drops[o.variants[0]], request, broken)}
	}
	for _, v := range o.variants[1:] {
		for _, request := range r.tree.requests {
			r.results[v][request] = to[request]
		}
	}
	return err
}

// explain runs a request alone to find the layer and the weight that made its logits not finite.
func (r *run) explain(drop []int, request int, broken error) error {
	q := &r.tree.all[request]
	ids := make([]int, q.fed())
	for i := range ids {
		ids[i] = q.at(i)
	}
	g, err := r.model.Start([][]int{ids})
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Finite(-1); err != nil {
		return err
	}
	for layer, err := range r.model.Layers(drop) {
		if err != nil {
			return err
		}
		g.Forward(layer)
		if err := g.Finite(layer.Index); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w, though all states are: a weight of the final norm or of the head is broken", broken)
}
