package nf4_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/compute/cpu"
	"shallow/nf4"
)

// TestDevice: a device that computes with codes and scales reads the same numbers from them.
func TestDevice(t *testing.T) {
	const rows, cols = 9, 37
	var data []byte
	for i := range rows * cols {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(math.Sin(float64(i*i)))))
	}
	m, err := nf4.Quantize(checkpoint.F32, data, rows, cols, nf4.Options{})
	if err == nil {
		m, err = m.Double()
	}
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, rows*cols)
	m.Float32(want, 0)

	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	ids := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}
	chosen := dev.New(compute.Int32, rows, 1)
	dev.Upload(chosen, compute.Bytes(ids))
	out := dev.New(compute.Float32, rows, cols)
	dev.Embed(out, dev.LoadNF4(m.Rows, m.Cols, m.Codes, m.Absmax), chosen, 1)
	got := make([]float32, rows*cols)
	if err := dev.Download(compute.Bytes(got), out); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the device reads %v, want %v", got, want)
	}
}
