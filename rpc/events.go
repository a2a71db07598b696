package rpc

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

type eventsInput struct {
	FromHeight  uint64 `query:"from_height" minimum:"1" maximum:"9223372036854775807" doc:"First block of the stream. Without it, and without Last-Event-ID, the stream begins with the next block"`
	Account     string `query:"account" doc:"Only transactions in which this account acts, that transfer to it, or that make it"`
	Asset       string `query:"asset" doc:"Only transactions that move, make or change this asset: its code, or its id in hexadecimal"`
	Blocks      string `query:"blocks" enum:"true,false" doc:"Whether blocks have events, too: true unless there is an account or an asset"`
	LastEventID string `header:"Last-Event-ID" doc:"Id of the last event that was seen; the stream goes on right behind it. It counts for more than from_height"`
}

// registerEvents makes the route of the stream of events.
func (s *server) registerEvents(api huma.API) {
	doc := api.OpenAPI()
	event := func(name, id string, of reflect.Type) *huma.Schema {
		schema := &huma.Schema{Type: huma.TypeObject, Title: name, Required: []string{"event", "data"}, Properties: map[string]*huma.Schema{
			"event": {Type: huma.TypeString, Enum: []any{name}},
			"data":  doc.Components.Schemas.Schema(of, true, name),
		}}
		if id != "" {
			schema.Properties["id"] = &huma.Schema{Type: huma.TypeString, Description: id}
			schema.Required = append(schema.Required, "id")
		}
		return schema
	}
	huma.Register(api, huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: PathEvents, Summary: "What blocks decide, as it happens", Tags: []string{tagBlocks},
		Description: "Server-sent events: one for each transaction of a block, in order, and then one for the block. Blocks that the node has " +
			"come first, and those to come follow without a gap. Ids are the same at all nodes, so a stream that broke goes on at any of " +
			"them, with Last-Event-ID. An event of nothing but an id says how far the stream is, without a match; a line that begins with a " +
			"colon says that it is alive. The node ends the stream with an event of type end: when it stops, when it no longer has the " +
			"next block, and when the reader is too slow. A height that the node no longer keeps is answered with 410, which names the " +
			"first that it keeps.",
		Responses: map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{
				Type: huma.TypeArray, Items: &huma.Schema{OneOf: []*huma.Schema{
					event(EventTx, "height.index", reflect.TypeFor[TxEvent]()), event(EventBlock, "height", reflect.TypeFor[BlockEvent]()),
					event(EventEnd, "", reflect.TypeFor[EndEvent]()),
				}},
			}}},
		}},
	}, s.openEvents)
}

// openEvents checks what is asked for, and that there is such a stream, before it begins.
func (s *server) openEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	wanted, err := in.filter()
	if err != nil {
		return nil, err
	}
	after, err := in.position()
	if err != nil {
		return nil, err
	}
	snap, err := s.backend.Read(ctx, ReadOptions{})
	if err != nil {
		return nil, s.asError(err, "open the state")
	}
	head := snap.Height()
	snap.Close()
	if after.IsZero() {
		after = EventID{Height: head, Index: WholeBlock}
	}
	switch height, _ := after.next(); {
	case height > head+streamAheadMax:
		return nil, ErrFuture(height, head)
	case height <= head:
		if _, err := s.events.get(ctx, height); err != nil {
			return nil, s.asError(err, "read a block for a stream")
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		s.newStream(hc.Context(), w, wanted, after).run()
	}}, nil
}

// position is the event after which the stream begins; zero: whatever comes next.
func (in *eventsInput) position() (EventID, error) {
	if in.LastEventID == "" {
		return BeforeHeight(in.FromHeight), nil
	}
	id, err := ParseEventID(in.LastEventID)
	if err != nil {
		return id, badRequest("header Last-Event-ID: %q is not the id of an event; %v.", shorten(in.LastEventID), err)
	}
	return id, nil
}

// eventFilter is which events a stream carries.
type eventFilter struct {
	account *crypto.Address
	asset   *crypto.Hash
	blocks  bool
}

func (in *eventsInput) filter() (eventFilter, error) {
	f := eventFilter{blocks: in.Account == "" && in.Asset == ""}
	if in.Blocks != "" {
		f.blocks = in.Blocks == "true"
	}
	if in.Account != "" {
		a, err := parseAccount("account", in.Account)
		if err != nil {
			return f, badRequest("query account: %q is neither an address nor the name of a system account.", shorten(in.Account))
		}
		f.account = &a
	}
	if in.Asset != "" {
		id, err := crypto.ParseHash(in.Asset)
		if err != nil {
			if len(in.Asset) > ledger.AssetCodeMax {
				return f, badRequest("query asset: %q is neither an asset's code nor an id.", shorten(in.Asset))
			}
			id = ledger.AssetIDOf(in.Asset)
		}
		f.asset = &id
	}
	return f, nil
}

// takes tells whether the stream carries a transaction's event.
func (f *eventFilter) takes(tx *eventTx) bool {
	return (f.account == nil || slices.Contains(tx.accounts, *f.account)) && (f.asset == nil || slices.Contains(tx.assets, *f.asset))
}

// endOf says why a stream cannot go on.
func endOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Code == uint32(ledger.CodePruned) {
		return EndPruned
	}
	return EndFailed
}
