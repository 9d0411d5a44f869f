package heal

// lock does nothing there: files that another run holds open cannot be replaced anyway.
func lock(string) (unlock func(), err error) { return func() {}, nil }
