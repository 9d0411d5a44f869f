package nf4

import (
	"encoding/binary"
	"math"

	"shallow/checkpoint"
)

// Outputs are the tensors of m in bitsandbytes' layout, under the name of its weight, for
// [checkpoint.Writer.WriteTensors]. The codes are not copied.
func (m *Matrix) Outputs(name string) []checkpoint.Output {
	n := m.Rows * m.Cols
	s := state{rows: m.Rows, cols: m.Cols, dtype: m.DType}
	outputs := []checkpoint.Output{
		{Name: name, Data: m.Codes, DType: checkpoint.U8, Shape: []int{n - n/2, 1}},
		floatOutput(name+mapSuffix, values[:]),
	}
	if d := m.Nested; d != nil {
		s.nested, s.offset = true, d.Offset
		outputs = append(outputs,
			checkpoint.Output{Name: name + absmaxSuffix, Data: d.Codes, DType: checkpoint.U8, Shape: []int{len(d.Codes)}},
			floatOutput(name+nestedSuffix, d.Absmax),
			floatOutput(name+nestedMapSuffix, d.Table[:]))
	} else {
		outputs = append(outputs, floatOutput(name+absmaxSuffix, m.Absmax))
	}
	text := s.text()
	return append(outputs, checkpoint.Output{Name: name + stateSuffix, Data: text, DType: checkpoint.U8, Shape: []int{len(text)}})
}

func floatOutput(name string, values []float32) checkpoint.Output {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return checkpoint.Output{Name: name, Data: data, DType: checkpoint.F32, Shape: []int{len(values)}}
}
