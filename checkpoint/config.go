package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxConfig bounds config.json in bytes; the largest published ones (with a quantisation entry per tensor) stay under 1 MB.
const maxConfig = 4 << 20

// MaxLayers is far above every published depth; more is a damaged file.
const MaxLayers = 10_000

// LayerCountKeys are the names of the number of layers in config.json, in the order in which they are tried.
var LayerCountKeys = []string{"num_hidden_layers", "n_layer", "num_layers", "n_layers"}

// Config is config.json, or one object within it, in its own order and with every key kept.
// It is never changed; Rewrite gives a new text. Accessors give def, or nil, where the key is absent or null.
type Config struct {
	name string // of the file, for errors
	src  []byte // the whole file
	root *value // this object
	path string // of this object in the file: "" or "text_config."
	err  *error // shared by the file's objects
}

// ParseConfig reads the text of a config.json.
func ParseConfig(data []byte) (*Config, error) {
	c, err := ParseObject(ConfigFile, data)
	if err != nil {
		return nil, err
	}
	if _, err := c.layers(); err != nil {
		return nil, err
	}
	return c, nil
}

// ParseObject reads the text of another JSON file that lies beside config.json, such as adapter_config.json. name is the file's, for errors.
func ParseObject(name string, data []byte) (*Config, error) {
	if len(data) > maxConfig {
		return nil, fmt.Errorf("checkpoint: %s has %d bytes, more than %d: it is not a model's config", name, len(data), maxConfig)
	}
	data = append([]byte(nil), data...)
	root, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s %w", name, err)
	}
	if root.kind != Object {
		return nil, fmt.Errorf("checkpoint: %s %w", name, errNotObject)
	}
	return &Config{name: name, src: data, root: root, err: new(error)}, nil
}

// Bytes is the text of config.json as it was read.
func (c *Config) Bytes() []byte { return append([]byte(nil), c.src...) }

// Hash is the SHA-256 of config.json's bytes in hexadecimal.
func (c *Config) Hash() string {
	sum := sha256.Sum256(c.src)
	return hex.EncodeToString(sum[:])
}

// Err is the first value of a wrong type that an accessor met, in this object or any other of the same file.
func (c *Config) Err() error { return *c.err }

func (c *Config) fail(key string, v *value, want string) {
	if *c.err == nil {
		shown := c.src[v.start:v.end]
		if len(shown) > 40 {
			shown = append(append([]byte(nil), shown[:40]...), "…"...)
		}
		*c.err = fmt.Errorf("checkpoint: %s: %s%s is %s, expected %s", c.name, c.path, key, shown, want)
	}
}

// find is the value of key, nil where it is absent or null.
func (c *Config) find(key string) *value {
	if v := c.root.get(key); v != nil && v.kind != Null {
		return v
	}
	return nil
}

// Keys lists this object's keys in the file's order.
func (c *Config) Keys() []string { return append([]string(nil), c.root.keys...) }

// Has tells whether key is there and not null.
func (c *Config) Has(key string) bool { return c.find(key) != nil }

// Int is a whole number; 3.0 counts as 3.
func (c *Config) Int(key string, def int) int {
	v := c.find(key)
	if v == nil {
		return def
	}
	n, ok := v.int()
	if !ok {
		c.fail(key, v, "a whole number")
		return def
	}
	return n
}

// Float is a number; the NaN and Infinity that Python writes are numbers too.
func (c *Config) Float(key string, def float64) float64 {
	v := c.find(key)
	if v == nil {
		return def
	}
	f, ok := v.float()
	if !ok {
		c.fail(key, v, "a number")
		return def
	}
	return f
}

// Bool is true or false.
func (c *Config) Bool(key string, def bool) bool {
	v := c.find(key)
	if v == nil {
		return def
	}
	if v.kind != Bool {
		c.fail(key, v, "true or false")
		return def
	}
	return v.text == "true"
}

// String is a text.
func (c *Config) String(key, def string) string {
	v := c.find(key)
	if v == nil {
		return def
	}
	if v.kind != String {
		c.fail(key, v, "a text")
		return def
	}
	return v.text
}

// Strings is a list of texts.
func (c *Config) Strings(key string) []string {
	return list(c, key, "a list of texts", func(v *value) (string, bool) { return v.text, v.kind == String })
}

// Ints is a list of whole numbers.
func (c *Config) Ints(key string) []int {
	return list(c, key, "a list of whole numbers", (*value).int)
}

// Floats is a list of numbers.
func (c *Config) Floats(key string) []float64 {
	return list(c, key, "a list of numbers", (*value).float)
}

func list[T any](c *Config, key, want string, element func(*value) (T, bool)) []T {
	v := c.find(key)
	if v == nil {
		return nil
	}
	if v.kind != List {
		c.fail(key, v, want)
		return nil
	}
	items := make([]T, len(v.values))
	for i, item := range v.values {
		x, ok := element(item)
		if !ok {
			c.fail(key, v, want)
			return nil
		}
		items[i] = x
	}
	return items
}

func (v *value) float() (float64, bool) {
	if v.kind != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return f, err == nil
}

func (v *value) int() (int, bool) {
	if v.kind != Number {
		return 0, false
	}
	if n, err := strconv.Atoi(v.text); err == nil {
		return n, true
	}
	f, ok := v.float()
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int(f), true
}

// KindOf is the kind of key's value; Null where it is absent.
func (c *Config) KindOf(key string) Kind {
	if v := c.root.get(key); v != nil {
		return v.kind
	}
	return Null
}

// Sub is a nested object, nil where it is absent or not an object.
func (c *Config) Sub(key string) *Config {
	v := c.find(key)
	if v == nil || v.kind != Object {
		return nil
	}
	return &Config{name: c.name, src: c.src, root: v, path: c.path + key + ".", err: c.err}
}

// ModelType is model_type, which names the family; empty where the file does not say.
func (c *Config) ModelType() string { return c.String("model_type", "") }

// Layers is the number of decoder layers under any of LayerCountKeys; 0 where the file does not say.
func (c *Config) Layers() int {
	n, _ := c.layers()
	return n
}

// TextConfigs are the objects that hold the language model of a multimodal config.
var TextConfigs = []string{"text_config", "llm_config", "language_config"}

// Decoder is the object that describes the language model: the config itself, or text_config and the like within it. Where both
// count layers, and the same number, the inner object is it: readers of multimodal configs build the language model from that.
func (c *Config) Decoder() *Config {
	for _, key := range TextConfigs {
		sub := c.Sub(key)
		if sub == nil || !c.counts() {
			continue
		}
		if inner, err := sub.ownLayers(); err == nil && inner > 0 && sub.Has("hidden_size") {
			if outer, _ := c.ownLayers(); outer == inner {
				return sub
			}
		}
	}
	if c.counts() {
		return c
	}
	for _, key := range TextConfigs {
		if sub := c.Sub(key); sub != nil {
			return sub
		}
	}
	return c
}

// counts reports whether this object has a number of layers.
func (c *Config) counts() bool {
	for _, key := range LayerCountKeys {
		if c.Has(key) {
			return true
		}
	}
	return false
}

func (c *Config) layers() (int, error) { return c.Decoder().ownLayers() }

// ownLayers is this object's number of layers, 0 where it has none.
func (c *Config) ownLayers() (int, error) {
	keys := LayerCountKeys
	// LongCat counts attention blocks under num_hidden_layers, two for each layer.
	if v := c.find("model_type"); v != nil && v.text == "longcat_flash" {
		keys = append([]string{"num_layers"}, keys...)
	}
	for _, key := range keys {
		v := c.find(key)
		if v == nil {
			continue
		}
		n, ok := v.int()
		if !ok || n < 1 || n > MaxLayers {
			return 0, fmt.Errorf("checkpoint: %s: %s%s is %.40s, expected a number of layers from 1 to %d",
				c.name, c.path, key, strings.TrimSpace(string(c.src[v.start:v.end])), MaxLayers)
		}
		return n, nil
	}
	// Nemotron-H's newer files have the list of kinds and no count.
	if v := c.find("layers_block_type"); v != nil && v.kind == List && len(v.values) <= MaxLayers {
		return len(v.values), nil
	}
	return 0, nil
}
