package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// source is an open checkpoint of three tensors.
func source(t *testing.T) *Checkpoint {
	t.Helper()
	file := raw(`{"__metadata__":{"format":"pt","note":"x"},`+tensorA+`,`+tensorB+`,"c":{"dtype":"U8","shape":[3],"data_offsets":[22,25]}}`, 25)
	for i := range 25 {
		file[len(file)-25+i] = byte(i + 1)
	}
	c, err := Open(writeDir(t, map[string]string{ConfigFile: "{}", SingleFile: string(file)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func outputs(c *Checkpoint, names ...string) (all []Output) {
	for _, name := range names {
		t, _ := c.Tensor(name)
		all = append(all, Copy(t, name))
	}
	return all
}

func TestWriteAndReadAgain(t *testing.T) {
	c := source(t)
	for _, shardSize := range []int64{0, 18, 1} {
		out := filepath.Join(t.TempDir(), "new", "model")
		var copied int64
		w, err := NewWriter(out, WriterOptions{Progress: func(n int64) { copied += n }})
		if err != nil {
			t.Fatal(err)
		}
		all := append(outputs(c, "b", "c", "a"), Output{Name: `odd "name" ü`, DType: F32, Shape: []int{}, Data: []byte{1, 2, 3, 4}})
		if err := w.WriteTensors(context.Background(), all, shardSize, c.Metadata()); err != nil {
			t.Fatal(err)
		}
		if copied != 29 {
			t.Errorf("progress says %d bytes, want 29", copied)
		}
		if err := w.CopyFile(context.Background(), ConfigFile, filepath.Join(c.Dir, ConfigFile)); err != nil {
			t.Fatal(err)
		}
		if exists(out) {
			t.Error("the directory is there before Commit")
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := w.Abort(); err != nil || exists(w.Dir()) {
			t.Errorf("after Commit: Abort says %v, temporary directory there: %v", err, exists(w.Dir()))
		}
		d, err := Open(out)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Names()) != 4 || d.Metadata()["note"] != "x" {
			t.Errorf("names %q, metadata %v", d.Names(), d.Metadata())
		}
		for _, name := range d.Names() {
			got, _ := d.Tensor(name)
			if want, ok := c.Tensor(name); ok && !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%s has %v, want %v", name, got.Bytes(), want.Bytes())
			}
			if size := int64(got.DType.Size()); got.Offset%size != 0 {
				t.Errorf("%v is not aligned: offset %d", got, got.Offset)
			}
		}
		if shardSize > 0 {
			checkIndex(t, d, shardSize)
		}
		d.Close()
	}
}

func checkIndex(t *testing.T, d *Checkpoint, shardSize int64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.Dir, IndexFile))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"`
		}
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	if index.Metadata.TotalSize != 29 || len(index.WeightMap) != 4 {
		t.Errorf("index is %s", data)
	}
	sizes, count := map[string]int64{}, map[string]int{}
	for name, file := range index.WeightMap {
		tensor, _ := d.Tensor(name)
		sizes[file] += tensor.Length
		count[file]++
	}
	for file, size := range sizes {
		if size > shardSize && count[file] > 1 {
			t.Errorf("%s has %d bytes in %d tensors, more than %d", file, size, count[file], shardSize)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	c := source(t)
	full := writeDir(t, map[string]string{"x": "y"})
	_, err := NewWriter(full, WriterOptions{})
	checkError(t, err, "not empty", "--force")
	_, err = NewWriter(filepath.Join(full, "x"), WriterOptions{})
	checkError(t, err, "is a file")
	out := filepath.Join(t.TempDir(), "m")
	w, err := NewWriter(out, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewWriter(out, WriterOptions{})
	checkError(t, err, "another run")
	twice := outputs(c, "a", "a")
	checkError(t, w.WriteTensors(context.Background(), twice, 0, nil), "written twice")
	checkError(t, w.WriteTensors(context.Background(), []Output{{Name: "x", DType: F32, Shape: []int{2}, Data: []byte{1}}}, 0, nil), "8 bytes, but has 1")
	checkError(t, w.WriteTensors(context.Background(), []Output{{Name: "x", DType: "?", Shape: []int{2}}}, 0, nil), "not known")
	checkError(t, w.CopyFile(context.Background(), "d", full), "not a regular file")
	if err := w.Abort(); err != nil || exists(w.Dir()) || exists(out) {
		t.Errorf("Abort: %v, and something is left", err)
	}
}

func TestCancelledWriteLeavesNothing(t *testing.T) {
	c := source(t)
	out := filepath.Join(t.TempDir(), "m")
	ctx, cancel := context.WithCancel(context.Background())
	w, err := NewWriter(out, WriterOptions{Progress: func(int64) { cancel() }})
	if err != nil {
		t.Fatal(err)
	}
	err = w.WriteTensors(ctx, outputs(c, "a", "b", "c"), 1, nil)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped while writing") {
		t.Errorf("error %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestLeftoversOfAKilledRunGo(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m")
	if err := os.MkdirAll(filepath.Join(out+PartialSuffix, "deep"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out+PartialSuffix, SingleFile), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(out, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFile("new", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(out)
	if err != nil || len(left) != 1 || left[0].Name() != "new" {
		t.Errorf("the directory has %v, %v", left, err)
	}
}

func TestReplace(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m")
	for _, text := range []string{"old", "new"} {
		w, err := NewWriter(out, WriterOptions{Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFile(text, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(left) != 1 || exists(filepath.Join(out, "old")) || !exists(filepath.Join(out, "new")) {
		t.Errorf("beside the directory: %v, %v", left, err)
	}
}

// TestCopyWithoutTheKernel holds the buffered copy against the bytes, at odd lengths and offsets.
func TestCopyWithoutTheKernel(t *testing.T) {
	data := make([]byte, 3<<20+17)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	dir := writeDir(t, map[string]string{"from": string(data)})
	from, err := os.Open(filepath.Join(dir, "from"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(dir, "to"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	for _, kernel := range []bool{true, false} {
		var reported int64
		if err := copyRange(context.Background(), to, 5, from, 3, int64(len(data)-3), kernel, func(n int64) { reported += n }); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(data)-3)
		if _, err := to.ReadAt(got, 5); err != nil || !bytes.Equal(got, data[3:]) || reported != int64(len(got)) {
			t.Errorf("kernel %v: bytes differ (%v), %d reported", kernel, err, reported)
		}
		err := copyRange(context.Background(), to, 0, from, 3, int64(len(data)), kernel, func(int64) {})
		if err == nil {
			t.Errorf("kernel %v: bytes past the end were copied", kernel)
		}
	}
}
