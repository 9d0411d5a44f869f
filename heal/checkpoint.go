package heal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
	"shallow/internal/atomicfile"
)

// checkpointFile holds everything that a run goes on from. It is replaced as a whole.
const checkpointFile = "checkpoint.safetensors"

// checkpointVersion changes when the file's meaning does.
const checkpointVersion = 1

// settings are what the bits of the result depend on, by the names of flags. A run goes on only with the same.
type settings map[string]any

func (o *Options) settings(m *decoder.Model, t *trainee) settings {
	s := settings{
		"model": identity(m.Checkpoint), "products": m.Multiplies().String(),
		"targets": t.names(), "dropout": o.Dropout, "budget": o.Budget, "usual": o.Usual, "batch": o.Batch, "accumulate": o.Accumulate,
		"lr": o.Peak, "warmup": o.Warmup, "clip": o.Clip, "decay": o.Decay, "seed": fmt.Sprint(o.Seed), "length": o.Length,
	}
	if o.Beta2 > 0 && o.Beta2 != beta2 {
		s["beta2"] = o.Beta2
	}
	if o.LayerDrop > 0 {
		s["layer-drop"] = o.LayerDrop
	}
	if o.DType != "" {
		s["dtype"] = o.DType
	}
	switch {
	case !o.lora():
		s["method"], s["from-scratch"] = o.Method, o.FromScratch
	case o.Init != "":
		s["init"] = o.initHash
	default:
		s["rank"], s["alpha"] = o.Rank, o.Alpha
	}
	if o.Teacher != nil {
		s["loss"], s["teacher"], s["temperature"] = o.Objective, identity(o.Teacher.Model.Checkpoint), o.Teacher.Temperature
	}
	if o.Cut != nil {
		s["cut"] = *o.Cut
	}
	for key, value := range o.Given {
		s[key] = value
	}
	// As they will be read again.
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers and texts alone
	}
	var again settings
	if err := json.Unmarshal(text, &again); err != nil {
		panic(err)
	}
	return again
}

// same names the first setting that is another.
func (s settings) same(other settings) error {
	keys := map[string]bool{}
	for k := range s {
		keys[k] = true
	}
	for k := range other {
		keys[k] = true
	}
	var sorted []string
	for k := range keys {
		sorted = append(sorted, k)
	}
	sort.Strings(sorted)
	for _, k := range sorted {
		if !reflect.DeepEqual(s[k], other[k]) {
			return fmt.Errorf("%s was %v and is now %v", k, shown(s[k]), shown(other[k]))
		}
	}
	return nil
}

// shown is a setting's value, or the begin of a long one.
func shown(v any) string {
	text := fmt.Sprint(v)
	if v == nil {
		text = "not given"
	}
	if len(text) > 40 {
		text = text[:37] + "..."
	}
	return text
}

// header is what the checkpoint says beside its tensors.
type header struct {
	Version  int      `json:"version"`
	Kernels  string   `json:"kernels"`
	Settings settings `json:"settings"`
	State    state    `json:"state"`
}

// keep writes the checkpoint of the step that was done last. The log is on the disk before it.
func (l *loop) keep() error {
	if err := errors.Join(l.finite(), l.log.sync()); err != nil {
		return err
	}
	text, err := json.Marshal(header{checkpointVersion, l.Kernels, l.settings, l.state})
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	var tensors []stored
	for _, v := range l.trainee.variables {
		for _, x := range v.parts() {
			tensors = append(tensors, stored{x.name, []int{x.tensor.Rows, x.tensor.Cols}, func() ([]byte, error) {
				data := make([]byte, 4*x.tensor.Rows*x.tensor.Cols)
				return data, l.model.Device.Download(data, x.tensor)
			}})
		}
	}
	return writeTensors(filepath.Join(l.Output, checkpointFile), tensors, map[string]string{"heal": string(text)})
}

// part is one of a variable's tensors that a checkpoint keeps.
type keptTensor struct {
	name   string
	tensor compute.Tensor
}

func (v variable) parts() []keptTensor {
	return []keptTensor{{"value." + v.name, v.value}, {"first." + v.name, v.first}, {"second." + v.name, v.second}}
}

// resume reads the checkpoint, if there is one, and gives the step that it is of.
func (l *loop) resume() (int, error) {
	h, c, err := openCheckpoint(l.Output)
	if h == nil || err != nil {
		return 0, err
	}
	defer c.Close()
	path := filepath.Join(l.Output, checkpointFile)
	if err := h.Settings.same(l.settings); err != nil {
		return 0, fmt.Errorf("heal: %s is of another run: %w; give the same options, or another directory", path, err)
	}
	if h.Kernels != l.Kernels && !l.AnyKernels {
		return 0, fmt.Errorf("heal: %s was computed by %s and this run by %s, whose last bits differ: set SHALLOW_CPU, or --allow-different-kernels", path, h.Kernels, l.Kernels)
	}
	for _, v := range l.trainee.variables {
		for _, x := range v.parts() {
			t, ok := c.Tensor(x.name)
			if !ok || t.DType != checkpoint.F32 || t.Elements() != x.tensor.Rows*x.tensor.Cols {
				return 0, fmt.Errorf("heal: %s: tensor %q is not there as float32 [%d, %d]: remove the file to begin anew", path, x.name, x.tensor.Rows, x.tensor.Cols)
			}
			l.model.Device.Upload(x.tensor, t.Bytes())
		}
	}
	l.state = h.State
	return l.Step, l.model.Device.Sync()
}

// openCheckpoint reads the header; it is nil where there is no checkpoint.
func openCheckpoint(dir string) (*header, *checkpoint.Checkpoint, error) {
	path := filepath.Join(dir, checkpointFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	c, err := checkpoint.OpenFile(dir, checkpointFile)
	if err != nil {
		return nil, nil, err
	}
	var h header
	if err := json.Unmarshal([]byte(c.Metadata()["heal"]), &h); err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("heal: %s is no checkpoint of a training: %w", path, err)
	}
	if h.Version != checkpointVersion || h.State.Step < 1 {
		c.Close()
		return nil, nil, fmt.Errorf("heal: %s has version %d and step %d; this program reads version %d: remove the file to begin anew", path, h.Version, h.State.Step, checkpointVersion)
	}
	return &h, c, nil
}

// kept is the step of the checkpoint on the disk, 0 for none.
func (l *loop) kept() int {
	h, c, err := openCheckpoint(l.Output)
	if h == nil || err != nil {
		return 0
	}
	defer c.Close()
	return h.State.Step
}

func removeCheckpoint(dir string) error {
	if err := os.Remove(filepath.Join(dir, checkpointFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("heal: %w", err)
	}
	return nil
}

// readJSON reads a small file, and says whether it is there.
func readJSON(path string, v any) (found bool, err error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil:
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return true, fmt.Errorf("heal: %s: %w", path, err)
	}
	return true, nil
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = atomicfile.Write(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	return nil
}

// names are the trained tensors.
func (t *trainee) names() string {
	var names []string
	for _, v := range t.variables {
		names = append(names, v.name)
	}
	return digest([]byte(strings.Join(names, "\n")))
}
