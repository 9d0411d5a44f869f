package sweep

import "os"

// keepOpen is false there: a file that is open cannot be renamed or removed. Only beats tell whether another process lives.
const keepOpen = false

// lockFile does nothing there.
func lockFile(*os.File) lock { return unsupported }
