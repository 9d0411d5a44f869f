package residual

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// tensor is a tensor of the file to be.
type tensor struct {
	name  string
	dtype string
	shape []int
	at    int64 // of its first byte in the file
}

func (t *tensor) bytes() (int64, error) {
	size := int64(4)
	if t.dtype == "I64" {
		size = 8
	}
	for _, n := range t.shape {
		if n != 0 && size > math.MaxInt64/4/int64(n) {
			return 0, fmt.Errorf("residual: %s would have the shape %v", t.name, t.shape)
		}
		size *= int64(n)
	}
	return size, nil
}

// encode is the head of a safetensors file with these tensors one after another, and the file's size. It sets where each
// tensor begins.
func encode(tensors []*tensor) (head []byte, size int64, err error) {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]entry{}
	for _, t := range tensors {
		n, err := t.bytes()
		if err != nil {
			return nil, 0, err
		}
		if size > math.MaxInt64/4-n {
			return nil, 0, fmt.Errorf("residual: the file would be too large")
		}
		header[t.name] = entry{t.dtype, t.shape, [2]int64{size, size + n}}
		t.at, size = size, size+n
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, 0, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ') // the format's padding: tensors begin at a multiple of 8
	}
	head = binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	head = append(head, text...)
	for _, t := range tensors {
		t.at += int64(len(head))
	}
	return head, size + int64(len(head)), nil
}
