package cpu

import (
	"fmt"
	"os"
	"runtime"

	"shallow/compute"
)

// Device computes on the processor. It implements [compute.Device]; its stream runs at once.
type Device struct {
	level Level
	pool  *pool
	rows  rowKernels
	err   error // the first since the last Sync

	attention attention
	gradient  attentionGradient

	product product

	spare [][]uint32 // panels of released packed weights
}

// Options say how a Device computes. The zero value is the best this machine has.
type Options struct {
	// Threads is the number of operating system threads that compute; 0 is all processors.
	Threads int
	// Level forces an instruction-set level; 0 takes SHALLOW_CPU from the environment, or the best there is.
	Level Level
}

// New starts a device. It fails where the level asked for is not one of this processor's.
func New(o Options) (*Device, error) {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Level == 0 {
		o.Level = Best()
		if name := os.Getenv("SHALLOW_CPU"); name != "" {
			l, err := ParseLevel(name)
			if err != nil {
				return nil, fmt.Errorf("SHALLOW_CPU: %w", err)
			}
			o.Level = l
		}
	}
	if o.Level > Best() {
		return nil, fmt.Errorf("cpu: this processor has no %v; the best it has is %v", o.Level, Best())
	}
	return &Device{level: o.Level, pool: newPool(o.Threads), rows: rowsAt(o.Level)}, nil
}

// Level is the instruction-set level the device computes at.
func (d *Device) Level() Level { return d.level }

// Threads is the number of threads that compute.
func (d *Device) Threads() int { return d.pool.threads }

// String names the device, its level and its threads.
func (d *Device) String() string {
	return fmt.Sprintf("cpu %v, %d threads", d.level, d.pool.threads)
}

// Close ends the device's threads.
func (d *Device) Close() { d.pool.close() }

// Multiplies is BFloat16 for bfloat16 and NF4 weights where the processor multiplies bfloat16 faster than float32, Float32
// otherwise.
func (d *Device) Multiplies(weights compute.Kind) compute.Kind {
	if d.level >= AVX512BF16 && fastBFloat16() && (weights == compute.BFloat16 || weights == compute.NF4) {
		return compute.BFloat16
	}
	return compute.Float32
}

// Sync returns the first error since the last one; the operations themselves have all run.
func (d *Device) Sync() error {
	err := d.err
	d.err = nil
	return err
}

// fail keeps the first error. Operations return at once while there is one.
func (d *Device) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("cpu: "+format, a...)
	}
}

// ok reports whether operations should still run.
func (d *Device) ok() bool { return d.err == nil }
