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

// Families are the names of the reference checkpoints: the folders of reference/families and, where the environment
// variable SHALLOW_FAMILIES names a folder of further ones like them, of that. The test is skipped where there are none.
func Families(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(Dir(t, "reference", "families"), "*", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if more := os.Getenv(familiesVariable); more != "" {
		others, err := filepath.Glob(filepath.Join(more, "*", "expected.json"))
		if err != nil || len(others) == 0 {
			t.Fatalf("%s=%s holds no folder with an expected.json (%v)", familiesVariable, more, err)
		}
		found = append(found, others...)
	}
	var names []string
	for _, path := range found {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	return names
}

// Family is the folder of a reference checkpoint.
func Family(t testing.TB, name string) string {
	t.Helper()
	if more := os.Getenv(familiesVariable); more != "" {
		if dir := filepath.Join(more, name); exists(dir) {
			return dir
		}
	}
	return Dir(t, "reference", "families", name)
}

const familiesVariable = "SHALLOW_FAMILIES"

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
