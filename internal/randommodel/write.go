package randommodel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/internal/atomicfile"
)

// card is the model's README.md: no one should take it for a trained one.
const card = `# A random model

Sixteen Llama layers with random weights, for the tests of shallow. Each layer writes into the residual stream with a strength that
falls with depth, but for the last one: the shape that trained models have, put in by hand. It has learned nothing and says nothing.
`

// Write writes the random model, with a tokenizer of single bytes, as a Hugging Face directory. The same seed gives the
// same bytes. A directory that is there is replaced.
func Write(dir string, seed uint64) (err error) {
	w, err := checkpoint.NewWriter(dir, checkpoint.WriterOptions{Replace: true})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	var outputs []checkpoint.Output
	for _, t := range weights(seed) {
		outputs = append(outputs, checkpoint.Output{Name: t.name, DType: checkpoint.F32, Shape: t.shape, Data: compute.Bytes(t.values)})
	}
	if err := w.WriteTensors(context.Background(), outputs, 0, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"config.json": config(), "tokenizer.json": tokenizerJSON(), "README.md": []byte(card)} {
		if err := w.WriteFile(name, data); err != nil {
			return err
		}
	}
	return w.Commit()
}

// WriteCorpus writes short texts, one JSON object with a text a line, to measure on.
func WriteCorpus(path string, seed uint64) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, text := range documents(texts, seed) {
		if err := e.Encode(map[string]string{"text": text}); err != nil {
			return err
		}
	}
	return atomicfile.Write(filepath.Clean(path), b.Bytes())
}
