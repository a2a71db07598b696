package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"

	"github.com/tetradledger/tetrad/client/stream"
	"github.com/tetradledger/tetrad/rpc"
)

// Event is what a block decided about a transaction, or a block after all its transactions: one of Tx and Block is
// there. It is what a node says.
type Event struct {
	ID    rpc.EventID
	Tx    *rpc.TxEvent
	Block *rpc.BlockEvent
}

// EventFilter chooses events. The zero value takes all.
type EventFilter struct {
	// Account takes transactions in which this address acts, that transfer to it, or that make it.
	Account string
	// Asset takes transactions that move, make or change this asset: its code, or its id.
	Asset string
	// Blocks says whether blocks have events, too; nil: unless there is an account or an asset.
	Blocks *bool
}

func (f EventFilter) query() url.Values {
	q := url.Values{}
	if f.Account != "" {
		q.Set("account", f.Account)
	}
	if f.Asset != "" {
		q.Set("asset", f.Asset)
	}
	if f.Blocks != nil {
		q.Set("blocks", fmt.Sprint(*f.Blocks))
	}
	return q
}

// Events follows what blocks decide, from the event behind after on: rpc.BeforeHeight(height) begins with a block, and
// the zero value with whatever comes next. A stream that breaks goes on at another node, without a gap and without an
// event twice, for as long as that takes; only where no node can be reached in the beginning, or none keeps the next
// block, it ends with an error, which is the last of the sequence. It also ends with the context, with its error.
func (c *Client) Events(ctx context.Context, after rpc.EventID, f EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var next Event
		o := stream.Options{
			Balancer: c.endpoints.Balancer, HTTP: c.http, Query: f.query(), After: after, Connect: c.timeout,
			Check: func(f stream.Frame) (err error) {
				next, err = decodeEvent(f)
				return err
			},
		}
		err := stream.Follow(ctx, o, func(node string, f stream.Frame) error {
			if f.Event != rpc.EventTx && f.Event != rpc.EventBlock {
				return nil
			}
			c.session.saw(node, next.ID.Height)
			if !yield(next, nil) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			yield(Event{}, streamError(err))
		}
	}
}

// errEnough says that the caller wants no more events.
var errEnough = errors.New("enough")

// decodeEvent reads an event whose id and type are those that come next.
func decodeEvent(f stream.Frame) (Event, error) {
	id, err := rpc.ParseEventID(f.ID)
	if err != nil {
		return Event{}, err
	}
	e := Event{ID: id}
	var height uint64
	index := rpc.WholeBlock
	if f.Event == rpc.EventBlock {
		e.Block = &rpc.BlockEvent{}
		err = json.Unmarshal(f.Data, e.Block)
		height = e.Block.Height
	} else {
		e.Tx = &rpc.TxEvent{}
		err = json.Unmarshal(f.Data, e.Tx)
		height, index = e.Tx.Height, e.Tx.Index
	}
	if err != nil {
		return e, fmt.Errorf("the event %s is not what the API promises: %w", id, err)
	}
	if height != id.Height || index != id.Index {
		return e, fmt.Errorf("the event %s says that it is of another place", id)
	}
	return e, nil
}

// streamError says why a stream ended as other methods say it.
func streamError(err error) error {
	var nobody *stream.NobodyError
	if !errors.As(err, &nobody) {
		return err
	}
	none := &NoNodeError{}
	var refused *rpc.Error
	for _, a := range nobody.Attempts {
		var r *rpc.Error
		if errors.As(a.Err, &r) {
			refused = milder(refused, r)
			continue
		}
		none.Attempts = append(none.Attempts, &NodeError{Endpoint: a.Node, Err: a.Err})
	}
	return none.or(refused)
}
