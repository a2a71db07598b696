package node

import (
	"context"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node/plane"
	"github.com/tetradledger/tetrad/rpc"
)

// rowsToldMax bounds the rows of others that one answer carries: at this size it takes two megabytes, and who wants
// more asks the nodes themselves.
const rowsToldMax = 64

// Topology implements rpc.Topologist.
func (b backend) Topology(_ context.Context, own bool) (rpc.Topology, error) {
	n := b.n
	if !n.app.Ready() {
		return rpc.Topology{}, rpc.NewError(ledger.CodeSyncing, "The node has no state yet.")
	}
	view := n.app.View()
	defer view.Close()
	out := rpc.Topology{Node: n.config.Engine.Moniker, Validator: n.service.self.String(), Height: view.Height(), Rows: []rpc.TripsRow{}}
	var known map[crypto.ValidatorID]bool
	var err error
	if out.Places, known, err = nodePlaces(view); err != nil {
		return rpc.Topology{}, err
	}
	if out.Silent = (nodeSource{n}).unfit(); out.Silent != "" || n.plane == nil {
		return out, nil
	}
	out.Rows = append(out.Rows, rowOf(plane.Row{From: n.service.self, Trips: n.plane.Trips()}, known))
	if own {
		return out, nil
	}
	for _, row := range n.plane.Gathered() {
		if known[row.From] && len(out.Rows) <= rowsToldMax {
			told := rowOf(row, known)
			told.Told = true
			out.Rows = append(out.Rows, told)
		}
	}
	return out, nil
}

// nodePlaces lists the validators with power, and where their nodes stand.
func nodePlaces(r ledger.Reader) (places []rpc.Place, known map[crypto.ValidatorID]bool, err error) {
	places, known = []rpc.Place{}, map[crypto.ValidatorID]bool{}
	err = eachValidator(r, func(id crypto.ValidatorID, v ledger.Validator) error {
		if v.Power == 0 {
			return nil
		}
		place := rpc.Place{Validator: id.String(), Name: v.Name}
		leaf, err := r.Get(ledger.KeyNode(id))
		if err != nil {
			return err
		}
		if leaf != nil {
			node, err := ledger.DecodeNode(leaf)
			if err != nil {
				return err
			}
			place.Region, place.RegionClaimed = node.Region(), node.Claimed
		}
		places, known[id] = append(places, place), true
		return nil
	})
	return places, known, err
}

// rowOf is a row as the API has it, without what it says of the one that measured and of those who are no validators.
func rowOf(row plane.Row, known map[crypto.ValidatorID]bool) rpc.TripsRow {
	out := rpc.TripsRow{From: row.From.String(), AgeMS: row.Age.Milliseconds(), Trips: []rpc.Trip{}}
	for _, t := range row.Trips {
		if t.To != row.From && known[t.To] {
			out.Trips = append(out.Trips, rpc.Trip{
				To: t.To.String(), RTTMS: ms(t.RTT), LeastMS: ms(t.Least), AgeMS: t.Age.Milliseconds(), Stale: t.Stale,
			})
		}
	}
	return out
}

// ms is a time in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
