package serve

import "time"

// Limits bound what clients can ask for.
type Limits struct {
	Body      int64         // bytes of a request
	Sequences int           // prompts times n of one request
	Waiting   int           // sequences of all requests that wait for a place, beside those that are live
	Stops     int           // stop strings of a request
	StopBytes int           // of one stop string
	Logprobs  int           // likeliest tokens a position
	Scores    int           // log-probabilities of a reply
	Time      time.Duration // of a request, from its last byte to the last token
	Read      time.Duration // of a request's bytes
	Write     time.Duration // of a write, in which a client that does not read is waited for
	Idle      time.Duration // between two requests on a connection
	Grace     time.Duration // for running requests once the server is told to stop
}

// DefaultLimits are those of the command line.
func DefaultLimits() Limits {
	return Limits{
		Body: 4 << 20, Sequences: 128, Waiting: 256, Stops: 16, StopBytes: 1 << 10, Logprobs: 20, Scores: 2e6,
		Time: 10 * time.Minute, Read: 30 * time.Second, Write: 30 * time.Second, Idle: 2 * time.Minute, Grace: 30 * time.Second,
	}
}
