package tokenizer

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// spModel is a tokenizer.model: the pieces, and the names of its special ones.
type spModel struct {
	sentencePieces
	bos, eos string
}

// Kinds of model in trainer_spec.model_type.
const (
	unigramModel = 1
	bpeModel     = 2
)

// parseSentencePiece reads sentencepiece_model.proto. The wire format is walked through with protowire: generated
// code would make a struct of every one of a hundred training settings, and needs a compiler.
func parseSentencePiece(data []byte) (*spModel, error) {
	m := &spModel{bos: "<s>", eos: "</s>"}
	m.unkSurface = defaultUnknownSurface
	m.spec = normalizerSpec{dummyPrefix: true, removeExtra: true, escape: true}
	m.unknown = -1
	kind, fallback := uint64(unigramModel), false
	err := fields(data, func(number int, f field) error {
		switch number {
		case 1:
			piece := scoredPiece{kind: normalPiece}
			err := fields(f.bytes, func(number int, f field) error {
				switch number {
				case 1:
					piece.text = string(f.bytes)
				case 2:
					piece.score = math.Float32frombits(uint32(f.number))
				case 3:
					piece.kind = pieceKind(f.number)
				}
				return nil
			})
			m.pieces = append(m.pieces, piece)
			return err
		case 2:
			return fields(f.bytes, func(number int, f field) error {
				switch number {
				case 3:
					kind = f.number
				case 24:
					m.suffix = f.number != 0
				case 35:
					fallback = f.number != 0
				case 44:
					m.unkSurface = string(f.bytes)
				case 46:
					m.bos = string(f.bytes)
				case 47:
					m.eos = string(f.bytes)
				}
				return nil
			})
		case 3:
			return fields(f.bytes, func(number int, f field) error {
				switch number {
				case 2:
					m.spec.charsmap = f.bytes
				case 3:
					m.spec.dummyPrefix = f.number != 0
				case 4:
					m.spec.removeExtra = f.number != 0
				case 5:
					m.spec.escape = f.number != 0
				}
				return nil
			})
		case 5:
			return fields(f.bytes, func(number int, f field) error {
				if number == 2 && len(f.bytes) > 0 {
					return fmt.Errorf("denormalizer_spec is not supported")
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("not a SentencePiece model: %w", err)
	}
	if kind != unigramModel && kind != bpeModel {
		return nil, fmt.Errorf("model_type %d is not supported (supported: 1 unigram, 2 bpe)", kind)
	}
	m.unigram = kind == unigramModel
	return m, m.check(fallback)
}

// check holds the model to what SentencePiece itself demands of one.
func (m *spModel) check(fallback bool) error {
	if len(m.pieces) == 0 {
		return fmt.Errorf("not a SentencePiece model: no pieces")
	}
	for id, piece := range m.pieces {
		switch piece.kind {
		case normalPiece, controlPiece, userPiece, unusedPiece:
		case unknownPiece:
			if m.unknown >= 0 {
				return fmt.Errorf("pieces %d and %d are both the unknown piece", m.unknown, id)
			}
			m.unknown = id
		case bytePiece:
			if _, ok := byteOf(piece.text); !ok || !fallback {
				return fmt.Errorf("piece %d (%q) is a byte, but byte_fallback is %v", id, piece.text, fallback)
			}
		default:
			return fmt.Errorf("piece %d (%q) has the unknown type %d", id, piece.text, piece.kind)
		}
		if piece.text == "" {
			return fmt.Errorf("piece %d has no text", id)
		}
	}
	if m.unknown < 0 {
		return fmt.Errorf("there is no unknown piece")
	}
	return nil
}

// control is the id of the control piece with that text, or -1.
func (m *spModel) control(text string) int {
	for id, piece := range m.pieces {
		if piece.kind == controlPiece && piece.text == text {
			return id
		}
	}
	return -1
}

// field is the value of a protobuf field: bytes, or a number's bits.
type field struct {
	bytes  []byte
	number uint64
}

// fields visits the fields of a message.
func fields(data []byte, visit func(number int, f field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var f field
		switch kind {
		case protowire.VarintType:
			f.number, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			f.number = uint64(v)
		case protowire.Fixed64Type:
			f.number, n = protowire.ConsumeFixed64(data)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := visit(int(number), f); err != nil {
			return err
		}
	}
	return nil
}
