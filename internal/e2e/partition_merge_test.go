package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// guests is the path of a set to which both sides of a cut add.
const guests = "guests"

// guest adds one element to the set, which conflicts with nothing.
func (p *promises) guest(name string) client.Signed {
	p.t.Helper()
	tx, err := client.NewTx(p.chainID, p.genesis, address("alice")).SetAdd(guests, []byte(name)).ValidFor(9 * time.Minute).Sign(crypto.DevKey("alice"))
	if err != nil {
		p.t.Fatal(err)
	}
	return tx
}

// mergesApart lets each side of a cut add to the set and count a visit at its first node, and checks that all nodes of a
// side come to show the same, and nothing of what the other side adds. visits is what the counter is at without that.
func (p *promises) mergesApart(visits int, sides ...[]int) {
	p.t.Helper()
	added := make([]time.Time, len(sides))
	for k, side := range sides {
		for _, i := range side { // both ends of a side take additions
			p.queues(i, "", p.guest(fmt.Sprintf("side %d, node %d", k, i)))
		}
		p.queues(side[0], "", p.visit(9*time.Minute))
		added[k] = time.Now()
	}
	for k, side := range sides {
		var want []string
		for _, i := range side {
			want = append(want, fmt.Sprintf("side %d, node %d", k, i))
		}
		p.same(guests, true, func(e rpc.Entry) bool { return slices.Equal(elements(e), want) }, side...)
		p.same("visits", true, func(e rpc.Entry) bool { return e.Sum == strconv.Itoa(visits+1) }, side...)
		p.t.Logf("nodes %v, cut off: show the same %d ms after the last addition", side, time.Since(added[k]).Milliseconds())
	}
}

// mergesWhole checks that all nodes come to show what all sides added, after the cut was healed at a moment.
func (p *promises) mergesWhole(healed time.Time, sides ...[]int) {
	p.t.Helper()
	var want []string
	for k, side := range sides {
		for _, i := range side {
			want = append(want, fmt.Sprintf("side %d, node %d", k, i))
		}
	}
	slices.Sort(want)
	for _, pending := range []bool{true, false} {
		p.same(guests, pending, func(e rpc.Entry) bool { return slices.Equal(elements(e), want) })
		p.same("visits", pending, func(e rpc.Entry) bool { return e.Sum == strconv.Itoa(p.visits) })
	}
	p.t.Logf("all nodes show the same %d ms after the cut was healed", time.Since(healed).Milliseconds())
}

// elements are those of a set, sorted.
func elements(e rpc.Entry) (list []string) {
	for _, v := range e.Values {
		list = append(list, string(v.Value))
	}
	slices.Sort(list)
	return list
}

// same waits until nodes show an entry of alice's as it is to be, and requires that they show it alike to the byte:
// who wrote what, too.
func (p *promises) same(path string, pending bool, is func(rpc.Entry) bool, indexes ...int) {
	p.t.Helper()
	var first string
	for _, node := range p.pick(indexes) {
		var seen rpc.Entry
		p.until(fmt.Sprintf("node%d shows %s as it is to be", node.index, path), func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			o := client.ReadOptions{IncludePending: pending, Consistency: rpc.ConsistencyEventual}
			e, err := p.client(node.index).Entry(ctx, address("alice").String(), path, o)
			seen = e
			return err == nil && is(e)
		})
		text, err := json.Marshal(seen.EntryData)
		if err != nil {
			p.t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		} else if string(text) != first {
			p.t.Errorf("node%d shows %s, another one %s", node.index, text, first)
		}
	}
}
