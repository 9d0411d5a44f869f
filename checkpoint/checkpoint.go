package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// The names that Hugging Face gives the files of a model directory.
const (
	ConfigFile = "config.json"
	SingleFile = "model.safetensors"
	IndexFile  = "model.safetensors.index.json"
)

// Checkpoint is an open model directory. Its methods may be called from several goroutines, Close when none uses it any more.
type Checkpoint struct {
	Dir     string
	Config  *Config
	Ignored []string // a sentence for each tensor that a shard holds and the index does not name
	shards  []*shard
	tensors map[string]Tensor
	names   []string
}

// Open reads config.json, the index where there is one and the headers of all shards, checks them, and maps the shards.
func Open(dir string) (*Checkpoint, error) {
	c := &Checkpoint{Dir: dir, tensors: map[string]Tensor{}}
	if err := c.readConfig(); err != nil {
		return nil, err
	}
	if err := c.openWeights(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Checkpoint) readConfig() error {
	config, err := readFile(c.Dir, ConfigFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint: %s has no config.json: it is not a Hugging Face model directory", c.Dir)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if c.Config, err = ParseConfig(config); err != nil {
		return fmt.Errorf("%w (in %s)", err, c.Dir)
	}
	return nil
}

func (c *Checkpoint) openWeights() error {
	// A single file wins over an index, as in transformers.
	if exists(filepath.Join(c.Dir, SingleFile)) {
		return c.openSingle()
	}
	data, err := readFile(c.Dir, IndexFile, maxHeader)
	if errors.Is(err, fs.ErrNotExist) {
		return c.noWeights()
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	weights, err := parseIndex(data)
	if err != nil {
		return fmt.Errorf("checkpoint: %s: %w", IndexFile, err)
	}
	return c.openShards(weights)
}

func (c *Checkpoint) openSingle() error {
	s, err := c.open(SingleFile)
	if err != nil {
		return err
	}
	for _, t := range s.header.tensors {
		c.tensors[t.Name] = t
		c.names = append(c.names, t.Name)
	}
	sort.Strings(c.names)
	return nil
}

func (c *Checkpoint) open(name string) (*shard, error) {
	s, err := openShard(c.Dir, name)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", name, err)
	}
	c.shards = append(c.shards, s)
	return s, nil
}

func (c *Checkpoint) openShards(weights map[string]string) error {
	var files []string
	seen := map[string]bool{}
	for name, file := range weights {
		c.names = append(c.names, name)
		if !seen[file] {
			seen[file] = true
			files = append(files, file)
		}
	}
	sort.Strings(c.names)
	sort.Strings(files)
	for _, file := range files {
		s, err := c.open(file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %s: the index names it, but it is not there: the download is incomplete", file)
		}
		if err != nil {
			return err
		}
		for _, t := range s.header.tensors {
			if weights[t.Name] == file {
				c.tensors[t.Name] = t
				continue
			}
			c.Ignored = append(c.Ignored, fmt.Sprintf("%s: tensor %q is not in the index under this file", file, t.Name))
		}
	}
	for _, name := range c.names {
		if _, ok := c.tensors[name]; !ok {
			return fmt.Errorf("checkpoint: %s: tensor %q is in the index but not in this file: fetch the file again", weights[name], name)
		}
	}
	return nil
}

// noWeights explains what a directory without safetensors has instead.
func (c *Checkpoint) noWeights() error {
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, e := range entries {
		var advice string
		switch filepath.Ext(e.Name()) {
		case ".safetensors":
			advice = IndexFile + " is missing: the download is incomplete"
		case ".bin", ".pth", ".pt":
			advice = "its weights are pickled, which is never opened here: convert them to safetensors"
		case ".gguf":
			advice = "its weights are GGUF: name that file instead of the directory"
		default:
			continue
		}
		return fmt.Errorf("checkpoint: %s has %s but no %s: %s", c.Dir, e.Name(), SingleFile, advice)
	}
	return fmt.Errorf("checkpoint: %s has neither %s nor %s: %w", c.Dir, SingleFile, IndexFile, ErrNoWeights)
}

// ErrNoWeights is why a directory that has a config.json and no weights of any kind does not open.
var ErrNoWeights = errors.New("the download is incomplete")

// Close unmaps the shards. Bytes of its tensors must not be used afterwards.
func (c *Checkpoint) Close() error {
	var first error
	for _, s := range c.shards {
		if err := s.close(); first == nil {
			first = err
		}
	}
	c.shards = nil
	return first
}

// Names lists all tensors, sorted.
func (c *Checkpoint) Names() []string { return append([]string(nil), c.names...) }

// Tensor finds a tensor by its name.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	t, ok := c.tensors[name]
	return t, ok
}

// Size is the number of bytes of all tensors.
func (c *Checkpoint) Size() int64 {
	var n int64
	for _, t := range c.tensors {
		n += t.Length
	}
	return n
}

// Prefetch asks the system to read tensors ahead and returns at once. Names that are not there are passed over.
func (c *Checkpoint) Prefetch(names ...string) { c.advise(names, true) }

// Forget lets the mapped pages of tensors go, so that they no longer count as resident; the next access reads them again.
func (c *Checkpoint) Forget(names ...string) { c.advise(names, false) }

func (c *Checkpoint) advise(names []string, need bool) {
	for _, name := range names {
		if t, ok := c.tensors[name]; ok && t.shard.file != nil && t.shard.data != nil {
			advise(t.shard.data, t.Offset, t.Offset+t.Length, need)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(dir, name string, limit int64) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that are allowed", path, info.Size(), limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The file may grow after its size was read.
	return io.ReadAll(io.LimitReader(f, limit+1))
}
