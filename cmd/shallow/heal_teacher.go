package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"shallow/decoder"
	"shallow/heal"
	"shallow/plan"
)

// teacher is the unpruned model on the device of the one that is healed; nil where none is needed.
type teacher struct{ model *decoder.Model }

// teacher opens --teacher.
func (c *healCommand) teacher(ctx context.Context, e *engine) (*teacher, error) {
	if c.Teacher == "" {
		return nil, nil
	}
	if c.Loss == string(heal.NextToken) {
		return nil, usagef("--teacher is for --loss match and distill")
	}
	dir, err := localModel(ctx, c.Teacher, c.Quiet)
	if err != nil {
		return nil, err
	}
	cp, err := openModel(dir)
	if err != nil {
		return nil, err
	}
	o := decoder.Options{}
	switch c.Base {
	case "bf16":
		o.Precision = decoder.BFloat16
	case "float32":
		o.Precision = decoder.Float32
	}
	m, err := decoder.Open(e.device, cp, o)
	if err != nil {
		cp.Close()
		return nil, err
	}
	return &teacher{m}, nil
}

// Close closes the model.
func (t *teacher) Close() {
	if t != nil {
		t.model.Close()
		t.model.Checkpoint.Close()
	}
}

func (t *teacher) options(temperature float64) *heal.Teacher {
	if t == nil {
		return nil
	}
	return &heal.Teacher{Model: t.model, Temperature: temperature}
}

// cut is where layers are gone: what --cut says, or the deepest of plan.json's ranges; nil where neither is there.
func (c *healCommand) cut(e *engine) (*heal.Cut, error) {
	if c.Cut != "" {
		var at heal.Cut
		if n, err := fmt.Sscanf(c.Cut, "%d:%d", &at.Layer, &at.Behind); n != 2 || err != nil {
			return nil, usagef("--cut %s is not LAYER:ORIGINAL, as 21:29", c.Cut)
		}
		return &at, nil
	}
	p, err := plan.Read(filepath.Join(e.Checkpoint.Dir, "plan.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case p.Layers-len(p.Drop) != e.Spec.L || len(p.Ranges) == 0:
		return nil, nil // a plan that is yet to be carried out
	}
	last := p.Ranges[len(p.Ranges)-1]
	return &heal.Cut{Layer: last[1] - len(p.Drop), Behind: last[1]}, nil
}
