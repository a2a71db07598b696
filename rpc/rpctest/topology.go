package rpctest

import (
	"context"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// Topology implements rpc.Backend: the node shows the rows that Away gave it, its own first.
func (n *Node) Topology(_ context.Context, own bool) (rpc.Topology, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	id := crypto.ValidatorIDOf(crypto.KeyEd25519, crypto.DevKey("validator-"+n.name).Public().Bytes)
	out := rpc.Topology{Node: n.name, Validator: id.String(), Height: n.height(), Places: []rpc.Place{}, Rows: []rpc.TripsRow{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, row := range n.rows {
		if !own || !row.Told {
			out.Rows = append(out.Rows, row)
		}
	}
	return out, nil
}

// Away lets the node show rows of round trips.
func (n *Node) Away(rows ...rpc.TripsRow) { n.set(func() { n.rows = rows }) }
