package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// raw is a safetensors file with the header text as given and data bytes after it.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// writeDir fills a directory of the test with files.
func writeDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	tensorA = `"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}`
	tensorB = `"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}`
)

func TestHeaderIsRead(t *testing.T) {
	file := raw(`{"__metadata__":{"format":"pt"},`+tensorB+`,`+tensorA+`,"empty":{"dtype":"I64","shape":[0,7],"data_offsets":[22,22]}}   `, 22)
	dir := writeDir(t, map[string]string{ConfigFile: "{}", SingleFile: string(file)})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := strings.Join(c.Names(), " "); got != "a b empty" {
		t.Errorf("names are %q", got)
	}
	for _, want := range []struct {
		name     string
		elements int
		bytes    int
	}{{"a", 4, 16}, {"b", 3, 6}, {"empty", 0, 0}} {
		tensor, ok := c.Tensor(want.name)
		if !ok || tensor.Elements() != want.elements || len(tensor.Bytes()) != want.bytes {
			t.Errorf("%v: %d elements, %d bytes, want %+v", tensor, tensor.Elements(), len(tensor.Bytes()), want)
		}
	}
	if c.Metadata()["format"] != "pt" {
		t.Errorf("metadata are %v", c.Metadata())
	}
	c.Prefetch("a", "absent", "empty")
	c.Forget("a", "absent", "empty")
}

func TestHostileHeaders(t *testing.T) {
	one := func(tensor string) string { return "{" + tensor + "}" }
	deep := strings.Repeat("[", 10_000)
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty file", nil, "download is incomplete"},
		{"seven bytes", make([]byte, 7), "download is incomplete"},
		{"2^63 bytes", binary.LittleEndian.AppendUint64(nil, 1<<63), "claims a header of 9223372036854775808 bytes"},
		{"2^64-1 bytes", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "claims a header of"},
		{"header past the end", binary.LittleEndian.AppendUint64(nil, 100), "download is incomplete"},
		{"git lfs", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{"not JSON", raw("hello!!!", 0), "is not JSON"},
		{"not an object", raw("[]", 0), "is not JSON"},
		{"rubbish after", raw("{} x", 0), "after the end"},
		{"zero length header", raw("", 0), "is not JSON"},
		{"too deep", raw(`{"__metadata__":`+deep, 0), "is not JSON"},
		{"metadata not text", raw(`{"__metadata__":{"a":1}}`, 0), "is not JSON"},
		{"twice", raw(one(tensorA+","+tensorA), 16), "twice"},
		{"dtype", raw(one(`"a":{"dtype":"F31","shape":[4],"data_offsets":[0,16]}`), 16), `dtype "F31" is not known`},
		{"no shape", raw(one(`"a":{"dtype":"F32","data_offsets":[0,16]}`), 16), "lacks"},
		{"one offset", raw(one(`"a":{"dtype":"F32","shape":[4],"data_offsets":[16]}`), 16), "lacks"},
		{"three offsets", raw(one(`"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16,32]}`), 16), "more than two"},
		{"unknown key", raw(one(`"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}`), 16), "not known"},
		{"negative", raw(one(`"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}`), 16), "whole number"},
		{"fraction", raw(one(`"a":{"dtype":"F32","shape":[4.0],"data_offsets":[0,16]}`), 16), "whole number"},
		{"overflow", raw(one(`"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}`), 0), "too large"},
		{"overflow in bytes", raw(one(`"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}`), 0), "too large"},
		{"number too large", raw(one(`"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}`), 0), "too large"},
		{"rank", raw(one(`"a":{"dtype":"F32","shape":[1`+strings.Repeat(",1", 40)+`],"data_offsets":[0,4]}`), 4), "dimensions"},
		{"half a byte", raw(one(`"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}`), 1), "whole number of bytes"},
		{"size", raw(one(`"a":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}`), 12), "data_offsets hold 12"},
		{"backwards", raw(one(`"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}`), 16), "no range"},
		{"huge offsets", raw(one(`"a":{"dtype":"U8","shape":[0],"data_offsets":[9223372036854775807,9223372036854775807]}`), 0), "no range"},
		{"truncated", raw(one(tensorA+","+tensorB), 20), "download is incomplete"},
		{"overlap", raw(one(tensorA+`,"b":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}`), 24), "within tensor"},
		{"same bytes twice", raw(one(tensorA+`,"b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}`), 16), "within tensor"},
		{"hole", raw(one(tensorA+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[20,24]}`), 24), "belong to no tensor"},
		{"hole at the start", raw(one(`"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`), 8), "belong to no tensor"},
		{"bytes left over", raw(one(tensorA), 17), "after the last tensor"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := writeDir(t, map[string]string{ConfigFile: "{}", SingleFile: string(c.file)})
			_, err := Open(dir)
			checkError(t, err, c.want, "checkpoint: "+SingleFile)
		})
	}
}

func checkError(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", wants)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q in it", err, want)
		}
	}
}

func TestHostileDirectories(t *testing.T) {
	shardA, shardB := string(raw("{"+tensorA+"}", 16)), string(raw("{"+tensorA+","+tensorB+"}", 22))
	index := func(pairs ...string) string {
		return `{"metadata":{"total_size":1},"weight_map":{` + strings.Join(pairs, ",") + `}}`
	}
	cases := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no config", map[string]string{SingleFile: shardA}, "no config.json"},
		{"no weights", map[string]string{ConfigFile: "{}"}, "download is incomplete"},
		{"pickled", map[string]string{ConfigFile: "{}", "pytorch_model.bin": "x"}, "pickled"},
		{"index lost", map[string]string{ConfigFile: "{}", "model-00001-of-00001.safetensors": shardA}, "index.json is missing"},
		{"leads out", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"../../x.safetensors"`)}, "not a plain name"},
		{"absolute", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"/etc/x.safetensors"`)}, "not a plain name"},
		{"backslash", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"..\\x.safetensors"`)}, "not a plain name"},
		{"drive", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"C:x.safetensors"`)}, "not a plain name"},
		{"dots", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":".."`)}, "not a plain name"},
		{"escaped", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"\u002e\u002e\u002fx.safetensors"`)}, "not a plain name"},
		{"other file", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"config.json"`)}, "not a safetensors file"},
		{"not text", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":1`)}, "is not JSON"},
		{"no map", map[string]string{ConfigFile: "{}", IndexFile: "{}"}, "no weight_map"},
		{"two maps", map[string]string{ConfigFile: "{}", IndexFile: `{"weight_map":{},"weight_map":{}}`}, "twice"},
		{"file lost", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"s.safetensors"`)}, "download is incomplete"},
		{"tensor lost", map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"s.safetensors"`, `"c":"s.safetensors"`), "s.safetensors": shardB}, `tensor "c" is in the index but not in this file`},
		{"deep index", map[string]string{ConfigFile: "{}", IndexFile: `{"x":` + strings.Repeat("[", 100_000)}, "nested deeper"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(writeDir(t, c.files))
			checkError(t, err, c.want, "checkpoint: ")
		})
	}
	c, err := Open(writeDir(t, map[string]string{ConfigFile: "{}", IndexFile: index(`"a":"s.safetensors"`), "s.safetensors": shardB}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if len(c.Ignored) != 1 || !strings.Contains(c.Ignored[0], `"b"`) {
		t.Errorf("ignored %q, want tensor b", c.Ignored)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("{"+tensorA+","+tensorB+"}"), int64(22))
	f.Add([]byte(`{"__metadata__":{"format":"pt"},"x":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}} `), int64(1))
	f.Add([]byte(`{"a":{"dtype":"U8","shape":[9223372036854775807,2],"data_offsets":[0,9223372036854775807]}}`), int64(0))
	f.Fuzz(func(t *testing.T, text []byte, data int64) {
		if data < 0 || data > 1<<40 {
			t.Skip("no file has so many bytes")
		}
		size := 8 + int64(len(text)) + data
		h, err := parseHeader(text, size)
		if err != nil {
			return
		}
		at := 8 + int64(len(text))
		for _, tensor := range h.tensors {
			if tensor.Offset != at || tensor.Length < 0 || tensor.Elements() < 0 {
				t.Fatalf("%+v was let through, bytes before it end at %d", tensor, at)
			}
			at += tensor.Length
		}
		if at != size {
			t.Fatalf("tensors end at %d of %d", at, size)
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":1},"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../../x.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"..\u005cx.safetensors"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		weights, err := parseIndex(text)
		if err != nil {
			return
		}
		for name, file := range weights {
			if filepath.Base(file) != file || file == ".." || filepath.Dir(filepath.Join("m", file)) != "m" {
				t.Fatalf("tensor %q: file %q was let through", name, file)
			}
		}
	})
}

func ExampleTensor_String() {
	fmt.Println(Tensor{Name: "model.norm.weight", DType: BF16, Shape: []int{4096}})
	// Output: model.norm.weight BF16 [4096]
}
