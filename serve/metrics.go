package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shallow/generate"
)

// metrics are what GET /metrics shows.
type metrics struct {
	requests     *prometheus.CounterVec
	promptTokens prometheus.Counter
	firstToken   prometheus.Histogram
	eachToken    prometheus.Histogram
	request      *prometheus.HistogramVec
	page         http.Handler
}

func newMetrics(engine Engine) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shallow_requests_total",
			Help: "Requests by route and status; 499 is a client that went away."}, []string{"route", "status"}),
		promptTokens: prometheus.NewCounter(prometheus.CounterOpts{Name: "shallow_prompt_tokens_total", Help: "Tokens of prompts."}),
		firstToken: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "shallow_time_to_first_token_seconds",
			Help: "From a sequence's start to its first token, its wait for a place included.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 18)}),
		eachToken: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "shallow_time_per_token_seconds",
			Help: "From one token of a sequence to the next.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}),
		request: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "shallow_request_seconds",
			Help: "Time of a request by route.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 20)}, []string{"route"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.promptTokens, m.firstToken, m.eachToken, m.request,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, value func(generate.Stats) int64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(engine.Stats())) }))
	}
	gauge := func(name, help string, value func(generate.Stats) int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value(engine.Stats())) }))
	}
	counter("shallow_steps_total", "Steps of the engine, each one pass over all weights.", func(s generate.Stats) int64 { return s.Steps })
	counter("shallow_step_rows_total", "Rows that went through the layers in these steps; by steps, how many share one.", func(s generate.Stats) int64 { return s.Rows })
	counter("shallow_generated_tokens_total", "Tokens generated.", func(s generate.Stats) int64 { return s.Generated })
	counter("shallow_prompt_tokens_reused_total", "Tokens of prompts whose keys and values were there already.", func(s generate.Stats) int64 { return s.Reused })
	gauge("shallow_sequences_live", "Sequences that hold a place.", func(s generate.Stats) int { return s.Running })
	gauge("shallow_sequences_waiting", "Sequences that wait for a place.", func(s generate.Stats) int { return s.Waiting })
	gauge("shallow_cache_tokens_used", "Tokens whose keys and values are held.", func(s generate.Stats) int { return s.Tokens - s.FreeTokens })
	gauge("shallow_cache_tokens", "Tokens whose keys and values there is room for.", func(s generate.Stats) int { return s.Tokens })
	m.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// clock times the tokens of one sequence.
type clock struct {
	metrics *metrics
	last    time.Time // the sequence's start, then the token before
	started bool
}

func (m *metrics) clock() *clock { return &clock{metrics: m, last: time.Now()} }

// tick notes that a token came.
func (c *clock) tick(t generate.Token) {
	if t.Prompt {
		return
	}
	now := time.Now()
	histogram := c.metrics.firstToken
	if c.started {
		histogram = c.metrics.eachToken
	}
	histogram.Observe(now.Sub(c.last).Seconds())
	c.last, c.started = now, true
}

// count notes how a request ended.
func (m *metrics) count(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.request.WithLabelValues(route).Observe(took.Seconds())
}
