package cpu

func rowsAt(Level) rowKernels { return genericRows }
