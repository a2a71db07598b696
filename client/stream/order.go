package stream

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/rpc"
)

// sequence is how far a stream has come, over all nodes that it was read from.
type sequence struct {
	last  rpc.EventID // of the last event; zero: none yet
	whole bool        // every event is asked for
}

// errOrder says that a node does not send the events that there are.
var errOrder = errors.New("the node's events are not those that come next")

// take moves on by one event, or says why that cannot be the next one. passed tells that the frame is no event, but
// says that there was none up to its id.
func (s *sequence) take(f Frame) (passed bool, err error) {
	id, err := rpc.ParseEventID(f.ID)
	if err != nil {
		return false, fmt.Errorf("%w: the id is %.40q", errOrder, f.ID)
	}
	switch {
	case f.Event == "" && len(f.Data) == 0:
		if s.last.After(id) || s.whole && !s.last.IsZero() && id != s.last {
			return false, fmt.Errorf("%w: it passed over to %s, after %s", errOrder, id, s.last)
		}
		s.last = id
		return true, nil
	case f.Event != rpc.EventTx && f.Event != rpc.EventBlock || (f.Event == rpc.EventBlock) != (id.Index == rpc.WholeBlock):
		return false, fmt.Errorf("%w: event %s is of type %.40q", errOrder, id, f.Event)
	case !s.last.IsZero() && !id.After(s.last):
		return false, fmt.Errorf("%w: %s comes after %s", errOrder, id, s.last)
	}
	if s.whole {
		if err := s.follows(id, f.Data); err != nil {
			return false, err
		}
	}
	s.last = id
	return false, nil
}

// follows tells whether nothing lies between the last event and this one.
func (s *sequence) follows(id rpc.EventID, data []byte) error {
	height, index := s.last.Height, s.last.Index+1 // of the transaction that may come next
	if s.last.Index == rpc.WholeBlock {
		height, index = height+1, 0
	}
	if s.last.IsZero() {
		height, index = id.Height, 0 // whatever block is the first
	}
	if id.Index == rpc.WholeBlock {
		var block struct {
			TxCount *int `json:"tx_count"`
		}
		if err := json.Unmarshal(data, &block); err != nil || block.TxCount == nil {
			return fmt.Errorf("%w: block %d does not say how many transactions it has", errOrder, id.Height)
		}
		id.Index = *block.TxCount
	}
	if id.Height != height || id.Index != index {
		return fmt.Errorf("%w: something is left out between %s and %s", errOrder, s.last, id)
	}
	return nil
}
