package app

import (
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// laneOrder lets transactions of a lane through in the order of their sequence numbers, whatever the order in
// which they came: executed out of turn, a transaction would fail. It looks each account up once.
type laneOrder struct {
	reader  ledger.Reader
	next    map[laneID]uint64
	waiting map[laneID]map[uint64]*entry
	past    []ledger.TxID // whose sequence number is used: they can never be executed
	err     error         // the reader failed
}

type laneID struct {
	account crypto.Address
	id      uint64
}

func newLaneOrder(r ledger.Reader) *laneOrder {
	return &laneOrder{reader: r, next: map[laneID]uint64{}, waiting: map[laneID]map[uint64]*entry{}}
}

// ready returns what may be executed now that e has come: e itself, and successors that waited for it.
func (l *laneOrder) ready(e *entry) []*entry {
	lane := laneID{e.account, e.tx.Body.Lane.Id}
	next, ok := l.next[lane]
	if !ok {
		next, l.err = l.first(lane)
		if l.err != nil {
			return nil
		}
		l.next[lane] = next
	}
	seq := e.tx.Body.Lane.Seq
	if seq < next {
		l.past = append(l.past, e.tx.ID)
		return nil
	}
	if l.waiting[lane] == nil {
		l.waiting[lane] = map[uint64]*entry{}
	}
	if first := l.waiting[lane][seq]; first == nil { // two of one number: the one that came first
		l.waiting[lane][seq] = e
	}
	var out []*entry
	for {
		e := l.waiting[lane][next]
		if e == nil {
			l.next[lane] = next
			return out
		}
		out = append(out, e)
		next++
	}
}

// first is the sequence number that the state expects next.
func (l *laneOrder) first(lane laneID) (uint64, error) {
	leaf, err := l.reader.Get(ledger.KeyAccount(lane.account))
	if err != nil || leaf == nil {
		return 1, err
	}
	account, err := ledger.DecodeAccount(leaf)
	if err != nil {
		return 0, fmt.Errorf("account %s: %w", lane.account, err)
	}
	for _, l := range account.Lanes {
		if l.ID == lane.id {
			return l.Seq + 1, nil
		}
	}
	return 1, nil
}
