package checkpoint

// elementTypes are the types of weights that a config.json names, by their names in it.
var elementTypes = map[string]DType{"float32": F32, "bfloat16": BF16, "float16": F16}

// typeKeys are what the type of the weights is called: dtype by transformers 5, torch_dtype before.
var typeKeys = []string{"dtype", "torch_dtype"}

// ElementType is the type of weights of a name such as "bfloat16", "" where the name is not known.
func ElementType(name string) DType { return elementTypes[name] }

// ElementType is what config.json calls the type of the decoder's weights; "" where it does not say.
func (c *Config) ElementType() string {
	for _, from := range []*Config{c.Decoder(), c} {
		for _, key := range typeKeys {
			if name := from.String(key, ""); name != "" {
				return name
			}
		}
	}
	return ""
}

// WithElementType is the text of config.json for weights of another type.
func (c *Config) WithElementType(t DType) ([]byte, error) {
	var name string
	for n, x := range elementTypes {
		if x == t {
			name = string(quote(n))
		}
	}
	var edits []Edit
	for _, from := range []*Config{c, c.Decoder()} {
		for _, key := range typeKeys {
			if from.Has(key) {
				edits = append(edits, Edit{Path: append(from.Path(), key), JSON: name})
			}
		}
		if from.root == c.Decoder().root {
			break
		}
	}
	if edits == nil {
		edits = []Edit{{Path: []string{typeKeys[1]}, JSON: name}}
	}
	return c.Rewrite(edits)
}
