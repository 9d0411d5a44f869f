package decoder

import (
	"math"
	"testing"

	"shallow/checkpoint"
)

// TestRotationsFarOut compares cos and sin of channels 1, 7 and 25 at positions 511, 4095 and 7999 of a sequence of 8000
// with those of transformers 5.23, for heads of 128 channels and a context of 4096. So far out, a frequency or a base
// that is not rounded as there shows in the fourth digit.
func TestRotationsFarOut(t *testing.T) {
	for _, c := range []struct {
		config string
		want   [9][2]float64
	}{
		{`"rope_parameters":{"rope_theta":1e6,"rope_type":"default"}`, [9][2]float64{
			{-0.97210956, -0.23452727}, {0.94499117, -0.3270959}, {-0.67785633, 0.73519439},
			{0.31385881, 0.94946969}, {0.43464479, -0.90060198}, {0.95746231, -0.2885583},
			{0.81619823, -0.57777196}, {0.91769093, -0.39729506}, {0.11953639, -0.9928298}}},
		{`"rope_theta":500000,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}`, [9][2]float64{
			{-0.00838248, 0.99996489}, {-0.63975775, 0.76857662}, {-0.99440002, 0.10568151},
			{0.8707965, -0.49164361}, {0.59248143, 0.80558413}, {0.69278699, -0.72114229},
			{0.89610428, 0.44384357}, {0.92591077, 0.37774238}, {-0.9226054, -0.38574511}}},
		{`"rope_theta":1e6,"rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":32768}`, [9][2]float64{
			{-1.10687256, -0.26703966}, {1.07599473, -0.37244102}, {-0.58591986, 0.97630674},
			{0.35736889, 1.08109415}, {0.49489936, -1.0254519}, {-0.40035489, -1.06592357},
			{0.92934734, -0.65786815}, {1.04490995, -0.45237184}, {-0.07174452, 1.13636684}}},
		{`"rope_scaling":{"type":"linear","factor":3}`, [9][2]float64{
			{-0.98843074, 0.15167309}, {0.80772048, -0.58956563}, {-0.0479295, -0.9988507},
			{0.69496721, 0.71904141}, {-0.49711612, 0.86768401}, {0.94933391, -0.31426924},
			{-0.99267185, 0.12084145}, {0.9763974, -0.21598177}, {-0.72569144, -0.68802029}}},
		{`"rope_scaling":{"rope_type":"dynamic","factor":2}`, [9][2]float64{
			{0.03324485, 0.99944723}, {-0.72498637, 0.6887632}, {-0.96604556, 0.25837171},
			{0.83136761, -0.55572289}, {-0.78620452, 0.61796635}, {-0.38422447, -0.92323971},
			{0.90572184, -0.42387256}, {0.89952564, -0.43686801}, {0.47816047, -0.87827247}}},
	} {
		config, err := checkpoint.ParseConfig([]byte(`{"model_type":"llama","vocab_size":100,"hidden_size":512,"num_hidden_layers":1,
			"num_attention_heads":4,"intermediate_size":64,"max_position_embeddings":4096,` + c.config + `}`))
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewSpec(config)
		if err != nil {
			t.Fatal(err)
		}
		const half = 64
		i := 0
		for _, position := range []int{511, 4095, 7999} {
			var cos, sin [half]float32
			s.Ropes[0].fill(cos[:], sin[:], position, 8000)
			for _, channel := range []int{1, 7, 25} {
				got := [2]float64{float64(cos[channel]), float64(sin[channel])}
				if math.Abs(got[0]-c.want[i][0]) > 3e-6 || math.Abs(got[1]-c.want[i][1]) > 3e-6 {
					t.Errorf("%s: channel %d at position %d is turned by %v, want %v", c.config, channel, position, got, c.want[i])
				}
				i++
			}
		}
	}
}
