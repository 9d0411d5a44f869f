package serve

import (
	"context"

	"shallow/generate"
)

// Engine takes many sequences on at once; *generate.Engine is one.
type Engine interface {
	// Submit returns when the request has ended, or soon after ctx is done. With the same request it emits the same tokens,
	// whatever runs beside it.
	Submit(ctx context.Context, r generate.Request) (generate.Result, error)
	Check(r generate.Request) error // why Submit would refuse the request
	Stats() generate.Stats
	Length() int // a request may have this many tokens, and one more that is only predicted
}
