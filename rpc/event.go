package rpc

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// EventID names an event of a stream, and with it everything that came before. A transaction's is written
// "height.index"; a block's is written "height", and comes after those of its transactions. So they are the same
// at all nodes, and whoever knows the last one that it has seen goes on anywhere.
//
// The zero value names no event: nothing was seen yet.
type EventID struct {
	Height uint64
	Index  int // of the transaction in its block; WholeBlock: the block itself
}

// WholeBlock as an EventID's Index means the event of a block, which ends it.
const WholeBlock = -1

// BeforeHeight is the position right before the first event of a block.
func BeforeHeight(height uint64) EventID {
	if height == 0 {
		return EventID{}
	}
	return EventID{Height: height - 1, Index: WholeBlock}
}

// IsZero tells that nothing was seen yet.
func (id EventID) IsZero() bool { return id == EventID{} }

// After tells whether an event comes after another.
func (id EventID) After(other EventID) bool {
	if id.Height != other.Height {
		return id.Height > other.Height
	}
	return other.Index != WholeBlock && (id.Index == WholeBlock || id.Index > other.Index)
}

// next is the block and the transaction in it that come after an event. The transaction may not exist: the
// block's own event is then the next.
func (id EventID) next() (height uint64, index int) {
	if id.Index == WholeBlock {
		return id.Height + 1, 0
	}
	return id.Height, id.Index + 1
}

// String is the id as streams carry it.
func (id EventID) String() string {
	text := strconv.FormatUint(id.Height, 10)
	if id.Index != WholeBlock {
		text += "." + strconv.Itoa(id.Index)
	}
	return text
}

// errEventID says what an event's id looks like.
var errEventID = errors.New("an event's id is HEIGHT.INDEX or HEIGHT")

// ParseEventID reads what String writes, and nothing else. "0" is the position before the first block.
func ParseEventID(text string) (EventID, error) {
	first, second, both := strings.Cut(text, ".")
	height, err := strconv.ParseUint(first, 10, 63)
	if err != nil || both && height == 0 {
		return EventID{}, errEventID
	}
	id := EventID{Height: height, Index: WholeBlock}
	if both {
		index, err := strconv.ParseUint(second, 10, 31)
		if err != nil {
			return EventID{}, errEventID
		}
		id.Index = int(index)
	}
	if id.String() != text {
		return EventID{}, errEventID // a sign, or leading zeros
	}
	return id, nil
}

// The types of events in a stream.
const (
	EventTx    = "tx"    // what became of a transaction
	EventBlock = "block" // a block, after all its transactions
	EventEnd   = "end"   // the node ends the stream, and says why and where to go on
)

// TxEvent is what a block decided about one of its transactions.
type TxEvent struct {
	Height   uint64      `json:"height"`
	Index    int         `json:"index" doc:"Position among the block's transactions"`
	TxID     crypto.Hash `json:"txid"`
	Status   string      `json:"status" enum:"committed,failed,refused" doc:"refused: it is in the block and left no trace, such as one that came twice; another block may decide it"`
	Code     uint32      `json:"code" doc:"0, or why it had no effect"`
	Op       uint32      `json:"op,omitempty" doc:"Which operation failed, counted from 1"`
	Slug     string      `json:"slug,omitempty" doc:"Name of the code, if it is not 0"`
	Accounts []string    `json:"accounts" doc:"Addresses that act in it, that it transfers to, or that it makes"`
	Assets   []string    `json:"assets" doc:"Codes of the assets that it moves, makes or changes; the id in hexadecimal where there is no such asset"`
}

// BlockEvent is a block, after the events of its transactions.
type BlockEvent struct {
	Height   uint64      `json:"height"`
	Hash     crypto.Hash `json:"hash"`
	Time     string      `json:"time" doc:"RFC 3339"`
	TimeMS   uint64      `json:"time_ms"`
	Proposer string      `json:"proposer" doc:"The proposing validator's consensus address, in hexadecimal"`
	AppHash  crypto.Hash `json:"app_hash" doc:"Root of the state after the block"`
	TxCount  int         `json:"tx_count" doc:"How many events of transactions came before it, where none is filtered out"`
}

// Why a node ends a stream.
const (
	EndBehind   = "behind"   // the reader is too slow
	EndStopping = "stopping" // the node stops
	EndPruned   = "pruned"   // the node no longer keeps the next block
	EndFailed   = "failed"   // the node cannot read the next block
)

// EndEvent is the last event of a stream that the node ends. It has no id.
type EndEvent struct {
	Reason string `json:"reason" enum:"behind,stopping,pruned,failed"`
	After  string `json:"after" doc:"Id of the last event that was sent: as Last-Event-ID it lets the stream go on, here or at another node"`
	Error  *Error `json:"error,omitempty"`
}

// txStatusOf is how a receipt's event is called.
func txStatusOf(r BlockReceipt) string {
	switch {
	case r.Code == uint32(ledger.CodeOK):
		return StatusCommitted
	case r.Op > 0:
		return StatusFailed
	}
	return StatusRefused
}
