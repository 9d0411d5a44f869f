package cpu

import "unsafe"

// asFloats sees units as float32.
func asFloats(u []uint32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(u))), len(u))
}

// asUnits sees float32 as units.
func asUnits(f []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
}

// asHalves sees units as pairs of bfloat16: the first is the lower half, for the machine's order is little-endian.
func asHalves(u []uint32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(u))), 2*len(u))
}
