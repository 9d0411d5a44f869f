package machine

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is the system's MEMORYSTATUSEX.
type memoryStatus struct {
	length, load                                                   uint32
	total, free, totalPage, freePage, totalVirtual, freeVirtual, _ uint64
}

func installed() int64 {
	status := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, _ := call.Call(uintptr(unsafe.Pointer(&status))); ok == 0 {
		return 0
	}
	return clamp(status.total)
}

func limited() int64 { return 0 }
