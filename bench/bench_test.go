package bench_test

import (
	"testing"

	"shallow/bench"
	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/randommodel"
)

func open(t *testing.T) *cpu.Device {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dev.Close)
	return dev
}

func TestProductsOfEveryKind(t *testing.T) {
	dev := open(t)
	products, err := bench.Products(dev, bench.Shape{M: 16, K: 128, N: 64}, 2)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, p := range products {
		kinds[p.Weights] = true
		if !(p.GFLOPS > 0) || p.Best < p.GFLOPS {
			t.Errorf("%+v", p)
		}
	}
	for _, kind := range []string{"float32", "bfloat16", "float16", "nf4"} {
		if !kinds[kind] {
			t.Errorf("no product of %s weights", kind)
		}
	}
}

func TestModelRates(t *testing.T) {
	dir := t.TempDir() + "/model"
	if err := randommodel.Write(dir, 1); err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := decoder.Open(open(t), c, decoder.Options{Pack: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b, err := bench.Run(m, "demo", bench.Options{Length: 24, Tokens: 96, Rounds: 2, Steps: 3, Decode: true, Bandwidth: 10})
	if err != nil {
		t.Fatal(err)
	}
	if b.Measure.Tokens != 96 || !(b.Measure.TokensPerSec > 0) || !(b.Measure.Limit > 0) || !(b.Measure.PackSeconds > 0) {
		t.Errorf("measure: %+v", b.Measure)
	}
	if want := c.Size(); b.Decode.StepBytes < want*9/10 || b.Decode.StepBytes > want || !(b.Decode.TokensPerSec > 0) {
		t.Errorf("decode: %+v of a checkpoint of %d bytes", b.Decode, want)
	}
}

func TestParseShape(t *testing.T) {
	if s, err := bench.ParseShape("512x2048x5632"); err != nil || s != bench.DefaultShape {
		t.Errorf("%v, %v", s, err)
	}
	for _, bad := range []string{"", "1x2", "1x2x3x4", "1x-2x3", "axbxc", "1x2x99999999"} {
		if s, err := bench.ParseShape(bad); err == nil {
			t.Errorf("%q is %v", bad, s)
		}
	}
}
