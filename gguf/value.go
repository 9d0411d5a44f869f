package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Kind is the type of a metadata value, numbered as in the file.
type Kind uint32

// The kinds of values.
const (
	Uint8 Kind = iota
	Int8
	Uint16
	Int16
	Uint32
	Int32
	Float32
	Bool
	String
	Array
	Uint64
	Int64
	Float64
)

// kindSizes are bytes of one value; 0 for those that say their own length.
var kindSizes = [...]int64{Uint8: 1, Int8: 1, Uint16: 2, Int16: 2, Uint32: 4, Int32: 4, Float32: 4, Bool: 1, String: 0, Array: 0, Uint64: 8, Int64: 8, Float64: 8}

var kindNames = [...]string{"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"}

// String is the kind's short name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// Entry is one piece of metadata. Its value stays the bytes that the file has.
type Entry struct {
	Key   string
	Kind  Kind
	Of    Kind   // of an array's elements
	Count int    // of an array's elements
	data  []byte // the value, or an array's elements one after another
}

// Int is the value as a whole number. The zero Entry, and others that are none, have none.
func (e Entry) Int() (int64, bool) {
	if e.Kind == Array || len(e.data) == 0 {
		return 0, false
	}
	return wholeNumber(e.Kind, e.data)
}

// isZero tells whether the value is the whole number 0.
func (e Entry) isZero() bool {
	n, ok := e.Int()
	return ok && n == 0
}

// Float is the value as a number.
func (e Entry) Float() (float64, bool) {
	if e.Kind == Array || len(e.data) == 0 {
		return 0, false
	}
	return number(e.Kind, e.data)
}

// Text is the value as a string.
func (e Entry) Text() (string, bool) {
	if e.Kind != String {
		return "", false
	}
	return string(e.data[8:]), true
}

// Ints are the elements of an array of whole numbers or truth values.
func (e Entry) Ints() ([]int64, bool) {
	return elements(e, func(data []byte) (int64, bool) { return wholeNumber(e.Of, data) })
}

// Floats are the elements of an array of numbers.
func (e Entry) Floats() ([]float64, bool) {
	return elements(e, func(data []byte) (float64, bool) { return number(e.Of, data) })
}

func elements[T any](e Entry, value func([]byte) (T, bool)) ([]T, bool) {
	if e.Kind != Array || kindSizes[e.Of] == 0 {
		return nil, false
	}
	size := int(kindSizes[e.Of])
	items := make([]T, e.Count)
	for i := range items {
		v, ok := value(e.data[i*size : (i+1)*size])
		if !ok {
			return nil, false
		}
		items[i] = v
	}
	return items, true
}

// Texts are the elements of an array of strings.
func (e Entry) Texts() ([]string, bool) {
	if e.Kind != Array || e.Of != String {
		return nil, false
	}
	items := make([]string, 0, e.Count)
	for data := e.data; len(data) > 0; {
		n := 8 + binary.LittleEndian.Uint64(data)
		items = append(items, string(data[8:n]))
		data = data[n:]
	}
	return items, true
}

// wholeNumber reads an integer or a truth value.
func wholeNumber(k Kind, data []byte) (int64, bool) {
	switch k {
	case Uint8:
		return int64(data[0]), true
	case Bool:
		if data[0] != 0 {
			return 1, true
		}
		return 0, true
	case Int8:
		return int64(int8(data[0])), true
	case Uint16:
		return int64(binary.LittleEndian.Uint16(data)), true
	case Int16:
		return int64(int16(binary.LittleEndian.Uint16(data))), true
	case Uint32:
		return int64(binary.LittleEndian.Uint32(data)), true
	case Int32:
		return int64(int32(binary.LittleEndian.Uint32(data))), true
	case Uint64, Int64:
		n := int64(binary.LittleEndian.Uint64(data))
		return n, k == Int64 || n >= 0
	}
	return 0, false
}

// number reads an integer or a floating-point number.
func number(k Kind, data []byte) (float64, bool) {
	switch k {
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data))), true
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(data)), true
	}
	n, ok := wholeNumber(k, data)
	return float64(n), ok && k != Bool
}

// withInt is the entry with another whole number in the same kind.
func (e Entry) withInt(n int64) Entry {
	e.data = putInt(nil, e.Kind, n)
	return e
}

// putInt appends a whole number that fits the kind.
func putInt(data []byte, k Kind, n int64) []byte {
	switch kindSizes[k] {
	case 1:
		return append(data, byte(n))
	case 2:
		return binary.LittleEndian.AppendUint16(data, uint16(n))
	case 4:
		return binary.LittleEndian.AppendUint32(data, uint32(n))
	}
	return binary.LittleEndian.AppendUint64(data, uint64(n))
}

// keep is an array without the elements whose numbers are in drop. Elements have a fixed size.
func (e Entry) keep(gone func(int) bool) Entry {
	size := int(kindSizes[e.Of])
	var data []byte
	n := 0
	for i := range e.Count {
		if !gone(i) {
			data = append(data, e.data[i*size:(i+1)*size]...)
			n++
		}
	}
	e.data, e.Count = data, n
	return e
}

// text makes an entry of a string.
func text(key, s string) Entry {
	return Entry{Key: key, Kind: String, data: append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)}
}

// flags makes an entry of a list of truth values.
func flags(key string, values []bool) Entry {
	e := Entry{Key: key, Kind: Array, Of: Bool, Count: len(values)}
	for _, v := range values {
		b := byte(0)
		if v {
			b = 1
		}
		e.data = append(e.data, b)
	}
	return e
}
