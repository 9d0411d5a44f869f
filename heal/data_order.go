package heal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"sort"
)

// stage is the sources that rows are drawn from for a while.
type stage struct {
	sources []*source
	upTo    []float64 // [len(sources)]: the sum of the shares of this source and those before it; the last is 1
	share   float64   // of the rows of the training
	end     int64     // the first row behind it; unknown where 0
}

// arrange puts the sources into their stages.
func (d *Data) arrange(sources []Source) error {
	shares := d.options.Stages
	if len(shares) == 0 {
		shares = []float64{1}
	}
	sum := 0.0
	for i, share := range shares {
		if !(share > 0) || math.IsInf(share, 1) {
			return fmt.Errorf("heal: stage %d has a share of %v, want a number above 0", i+1, share)
		}
		sum += share
	}
	d.stages = make([]stage, len(shares))
	for i, s := range sources {
		if s.Stage < 0 || s.Stage >= len(shares) {
			return fmt.Errorf("heal: %s is of stage %d of %d", s.Name, s.Stage+1, len(shares))
		}
		to := &d.stages[s.Stage]
		to.sources = append(to.sources, d.sources[i])
		to.upTo = append(to.upTo, s.Weight)
	}
	for i := range d.stages {
		to := &d.stages[i]
		to.share = shares[i] / sum
		if err := to.normalise(i); err != nil {
			return err
		}
	}
	return nil
}

// normalise turns the weights in upTo into sums of shares.
func (s *stage) normalise(number int) error {
	if len(s.sources) == 0 {
		return fmt.Errorf("heal: stage %d has no corpus", number+1)
	}
	if len(s.sources) == 1 {
		s.upTo[0] = 1
		return nil
	}
	total := 0.0
	for i, w := range s.upTo {
		if w == 0 {
			return fmt.Errorf("heal: %s: no weight beside the other corpora of its stage", s.sources[i].name)
		}
		total += w
		s.upTo[i] = total
	}
	for i := range s.upTo {
		s.upTo[i] /= total
	}
	s.upTo[len(s.upTo)-1] = 1
	return nil
}

// SetRows says how many rows the training takes, which tells where stages end. Where there are several it must be called
// before the first Next. Each stage must get a row.
func (d *Data) SetRows(rows int64) error {
	begin, share := int64(0), 0.0
	for i := range d.stages {
		s := &d.stages[i]
		share += s.share
		s.end = int64(math.Round(share * float64(rows)))
		if s.end <= begin {
			return fmt.Errorf("heal: stage %d gets none of %d rows: train longer, or give it a larger share", i+1, rows)
		}
		begin = s.end
	}
	return nil
}

// choose is the source of the next row. What comes behind the last stage belongs to it.
func (d *Data) choose() *source {
	at := 0
	for at < len(d.stages)-1 && d.row >= d.stages[at].end {
		if d.stages[at].end == 0 {
			panic("heal: rows of several stages are taken before SetRows")
		}
		at++
	}
	s := d.stages[at]
	if len(s.sources) == 1 {
		return s.sources[0]
	}
	u := float64(random(d.options.Seed, forSource, uint64(d.row), 0)>>11) / (1 << 53)
	return s.sources[sort.Search(len(s.upTo)-1, func(i int) bool { return u < s.upTo[i] })]
}

// Cursor is where the data stand: small, to be stored with a checkpoint.
type Cursor struct {
	Row    int64   `json:"row"`
	Places []Place `json:"places"` // of each source
	Data   string  `json:"data"`   // a fingerprint of the documents and how they are drawn
}

// Cursor is where the next row is.
func (d *Data) Cursor() Cursor {
	c := Cursor{Row: d.row, Data: d.print}
	for _, s := range d.sources {
		c.Places = append(c.Places, s.place)
	}
	return c
}

// Seek goes to where Cursor was called. It is an error if the documents or the options are others.
func (d *Data) Seek(c Cursor) error {
	if c.Data != d.print {
		return fmt.Errorf("heal: the corpus, or how it is drawn, is not the one of the checkpoint: give the same files and options, or begin anew")
	}
	if c.Row < 0 || len(c.Places) != len(d.sources) {
		return fmt.Errorf("heal: the checkpoint's place in the corpus is damaged: row %d, %d places for %d corpora", c.Row, len(c.Places), len(d.sources))
	}
	for i, p := range c.Places {
		s := d.sources[i]
		if p.Epoch < 0 || p.Document < 0 || p.Document >= len(s.documents) || p.Token < 0 || p.Token > 0 && !d.options.Pack {
			return fmt.Errorf("heal: %s: the checkpoint's place is damaged: %+v of %d documents", s.name, p, len(s.documents))
		}
		at := *s
		at.place = p
		if x := at.document(); p.Token > 0 && p.Token >= len(d.options.joined(x).ids) {
			return fmt.Errorf("heal: %s: the checkpoint's place is damaged: %+v in a document of %d tokens", s.name, p, len(x.ids))
		}
	}
	d.row = c.Row
	for i, p := range c.Places {
		d.sources[i].place = p
	}
	return nil
}

// TokensPerRow is how many tokens a row has in the mean of the whole training.
func (d *Data) TokensPerRow() float64 {
	if d.options.Pack {
		return float64(d.options.Length)
	}
	mean := 0.0
	for _, stage := range d.stages {
		before := 0.0
		for i, s := range stage.sources {
			mean += stage.share * (stage.upTo[i] - before) * float64(s.tokens()) / float64(len(s.documents))
			before = stage.upTo[i]
		}
	}
	return mean
}

// fingerprint is the SHA-256 of all that rows depend on.
func (d *Data) fingerprint() string {
	o := d.options
	o.Held, o.Validation = 0, nil // what is held out is not in documents
	settings, err := json.Marshal(o)
	if err != nil {
		panic(err) // its numbers were checked to be finite
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "1 %s", settings) // a hash takes all that is written
	var number [8]byte
	write := func(x uint64) {
		binary.LittleEndian.PutUint64(number[:], x)
		_, _ = sum.Write(number[:])
	}
	for _, stage := range d.stages {
		write(uint64(len(stage.sources)))
		for i, s := range stage.sources {
			write(s.number)
			write(math.Float64bits(stage.upTo[i]))
		}
	}
	var bytes []byte
	for _, s := range d.sources {
		write(uint64(len(s.documents)))
		for _, x := range s.documents {
			write(uint64(len(x.ids)))
			write(uint64(x.prompt))
			bytes = bytes[:0]
			for _, id := range x.ids {
				bytes = binary.LittleEndian.AppendUint32(bytes, uint32(id))
			}
			_, _ = sum.Write(bytes)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// What random numbers are for.
const (
	forSource = iota
	forOrder
)

// random is a number that follows from its arguments alone, so that no state is to be stored. Each argument is added in and
// mixed as SplitMix64 does. Source: Steele, Lea and Flood, 2014.
func random(seed, purpose, a, b uint64) uint64 {
	x := seed
	for _, y := range []uint64{purpose, a, b} {
		x = mix(x + y + 0x9e3779b97f4a7c15)
	}
	return x
}

// mix is SplitMix64's finaliser: a bijection in which every bit of x changes about half of the result's.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// permutation is the order of n documents of a source in an epoch. Source: Fisher and Yates; Durstenfeld, 1964.
func permutation(n int, seed, source, epoch uint64) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	key := random(seed, forOrder, source, epoch)
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(mix(key+uint64(i)*0x9e3779b97f4a7c15), uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}
