package eval

import (
	"encoding/json"
	"math"
	"testing"
)

// TestDifferenceInJSON: the difference of a single document has no standard error, and results.json can be written and read.
func TestDifferenceInJSON(t *testing.T) {
	for want, d := range map[string]Difference{
		`{"task":"t","metric":"acc","filter":"none","baseline":0.5,"difference":-0.25,"stderr":0.125}`: {"t", "acc", "none", 0.5, -0.25, 0.125},
		`{"task":"t","metric":"acc","filter":"none","baseline":0,"difference":1,"stderr":null}`:        {"t", "acc", "none", 0, 1, math.NaN()},
		`{"task":"t","metric":"p","filter":"none","baseline":null,"difference":null,"stderr":null}`:    {"t", "p", "none", math.Inf(1), math.Inf(-1), math.NaN()},
	} {
		data, err := json.Marshal(Settings{Paired: []Difference{d}})
		if err != nil {
			t.Error(err)
			continue
		}
		var parts struct {
			Paired []json.RawMessage `json:"paired_differences"`
		}
		var back Settings
		if json.Unmarshal(data, &parts) != nil || len(parts.Paired) != 1 || string(parts.Paired[0]) != want || json.Unmarshal(data, &back) != nil {
			t.Errorf("%s, want %s", data, want)
		}
	}
}
