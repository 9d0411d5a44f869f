package serve

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
)

// marshal is a value as JSON with characters such as < as they are, and a newline at its end.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// writeJSON answers a request. That the client is gone shows in its context, not here.
func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := marshal(v)
	if err != nil { // a value that JSON has no form for: our own mistake
		status, data = http.StatusInternalServerError, []byte(`{"error":{"message":"internal error","type":"server_error","param":null,"code":null}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// logprob is a log-probability as JSON. A token that cannot come has none that JSON could write and reads −9999, as in vLLM.
type logprob float64

// MarshalJSON writes the shortest number that reads back as the same float64, so that equal ones stay equal.
func (l logprob) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(l), 0) || math.IsNaN(float64(l)) {
		l = -9999
	}
	return json.Marshal(float64(l))
}

// ranked is an object from names to log-probabilities whose keys stand in their order, the likeliest first.
type ranked []namedLogprob

type namedLogprob struct {
	name  string
	value logprob
}

// MarshalJSON keeps the first of two tokens with the same name.
func (r ranked) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	b := []byte{'{'}
	seen := make(map[string]bool, len(r))
	for _, e := range r {
		if seen[e.name] {
			continue
		}
		if len(seen) > 0 {
			b = append(b, ',')
		}
		seen[e.name] = true
		key, err := marshal(e.name)
		if err != nil {
			return nil, err
		}
		value, err := e.value.MarshalJSON()
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, bytes.TrimSpace(key)...), ':'), value...)
	}
	return append(b, '}'), nil
}
