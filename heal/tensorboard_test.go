package heal

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestMaskedChecksum uses the check value of CRC-32C and TensorFlow's rule.
func TestMaskedChecksum(t *testing.T) {
	crc := uint32(0xe3069283) // the check value of "123456789"
	if got, want := maskedChecksum([]byte("123456789")), (crc>>15|crc<<17)+0xa282ead8; got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
}

// TestEvents reads the files as TensorBoard does: what stands behind a session's start takes the place of that step and later ones.
func TestEvents(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1700000000, 250_000_000)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	loss := 2.5
	write := func(behind int, lines ...Line) {
		j, err := openJournal(dir, behind, clock)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if err := j.write(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.sync(); err != nil {
			t.Fatal(err)
		}
		j.close()
	}
	write(0, Line{Step: 1, Loss: 4, Rate: 0.1, Norm: 9}, Line{Step: 2, Loss: 3}, Line{Step: 3, Loss: 99})
	write(2, Line{Step: 3, Loss: 2, Validation: &loss})

	files, err := filepath.Glob(filepath.Join(dir, "tensorboard", "events.out.tfevents.*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	slices.Sort(files)
	got := map[string]float32{}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for number := 0; len(data) > 0; number++ {
			length := binary.LittleEndian.Uint64(data)
			if maskedChecksum(data[:8]) != binary.LittleEndian.Uint32(data[8:]) {
				t.Fatal("the length's checksum is another")
			}
			message := data[12 : 12+length]
			if maskedChecksum(message) != binary.LittleEndian.Uint32(data[12+length:]) {
				t.Fatal("the message's checksum is another")
			}
			data = data[16+length:]
			e := fieldsOf(t, message)
			if seconds := math.Float64frombits(e[1][0].(uint64)); seconds < 1.7e9 || seconds > 1.7e9+100 {
				t.Errorf("wall time %v", seconds)
			}
			if number == 0 {
				if version := string(e[3][0].([]byte)); version != "brain.Event:2" {
					t.Errorf("version %q", version)
				}
				continue
			}
			step := e[2][0].(uint64)
			if session := e[7]; session != nil {
				if status := fieldsOf(t, session[0].([]byte))[1][0]; status != uint64(1) {
					t.Errorf("session status %v", status)
				}
				for key := range got {
					var s uint64
					var tag string
					if _, err := fmt.Sscan(key, &s, &tag); err != nil {
						t.Fatal(err)
					}
					if s >= step {
						delete(got, key)
					}
				}
				continue
			}
			for _, v := range fieldsOf(t, e[5][0].([]byte))[1] {
				value := fieldsOf(t, v.([]byte))
				got[fmt.Sprint(step, " ", string(value[1][0].([]byte)))] = math.Float32frombits(value[2][0].(uint32))
			}
		}
	}
	want := map[string]float32{}
	for step, l := range []float32{4, 3, 2} {
		want[fmt.Sprint(step+1, " loss/train")] = l
		want[fmt.Sprint(step+1, " learning_rate")] = 0
		want[fmt.Sprint(step+1, " grad_norm")] = 0
	}
	want["1 learning_rate"], want["1 grad_norm"], want["3 loss/validation"] = 0.1, 9, 2.5
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// fieldsOf are the values of a message by their numbers.
func fieldsOf(t *testing.T, b []byte) map[protowire.Number][]any {
	t.Helper()
	all := map[protowire.Number][]any{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			v, n = protowire.ConsumeFixed32(b)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("type %v", kind)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		all[number] = append(all[number], v)
		b = b[n:]
	}
	return all
}
