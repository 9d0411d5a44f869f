package main

import (
	"context"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/machine"
)

// engineFlags say how a model is computed.
type engineFlags struct {
	Threads   int    `help:"Threads that compute; 0 is all processors." default:"0" placeholder:"N"`
	Precision string `help:"Kind in which products are multiplied: auto, bfloat16 or float32. auto is bfloat16 for bfloat16 weights where the processor has the instructions." enum:"auto,bfloat16,float32" default:"auto" placeholder:"KIND"`
}

// engine is a model on a device.
type engine struct {
	*decoder.Model
	device *cpu.Device
}

// open opens a model, downloaded first where it is one of the hub. pack says whether many rows will go through each layer.
func (e engineFlags) open(ctx context.Context, model string, pack, quiet bool) (*engine, error) {
	return e.openAs(ctx, model, decoder.Options{Pack: pack}, quiet)
}

// openAs is open with all options but the precision, which is the flag's where it says one.
func (e engineFlags) openAs(ctx context.Context, model string, o decoder.Options, quiet bool) (*engine, error) {
	return e.openWith(ctx, model, o, quiet, openRunnable)
}

// openWith is openAs with another way to open the directory.
func (e engineFlags) openWith(ctx context.Context, model string, o decoder.Options, quiet bool, open func(dir string) (*checkpoint.Checkpoint, error)) (*engine, error) {
	if e.Threads < 0 {
		return nil, usagef("--threads must not be negative")
	}
	precision, err := decoder.ParsePrecision(e.Precision)
	if err != nil {
		return nil, err
	}
	if precision != decoder.Auto {
		o.Precision = precision
	}
	dir, err := localModel(ctx, model, quiet)
	if err != nil {
		return nil, err
	}
	device, err := cpu.New(cpu.Options{Threads: e.Threads})
	if err != nil {
		return nil, err
	}
	c, err := open(dir)
	if err != nil {
		device.Close()
		return nil, err
	}
	m, err := decoder.Open(device, c, o)
	if err != nil {
		c.Close()
		device.Close()
		return nil, err
	}
	return &engine{m, device}, nil
}

// Close closes model, checkpoint and device.
func (e *engine) Close() {
	e.Model.Close()
	e.Checkpoint.Close()
	e.device.Close()
}

// memoryFlag bounds the memory of a run.
type memoryFlag struct {
	Memory byteSize `help:"Memory for weights, activations and states, as 4GB; half of the machine's, at most 16GB, if not given." placeholder:"SIZE"`
}

// bytes is the bound, 0 for none where the system does not say how much there is.
func (m memoryFlag) bytes() int64 {
	if m.Memory > 0 {
		return int64(m.Memory)
	}
	return min(machine.Memory()/2, 16e9)
}
