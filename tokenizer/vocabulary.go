package tokenizer

import "fmt"

// maxGap bounds the ids that no piece has, so that one hostile id cannot ask for gigabytes.
const maxGap = 1 << 20

// vocabulary is the pieces of the model, without the added tokens.
type vocabulary struct {
	pieces []string // by id; "" where no piece has this id
	ids    map[string]uint32
}

func newVocabulary(f vocabFile) (vocabulary, error) {
	v := vocabulary{ids: make(map[string]uint32, len(f.pieces))}
	largest := -1
	for i, id := range f.ids {
		if id < 0 || id >= maxGap+4*len(f.ids) {
			return v, fmt.Errorf("vocab: id %d of %q is out of range for %d pieces", id, f.pieces[i], len(f.ids))
		}
		largest = max(largest, id)
	}
	v.pieces = make([]string, largest+1)
	taken := make([]bool, largest+1)
	for i, piece := range f.pieces {
		id := f.ids[i]
		if taken[id] {
			return v, fmt.Errorf("vocab: %q and %q have the same id %d", v.pieces[id], piece, id)
		}
		if other, ok := v.ids[piece]; ok {
			return v, fmt.Errorf("vocab: %q comes twice, with the ids %d and %d", piece, other, id)
		}
		taken[id] = true
		v.pieces[id] = piece
		v.ids[piece] = uint32(id)
	}
	return v, nil
}

// byteName is the piece that stands for one byte where a character has no piece.
func byteName(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// byteIDs holds the id of every byte's piece, -1 where there is none.
func (v vocabulary) byteIDs() (ids [256]int32) {
	for b := range ids {
		ids[b] = -1
		if id, ok := v.ids[byteName(byte(b))]; ok {
			ids[b] = int32(id)
		}
	}
	return ids
}

// alphabet is ByteLevel's character for each byte: printable Latin-1 stands for itself, the other bytes are counted
// from U+0100 on.
var alphabet, alphabetBytes = func() (runes [256]rune, back map[rune]byte) {
	back = make(map[rune]byte, 256)
	next := rune(256)
	for b := range runes {
		if '!' <= b && b <= '~' || 0xa1 <= b && b <= 0xac || 0xae <= b {
			runes[b] = rune(b)
		} else {
			runes[b] = next
			next++
		}
		back[runes[b]] = byte(b)
	}
	return runes, back
}()

// rawBytes is the bytes that a piece in ByteLevel's alphabet stands for; false if a character is not of the alphabet.
func rawBytes(dst []byte, piece string) ([]byte, bool) {
	for _, r := range piece {
		b, ok := alphabetBytes[r]
		if !ok {
			return dst, false
		}
		dst = append(dst, b)
	}
	return dst, true
}
