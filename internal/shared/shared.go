// Package shared finds the reference results and data sets that lie beside the repository, for tests.
package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir is the path of elem under the shared folder beside the repository. The test is skipped where it is absent.
func Dir(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = up
	}
	path := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not here: %v", filepath.Join(elem...), err)
	}
	return path
}
