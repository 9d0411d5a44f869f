package main

import (
	"fmt"

	"shallow/decoder"
	"shallow/plan"
)

// cutFlags leave layers out of a model in memory; nothing is written.
type cutFlags struct {
	Plan   string `help:"plan.json, whose layers are left out." placeholder:"FILE"`
	Layers string `help:"Or the layers to leave out: 21:29 for layers 21 to 28, 21:29,3:5 for two ranges." placeholder:"RANGES"`
}

// drop is the layers that are left out of a model.
func (c cutFlags) drop(m *decoder.Model) ([]int, error) {
	switch {
	case c.Plan != "" && c.Layers != "":
		return nil, usagef("give either --plan or --layers")
	case c.Layers != "":
		return plan.ParseLayers(c.Layers, m.Spec.L)
	case c.Plan == "":
		return nil, nil
	}
	p, err := plan.Read(c.Plan)
	if err != nil {
		return nil, err
	}
	if p.Layers != m.Spec.L {
		return nil, fmt.Errorf("plan: %s is for a model of %d layers, this one has %d", c.Plan, p.Layers, m.Spec.L)
	}
	return p.Drop, nil
}
