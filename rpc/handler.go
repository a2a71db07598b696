package rpc

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// NewHandler serves the API.
func NewHandler(b Backend, o Options) http.Handler {
	s := &server{backend: b, options: o, log: o.Logger, now: time.Now}
	_ = s.asError
	return chi.NewRouter()
}
