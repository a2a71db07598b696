package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// Error is the body of every answer that is not a success, and the error a client returns for it. Code, Slug
// and Class are those of the ledger's registry; Message says what is wrong and where.
type Error struct {
	Code         uint32 `json:"code" doc:"Number in the registry, see /v1/errors"`
	Slug         string `json:"slug" doc:"Its name"`
	Class        string `json:"class" doc:"What kind of failure it is: malformed, auth, replay, funds, state, governance, limit, node"`
	Message      string `json:"message" doc:"What is wrong, for people"`
	Retryable    bool   `json:"retryable" doc:"Whether the same request may succeed later or elsewhere"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty" doc:"How long to wait before"`
	Proof        *Proof `json:"proof,omitempty" doc:"With proof=true, where the answer is that there is nothing by that name: what shows it"`

	status int    // HTTP status where it is not the code's usual one
	height uint64 // how far the node is, where that is the reason
}

// NewError makes an Error with a code of the registry and a sentence of its own; without one, the code's.
func NewError(code ledger.Code, format string, args ...any) *Error {
	info := code.Info()
	e := &Error{Code: uint32(code), Slug: info.Slug, Class: string(info.Class), Message: info.Message, Retryable: info.Retryable}
	if format != "" {
		e.Message = fmt.Sprintf(format, args...)
	}
	if info.Class == ledger.ClassLimit {
		e.RetryAfterMS = retryAfterDefault.Milliseconds()
	}
	return e
}

// Rejected makes an Error of what the ledger said to a transaction.
func Rejected(code ledger.Code, detail string) *Error {
	return NewError(code, "%s", (&ledger.Reject{Code: code, Detail: detail}).Error())
}

// RetryAfter says how long a caller should wait, and returns e.
func (e *Error) RetryAfter(d time.Duration) *Error {
	e.RetryAfterMS = d.Milliseconds()
	return e
}

// again says when to come back where a node is cut off: what it met may have been a hiccup.
func (e *Error) again() *Error {
	if e.Code == uint32(ledger.CodeNoQuorum) {
		return e.RetryAfter(retryAfterDefault)
	}
	return e
}

// withStatus sets the HTTP status, where the code alone does not tell it.
func (e *Error) withStatus(status int) *Error {
	e.status = status
	return e
}

// Error is the message and the slug by which programs and the registry know it.
func (e *Error) Error() string { return e.Message + " [" + e.Slug + "]" }

// Is lets callers ask errors.Is(err, rpc.NewError(code, "")): two Errors are the same if their codes are.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// GetStatus is the HTTP status the error is sent with; package huma asks for it by this name.
func (e *Error) GetStatus() int {
	if e.status != 0 {
		return e.status
	}
	return httpStatus(ledger.Code(e.Code))
}

// GetHeaders are the headers the error is sent with; package huma asks for them by this name.
func (e *Error) GetHeaders() http.Header {
	h := http.Header{}
	if e.RetryAfterMS > 0 {
		seconds := (e.RetryAfterMS + 999) / 1000
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if e.height > 0 {
		h.Set(HeaderHeight, strconv.FormatUint(e.height, 10))
	}
	return h
}

// httpStatus says how a code travels. The codes that do not follow their class are listed first.
func httpStatus(code ledger.Code) int {
	switch code {
	case ledger.CodeOK:
		return http.StatusOK
	case ledger.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case ledger.CodeBadRequest:
		return http.StatusBadRequest
	case ledger.CodeNotFound, ledger.CodeAssetNotFound, ledger.CodeValidatorNotFound, ledger.CodeNodeNotFound, ledger.CodeFuture:
		return http.StatusNotFound
	case ledger.CodePruned:
		return http.StatusGone
	case ledger.CodeTimeout:
		return http.StatusGatewayTimeout
	case ledger.CodeInternal:
		return http.StatusInternalServerError
	}
	switch code.Info().Class {
	case ledger.ClassMalformed:
		return http.StatusBadRequest
	case ledger.ClassAuth:
		return http.StatusForbidden
	case ledger.ClassReplay:
		return http.StatusConflict
	case ledger.ClassFunds, ledger.ClassState, ledger.ClassGovernance:
		return http.StatusUnprocessableEntity
	case ledger.ClassLimit:
		return http.StatusTooManyRequests
	case ledger.ClassNode:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// badRequest is an Error about the request itself; the sentence names the part that is wrong.
func badRequest(format string, args ...any) *Error {
	return NewError(ledger.CodeBadRequest, format, args...)
}

// notFound is an Error about a name that means nothing here.
func notFound(format string, args ...any) *Error {
	return NewError(ledger.CodeNotFound, format, args...)
}

// asError turns what a Backend returned into what a caller sees. Errors that are not of the registry are a
// fault of this node: their text goes to the log, not out, since it may name files and peers.
func (s *server) asError(err error, doing string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var r *ledger.Reject
	if errors.As(err, &r) {
		return Rejected(r.Code, r.Detail)
	}
	s.log.Error("request failed; the caller was told internal", "doing", doing, "err", err)
	return NewError(ledger.CodeInternal, "")
}
