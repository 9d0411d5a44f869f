package cpu_test

import (
	"testing"

	"shallow/compute"
	"shallow/compute/computetest"
	"shallow/compute/cpu"
)

func TestConformance(t *testing.T) {
	for _, level := range cpu.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			computetest.Run(t, func(t *testing.T, threads int) compute.Device {
				d, err := cpu.New(cpu.Options{Threads: threads, Level: level})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(d.Close)
				return d
			})
		})
	}
}
