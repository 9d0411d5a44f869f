package serve

import (
	"fmt"
	"net/http"
	"strconv"
)

// problem is why a request gets no answer, in OpenAI's shape.
type problem struct {
	status  int
	message string
	kind    string
	param   string // the field at fault; empty for none
	code    string // empty for none
}

func (p *problem) Error() string { return p.message }

// refuse is a mistake in one field of a request.
func refuse(param, format string, a ...any) *problem {
	message := fmt.Sprintf(format, a...)
	if param != "" {
		message = param + ": " + message
	}
	return &problem{status: http.StatusBadRequest, message: message, kind: "invalid_request_error", param: param}
}

// The other problems.
func notFound(code, format string, a ...any) *problem {
	return &problem{status: http.StatusNotFound, message: fmt.Sprintf(format, a...), kind: "invalid_request_error", code: code}
}

func failed(err error) *problem {
	return &problem{status: http.StatusInternalServerError, message: err.Error(), kind: "server_error"}
}

var (
	errBusy = &problem{status: http.StatusTooManyRequests, kind: "rate_limit_error", code: "rate_limit_exceeded",
		message: "all places and the queue are taken: try again later"}
	errDraining = &problem{status: http.StatusServiceUnavailable, kind: "server_error", code: "draining",
		message: "the server is shutting down and takes no new requests"}
	errTime = &problem{status: http.StatusGatewayTimeout, kind: "server_error", code: "timeout",
		message: "the request took longer than the server allows: ask for fewer tokens or prompts"}
	errPanic = &problem{status: http.StatusInternalServerError, kind: "server_error", message: "internal error"}
	errKey   = &problem{status: http.StatusUnauthorized, kind: "authentication_error", code: "invalid_api_key",
		message: "the API key is missing or wrong: send it as Authorization: Bearer KEY"}
	errOrigin = &problem{status: http.StatusForbidden, kind: "invalid_request_error", code: "origin",
		message: "requests from web pages of other sites are refused"}
)

// problemBody is how a problem is sent.
type problemBody struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

func (p *problem) body() (b problemBody) {
	b.Error.Message, b.Error.Type = p.message, p.kind
	if p.param != "" {
		b.Error.Param = &p.param
	}
	if p.code != "" {
		b.Error.Code = &p.code
	}
	return b
}

// write answers a request with the problem.
func (p *problem) write(w http.ResponseWriter) {
	switch p.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, p.status, p.body())
}

// retryAfter is the seconds after which a client that found no place may ask again.
const retryAfter = 1
