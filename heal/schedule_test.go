package heal

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"shallow/internal/shared"
)

// TestSchedules compares with transformers' schedule.
func TestSchedules(t *testing.T) {
	data, err := os.ReadFile(shared.Dir(t, "reference", "lora", "parts", "schedules.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:n], &header); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Schedule{
		"warmup100_total5000": {Peak: 3e-4, Warmup: 100, Steps: 5000},
		"warmup5_total20":     {Peak: 1e-3, Warmup: 5, Steps: 20},
	} {
		at := header[name].Offsets
		if at[1]-at[0] != 8*(s.Steps+1) {
			t.Fatalf("%s lies at %v", name, at)
		}
		for k := range s.Steps + 1 {
			want := math.Float64frombits(binary.LittleEndian.Uint64(data[int(n)+at[0]+8*k:]))
			if got := s.Rate(k); !(math.Abs(got-want) <= 1e-14*s.Peak) {
				t.Fatalf("%s: the rate of step %d is %v, want %v", name, k, got, want)
			}
		}
	}
}

func TestScheduleEdges(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		step int
		want float64
	}{
		{Schedule{1, 0, 1}, 0, 1},
		{Schedule{1, 0, 4}, 4, 0},
		{Schedule{1, 0, 4}, 9, 0},
		{Schedule{1, 4, 4}, 2, 0.5},
		{Schedule{1, 4, 4}, 4, 1},
		{Schedule{2, 9, 4}, 3, 2. / 3},
	} {
		if got := c.s.Rate(c.step); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%+v: the rate of step %d is %v, want %v", c.s, c.step, got, c.want)
		}
	}
	for steps, want := range map[int]int{1: 1, 10: 1, 20: 2, 101: 11, 1000: 100, 5000: 100} {
		if got := DefaultWarmup(steps); got != want {
			t.Errorf("%d steps are warmed up in %d, want %d", steps, got, want)
		}
	}
}
