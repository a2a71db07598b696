package rpc

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// LightBlock is a block header with the signatures of the validators and the validators themselves: what a
// client needs to convince itself of the header.
type LightBlock struct {
	Height uint64 `json:"height"`
	Light  []byte `json:"light_block" doc:"CometBFT's LightBlock (tendermint.types.LightBlock), marshalled, in standard base64"`
}

type lightInput struct {
	Height    uint64 `path:"height" maximum:"9223372036854775807" doc:"A height; 0: the newest" example:"0"`
	MinHeight uint64 `header:"X-Tetrad-Min-Height" doc:"Wait until the node has this height, at most for timeout"`
	Timeout   string `query:"timeout" doc:"How long to wait, such as 500ms or 10s; at most 60s"`
}

type lightOutput struct {
	Height string `header:"X-Tetrad-Height"`
	Body   LightBlock
}

type genesisOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// registerLight makes the routes of what a client trusts in the end: signed headers, and the genesis document,
// whose hash it knows.
func (s *server) registerLight(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "light", Method: http.MethodGet, Path: PathLight + "/{height}", Tags: []string{tagBlocks},
		Summary:     "A header with its signatures and validators",
		Description: "The header of a height holds, as app_hash, the root of the state after the height before.",
	}, s.light)
	huma.Register(api, huma.Operation{
		OperationID: "genesis", Method: http.MethodGet, Path: PathGenesis, Tags: []string{tagBlocks}, Summary: "The genesis document",
		Description: "The bytes as the network distributes them: their SHA-256 is the genesis hash.",
		Responses: map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: "object"}}},
		}},
	}, s.genesis)
}

func (s *server) light(ctx context.Context, in *lightInput) (*lightOutput, error) {
	if err := s.reach(ctx, in.MinHeight, in.Timeout); err != nil {
		return nil, err
	}
	block, err := s.backend.Light(ctx, in.Height)
	if err != nil {
		return nil, s.asError(err, "read a header")
	}
	return &lightOutput{Height: decimal(block.Height), Body: block}, nil
}

func (s *server) genesis(ctx context.Context, _ *struct{}) (*genesisOutput, error) {
	data, err := s.backend.Genesis(ctx)
	if err != nil {
		return nil, s.asError(err, "read the genesis document")
	}
	return &genesisOutput{ContentType: "application/json", Body: data}, nil
}
