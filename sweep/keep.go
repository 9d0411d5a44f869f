package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"shallow/gguf"
	"shallow/internal/atomicfile"
	"shallow/plan"
)

// What Options.Keep leaves in the output.
const (
	PlanFile    = "plan.json"
	keptPruned  = "pruned"
	keptHealed  = "healed"
	settingFile = "run.json" // what the checkpoints were made of
)

// made says what the checkpoints of an output were made of, so that those of other settings are neither used nor replaced.
type made struct {
	Version int    `json:"version"` // 1
	Tool    string `json:"tool"`
	Pruned  string `json:"pruned"` // hash of the model and the dropped layers
	Healed  string `json:"healed,omitempty"`
}

// keep writes the plan and the pruned checkpoint of the one variant, unless they are there.
func (s *sweep) keep(ctx context.Context) error {
	m := s.subjects[0]
	var p *plan.Plan
	now := made{Version: 1, Tool: s.Tool}
	for _, x := range s.spots {
		switch {
		case x.plan == nil:
		case x.subject != m || p != nil && !slices.Equal(p.Drop, x.drop):
			return errors.New("sweep: only of one variant of one model are the checkpoints kept under names of their own")
		default:
			p = x.plan
		}
	}
	if p == nil {
		return errors.New("sweep: nothing is dropped: there is no checkpoint to keep")
	}
	in := s.inputs(m)
	in.Drop, in.Kernels, in.Precision = p.Drop, "", "" // bytes that are moved
	now.Pruned = in.id()
	for _, u := range s.units {
		if u.healing != nil {
			now.Healed = u.key
		}
	}
	return s.once(ctx, "keep", s.kept(m, now), func(ctx context.Context) error {
		if err := s.own(m, now); err != nil {
			return err
		}
		if err := p.Write(filepath.Join(s.Output, PlanFile)); err != nil {
			return err
		}
		return s.prune(ctx, m, p, s.keptPath(m))
	})
}

func (s *sweep) keptPath(m *subject) string {
	path := filepath.Join(s.Output, keptPruned)
	if gguf.Is(m.path) {
		path += ".gguf"
	}
	return path
}

// kept reports whether all is there and made of the same.
func (s *sweep) kept(m *subject, now made) func() bool {
	return func() bool {
		before, err := s.madeOf()
		return err == nil && before != nil && before.Pruned == now.Pruned && (now.Healed == "" || before.Healed == now.Healed) &&
			exists(filepath.Join(s.Output, PlanFile)) && exists(s.keptPath(m))
	}
}

func (s *sweep) madeOf() (*made, error) {
	data, err := os.ReadFile(filepath.Join(s.Output, settingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	x := new(made)
	if err == nil {
		err = json.Unmarshal(data, x)
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", filepath.Join(s.Output, settingFile), err)
	}
	return x, nil
}

// own says in the output what its checkpoints will be made of. Checkpoints of anything else are refused, not replaced.
func (s *sweep) own(m *subject, now made) error {
	before, err := s.madeOf()
	if err != nil {
		return err
	}
	for _, x := range []struct{ path, what, before, now string }{
		{s.keptPath(m), "layers", prunedOf(before), now.Pruned},
		{filepath.Join(s.Output, keptHealed), "healing", healedOf(before), now.Healed},
	} {
		if x.now != "" && x.now != x.before && exists(x.path) {
			return fmt.Errorf("sweep: %s was made of another model or with other %s: choose another directory, or remove it", x.path, x.what)
		}
	}
	if now.Healed == "" {
		now.Healed = healedOf(before) // which stays as it is
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(s.Output, settingFile), append(data, '\n')); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

func prunedOf(m *made) string {
	if m == nil {
		return ""
	}
	return m.Pruned
}

func healedOf(m *made) string {
	if m == nil {
		return ""
	}
	return m.Healed
}
