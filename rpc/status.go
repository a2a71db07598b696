package rpc

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/ledger"
)

// What a node must be to be ready, where a request does not say it; in the tags of readyInput, too.
const (
	readyLagMax = 2
	readyAgeMax = 5 * time.Second
)

type readyInput struct {
	MaxLag uint64 `query:"max_lag" default:"2" doc:"How many blocks the node may be behind"`
	MaxAge string `query:"max_age" default:"5s" doc:"How old its newest block may be"`
}

type readyOutput struct {
	Status int
	Body   Ready
}

type nodeOutput struct{ Body Status }

type liveOutput struct{ Body Live }

type errorsOutput struct{ Body ErrorCodes }

// registerNode makes the routes about the node itself.
func (s *server) registerNode(api huma.API) {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{tagNode}}
	}
	huma.Register(api, op("status", PathStatus, "How the node is"), s.status)
	ready := op("ready", PathReady, "Whether the node should get requests: 200, or 503 with the reasons")
	ready.Responses = map[string]*huma.Response{"503": {
		Description: "Not ready", Content: map[string]*huma.MediaType{"application/json": {Schema: registerSchema[Ready](api.OpenAPI())}},
	}}
	huma.Register(api, ready, s.ready)
	huma.Register(api, op("live", PathLive, "Whether the process answers"), func(context.Context, *struct{}) (*liveOutput, error) {
		return &liveOutput{Body: Live{Live: true}}, nil
	})
	huma.Register(api, op("errors", PathErrors, "Every code of an error or a receipt"), func(context.Context, *struct{}) (*errorsOutput, error) {
		return &errorsOutput{Body: registry()}, nil
	})
}

func (s *server) status(ctx context.Context, _ *struct{}) (*nodeOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	status, err := s.backend.Status(ctx)
	if err != nil {
		return nil, s.asError(err, "read the node's status")
	}
	return &nodeOutput{Body: status}, nil
}

func (s *server) ready(ctx context.Context, in *readyInput) (*readyOutput, error) {
	maxAge, err := time.ParseDuration(in.MaxAge)
	if err != nil || maxAge <= 0 {
		return nil, badRequest("query max_age: %q is not a duration such as 3s.", shorten(in.MaxAge))
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	out := &readyOutput{Status: http.StatusOK, Body: Ready{Ready: true, Reasons: []string{}}}
	status, err := s.backend.Status(ctx)
	if err != nil {
		out.Body.Reasons = append(out.Body.Reasons, s.asError(err, "read the node's status").Message)
	} else {
		out.Body.Reasons = append(out.Body.Reasons, unfit(status, in.MaxLag, maxAge)...)
	}
	if len(out.Body.Reasons) > 0 {
		out.Status, out.Body.Ready = http.StatusServiceUnavailable, false
	}
	return out, nil
}

// unfit lists what speaks against sending requests to a node.
func unfit(s Status, maxLag uint64, maxAge time.Duration) []string {
	reasons := slices.Clone(s.NotReady)
	if s.CatchingUp {
		reasons = append(reasons, "catching up with the network")
	}
	if s.Lag > maxLag {
		reasons = append(reasons, fmt.Sprintf("%d blocks behind, more than %d", s.Lag, maxLag))
	}
	if age := time.Duration(s.BlockAgeMS) * time.Millisecond; age > maxAge {
		reasons = append(reasons, fmt.Sprintf("newest block is %s old, more than %s", age, maxAge))
	}
	switch s.Partition {
	case PartitionMinority:
		reasons = append(reasons, "too little voting power is reachable")
	case PartitionStalled:
		reasons = append(reasons, "the validators make no blocks")
	}
	return reasons
}

// registry lists all codes.
func registry() ErrorCodes {
	var out ErrorCodes
	for _, info := range ledger.Codes() {
		out.Errors = append(out.Errors, ErrorCode{
			Code: uint32(info.Code), Slug: info.Slug, Class: string(info.Class), Message: info.Message,
			Retryable: info.Retryable, Status: httpStatus(info.Code),
		})
	}
	return out
}

// registerSchema makes a type known to the OpenAPI document.
func registerSchema[T any](doc *huma.OpenAPI) *huma.Schema {
	return doc.Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}
