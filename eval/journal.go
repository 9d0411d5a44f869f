package eval

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shallow/decoder"
	"shallow/score"
)

// journal keeps what was computed: a line for the model, then one a request, by a hash of all that was asked. Lines are
// added behind each other; one that was cut off by a crash is not read. A journal of another model is begun anew.
type journal struct {
	file   *os.File // nil where nothing is kept
	out    *bufio.Writer
	scores map[string]score.Result
	texts  map[string][]int
}

// line is one line of a journal.
type line struct {
	Model         string   `json:"model,omitempty"`
	Key           string   `json:"key,omitempty"`
	LogLikelihood *float64 `json:"loglikelihood,omitempty"`
	Greedy        bool     `json:"is_greedy,omitempty"`
	IDs           []int    `json:"ids,omitempty"`
}

// journalVersion changes when lines or what they are computed by do.
const journalVersion = "eval journal 1"

// openJournal opens the journal of a model without some layers; "" keeps nothing. key is what else results depend on.
func openJournal(m *decoder.Model, name string, drop []int, key string, readOnly bool) (*journal, error) {
	j := &journal{scores: map[string]score.Result{}, texts: map[string][]int{}}
	if name == "" {
		return j, nil
	}
	model, err := m.Checkpoint.Fingerprint()
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	h := sha256.New()
	fmt.Fprintln(h, journalVersion, model, m.Multiplies(), drop, key)
	model = hex.EncodeToString(h.Sum(nil))
	if readOnly {
		return j, j.look(name, model)
	}
	if j.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	end, err := j.read(j.file, model)
	if err == nil {
		err = j.file.Truncate(end)
	}
	if err == nil {
		_, err = j.file.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("eval: %s: %w", name, err)
	}
	j.out = bufio.NewWriter(j.file)
	if end == 0 {
		j.add(line{Model: model})
	}
	return j, nil
}

// look takes what a journal has that another process may be writing, and leaves it as it is.
func (j *journal) look(name, model string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer f.Close()
		_, err = j.read(f, model)
	}
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

// read takes the lines that are whole and gives where they end.
func (j *journal) read(from io.Reader, model string) (end int64, err error) {
	in := bufio.NewReader(from)
	for {
		data, err := in.ReadBytes('\n')
		if err == io.EOF {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		var l line
		if json.Unmarshal(bytes.TrimSpace(data), &l) != nil {
			return end, nil
		}
		switch {
		case end == 0 && l.Model != model:
			return 0, nil
		case l.LogLikelihood != nil:
			j.scores[l.Key] = score.Result{LogLikelihood: *l.LogLikelihood, Greedy: l.Greedy}
		case l.Key != "":
			j.texts[l.Key] = l.IDs
		}
		end += int64(len(data))
	}
}

func (j *journal) add(l line) {
	if j.out == nil {
		return
	}
	data, err := json.Marshal(l)
	if err != nil {
		panic(err) // a number that is not finite was refused before
	}
	_, _ = j.out.Write(append(data, '\n')) // flush has the error
}

func (j *journal) addScore(key string, r score.Result) {
	j.add(line{Key: key, LogLikelihood: &r.LogLikelihood, Greedy: r.Greedy})
}

func (j *journal) addText(key string, ids []int) { j.add(line{Key: key, IDs: ids}) }

// flush puts what was added on the disk.
func (j *journal) flush() error {
	if j.out == nil {
		return nil
	}
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("eval: the journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("eval: the journal: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.flush()
	if closed := j.file.Close(); err == nil && closed != nil {
		err = fmt.Errorf("eval: the journal: %w", closed)
	}
	return err
}

// VariantJournal is the file of a variant's journal, beside the one that is named.
func VariantJournal(name string, drop []int) string {
	if name == "" {
		return ""
	}
	label := "whole"
	for i, l := range drop {
		switch begins, ends := i == 0 || drop[i-1] != l-1, i+1 == len(drop) || drop[i+1] != l+1; {
		case i == 0:
			label = fmt.Sprintf("without-%d", l)
		case begins:
			label += fmt.Sprintf(",%d", l)
		case ends:
			label += fmt.Sprintf("..%d", l)
		}
	}
	end := filepath.Ext(name)
	return strings.TrimSuffix(name, end) + "." + label + end
}

// scoreKey names what a request asks.
func scoreKey(r score.Request) string { return hashIDs("score", nil, r.Context, r.Continuation) }

// key names what a generation asks.
func (g *generation) key() string {
	return hashIDs(fmt.Sprintf("text %d %v", g.most, g.temperature), g.until, g.prompt)
}

// hashIDs is a hash of texts and runs of ids, with their lengths.
func hashIDs(what string, texts []string, runs ...[]int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %q\n", what, texts)
	var buffer []byte
	for _, ids := range runs {
		buffer = binary.LittleEndian.AppendUint32(buffer[:0], uint32(len(ids)))
		for _, id := range ids {
			buffer = binary.LittleEndian.AppendUint32(buffer, uint32(id))
		}
		h.Write(buffer)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
