package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// directoryConfig is what lies beside a tokenizer file: tokenizer_config.json, and special_tokens_map.json and
// added_tokens.json of older checkpoints.
type directoryConfig struct {
	Class     string                `json:"tokenizer_class"`
	AddBOS    *bool                 `json:"add_bos_token"`
	AddEOS    *bool                 `json:"add_eos_token"`
	BOS       tokenText             `json:"bos_token"`
	EOS       tokenText             `json:"eos_token"`
	Legacy    *bool                 `json:"legacy"`
	Prefix    *bool                 `json:"add_prefix_space"`
	Added     map[string]addedToken `json:"added_tokens_decoder"`
	olderIDs  map[string]int        // added_tokens.json
	unwritten bool                  // there is no tokenizer_config.json
}

// tokenText is the text of a token that is written as a string or as an object with its flags; "" for null.
type tokenText string

// UnmarshalJSON reads either form.
func (t *tokenText) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err == nil {
		if text != nil {
			*t = tokenText(*text)
		}
		return nil
	}
	var object struct{ Content string }
	err := json.Unmarshal(data, &object)
	*t = tokenText(object.Content)
	return err
}

func readConfig(dir string) (c directoryConfig, err error) {
	read, err := readJSON(filepath.Join(dir, "tokenizer_config.json"), &c)
	if err != nil {
		return c, err
	}
	c.unwritten = !read
	if c.BOS == "" && c.EOS == "" {
		if _, err := readJSON(filepath.Join(dir, "special_tokens_map.json"), &struct {
			BOS *tokenText `json:"bos_token"`
			EOS *tokenText `json:"eos_token"`
		}{&c.BOS, &c.EOS}); err != nil {
			return c, err
		}
	}
	_, err = readJSON(filepath.Join(dir, "added_tokens.json"), &c.olderIDs)
	return c, err
}

// readJSON reads a file into v; false if there is none.
func readJSON(path string, v any) (bool, error) {
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return true, nil
}

// readBounded reads a whole file that is not too large for a tokenizer's.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes; a tokenizer's file has at most %d", filepath.Base(path), info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// added is the added tokens by id.
func (c *directoryConfig) added() ([]addedToken, error) {
	var all []addedToken
	for key, token := range c.Added {
		id, err := strconv.Atoi(key)
		if err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: added_tokens_decoder: %q is not an id", key)
		}
		token.ID = id
		all = append(all, token)
	}
	for content, id := range c.olderIDs {
		if !slices.ContainsFunc(all, func(t addedToken) bool { return t.ID == id || t.Content == content }) {
			all = append(all, addedToken{ID: id, Content: content})
		}
	}
	slices.SortFunc(all, func(a, b addedToken) int { return a.ID - b.ID })
	return all, nil
}
