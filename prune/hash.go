package prune

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"shallow/checkpoint"
)

// compareBytes hashes every tensor where it came from and where it was written. The result is the SHA-256 over the lines
// "name sha256" of all tensors, sorted by name: what identifies the new weights, however they are sharded.
func compareBytes(ctx context.Context, outputs []checkpoint.Output, source, pruned *checkpoint.Checkpoint, progress func(int64)) (string, error) {
	if got := len(pruned.Names()); got != len(outputs) {
		return "", fmt.Errorf("prune: %d tensors were to be written, %d were", len(outputs), got)
	}
	lines := make([]string, len(outputs))
	errs := make([]error, len(outputs))
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
		next = make(chan int)
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				lines[i], errs[i] = compareTensor(outputs[i], source, pruned)
				mu.Lock()
				progress(2 * outputs[i].From.Length)
				mu.Unlock()
			}
		})
	}
	for i := range outputs {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("prune: stopped while hashing: %w", err)
	}
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:]), nil
}

// compareTensor gives the line of one tensor. Its pages are let go, so that hashing takes no memory.
func compareTensor(o checkpoint.Output, source, pruned *checkpoint.Checkpoint) (string, error) {
	t, ok := pruned.Tensor(o.Name)
	if !ok {
		return "", fmt.Errorf("prune: tensor %q was not written", o.Name)
	}
	if t.DType != o.From.DType || !slices.Equal(t.Shape, o.From.Shape) {
		return "", fmt.Errorf("prune: %s: tensor %q is %s %v, its source %s %v", t.File, o.Name, t.DType, t.Shape, o.From.DType, o.From.Shape)
	}
	want, got := sha256.Sum256(o.From.Bytes()), sha256.Sum256(t.Bytes())
	source.Forget(o.From.Name)
	pruned.Forget(o.Name)
	if want != got {
		return "", fmt.Errorf("prune: %s: tensor %q differs from %s of %s: the disk or its cache is faulty", t.File, o.Name, o.From.Name, o.From.File)
	}
	return fmt.Sprintf("%s %x\n", o.Name, got), nil
}
