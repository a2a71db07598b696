package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node/plane"
	"github.com/tetradledger/tetrad/rpc"
)

// index reads the height that a strong read at a node must see. A busy machine may be too slow for one; then the next
// is tried, as a client would.
func (n *network) index(i int) (height uint64) {
	n.t.Helper()
	n.until(fmt.Sprintf("node %d serves a strong read", i), func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), rpc.StrongMax)
		defer cancel()
		var err error
		height, err = backend{n.nodes[i]}.ReadIndex(ctx)
		if err != nil && !errors.Is(err, rpc.NewError(ledger.CodeNoQuorum, "")) {
			n.t.Fatalf("strong read at node %d: %v", i, err)
		}
		return err == nil
	})
	return height
}

// freshAt writes at one node and, as soon as that one has it in a block, reads at another.
func (n *network) freshAt(writer, reader int) {
	n.t.Helper()
	id := n.submit(writer)
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	written, err := backend{n.nodes[writer]}.Outcome(ctx, id, true)
	if err != nil || written.Status != rpc.StatusCommitted {
		n.t.Fatalf("write at node %d: %+v, %v", writer, written, err)
	}
	if height := n.index(reader); height < written.Height || height > n.nodes[reader].Height() {
		n.t.Errorf("node %d reads at %d, which must be at least %d and at most its own %d", reader, height, written.Height, n.nodes[reader].Height())
	}
}

// unfit is what the status of a node says against strong reads.
func (n *network) unfit(i int) string {
	status, err := backend{n.nodes[i]}.Status(context.Background())
	n.must(err)
	return status.NotAttesting
}

// TestStrongReads takes strong reads through what happens to nodes and their service keys.
func TestStrongReads(t *testing.T) {
	n := newNetwork(t, 4, false)
	for i := range n.nodes {
		n.freshAt(i, (i+1)%4)
		n.checkAttestation(i)
	}

	n.checkTopology()

	// With one away it goes on, with two it does not.
	n.stop(3)
	n.freshAt(0, 1)
	n.stop(2)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if height, err := (backend{n.nodes[0]}).ReadIndex(ctx); !errors.Is(err, rpc.NewError(ledger.CodeNoQuorum, "")) {
		t.Errorf("two of four: strong read at %d, %v", height, err)
	}

	// One without a key runs on and takes no part, and so does one with another key than the ledger's.
	n.must(os.Remove(n.serviceKeyFile(2)))
	n.must(os.Rename(n.serviceKeyFile(3), n.serviceKeyFile(3)+".old"))
	files, other, err := newKeys()
	n.must(err)
	for _, f := range files {
		if filepath.Base(f.path) == ServiceKeyFile {
			n.must(writeNew(n.serviceKeyFile(3), f.data, 0o600))
		}
	}
	n.start(2, nil)
	n.start(3, nil)
	n.committed(n.submit(2))
	for i, want := range map[int]string{2: "no config/" + ServiceKeyFile, 3: "not the key that the ledger records"} {
		if why := n.unfit(i); !strings.Contains(why, want) {
			t.Errorf("node %d says %q", i, why)
		}
		_, err := backend{n.nodes[i]}.ReadIndex(context.Background())
		if !errors.Is(err, rpc.NewError(ledger.CodeUnavailable, "")) || !strings.Contains(err.Error(), want) {
			t.Errorf("strong read at node %d: %v", i, err)
		}
		_, err = backend{n.nodes[i]}.Attest(context.Background(), [ledger.AttestNonceLen]byte{})
		if !errors.Is(err, rpc.NewError(ledger.CodeUnavailable, "")) || !strings.Contains(err.Error(), want) {
			t.Errorf("attestation of node %d: %v", i, err)
		}
	}

	// Once its operator has registered the new key, everybody knows.
	n.register(3, other.Service)
	n.layout.Nodes[3].Service = other.Service
	n.until("node 3 attests again", func() bool { return n.unfit(3) == "" })
	n.freshAt(0, 3)
	n.freshAt(3, 0)
	n.checkAttestation(3)
	n.refusesOldKey(3)
}

// TestStrongReadsSwitchedOff lets a node live without the app plane.
func TestStrongReadsSwitchedOff(t *testing.T) {
	n := newNetwork(t, 1, false)
	n.committed(n.submit(0))
	n.freshAt(0, 0) // its own word is all there is
	n.stop(0)
	n.start(0, Overrides{"plane.enabled": "false"})
	if why := n.unfit(0); !strings.Contains(why, "plane.enabled") {
		t.Errorf("says %q", why)
	}
	if said, err := (backend{n.nodes[0]}).Topology(context.Background(), false); err != nil || !strings.Contains(said.Silent, "plane.enabled") || len(said.Rows) > 0 {
		t.Errorf("says of its topology %+v, %v", said, err)
	}
	n.until("it attests over the HTTP API", func() bool {
		_, err := backend{n.nodes[0]}.Attest(context.Background(), [ledger.AttestNonceLen]byte{})
		return err == nil
	})
}

// checkTopology waits until each of four nodes has measured the others, and has been told by each.
func (n *network) checkTopology() {
	n.t.Helper()
	for _, node := range n.nodes {
		n.until("a node knows how far the others are", func() bool {
			said, err := backend{node}.Topology(context.Background(), false)
			n.must(err)
			if len(said.Places) != len(n.nodes) || said.Silent != "" {
				n.t.Fatalf("says %+v", said)
			}
			return len(said.Rows) == len(n.nodes) && len(said.Rows[0].Trips) == len(n.nodes)-1
		})
		said, err := backend{node}.Topology(context.Background(), true)
		n.must(err)
		if len(said.Rows) != 1 || said.Rows[0].From != said.Validator || said.Rows[0].Told {
			n.t.Errorf("says of itself %+v", said.Rows)
		}
		for _, trip := range said.Rows[0].Trips {
			if trip.To == said.Validator || trip.LeastMS <= 0 || trip.RTTMS <= 0 {
				n.t.Errorf("measured %+v", trip)
			}
		}
	}
}

func (n *network) serviceKeyFile(i int) string {
	return filepath.Join(n.layout.Nodes[i].Home, "config", ServiceKeyFile)
}

// checkAttestation verifies what a node attests with what everybody knows.
func (n *network) checkAttestation(i int) {
	n.t.Helper()
	nonce := [ledger.AttestNonceLen]byte{byte(i), 1, 2}
	signed, err := backend{n.nodes[i]}.Attest(context.Background(), nonce)
	n.must(err)
	n.must(signed.Verify(n.layout.GenesisHash, nonce, n.layout.Nodes[i].Service, signed.Signature[:]))
	block, err := backend{n.nodes[i]}.Block(context.Background(), signed.Committed, false)
	n.must(err)
	if block.Hash != signed.HeaderHash {
		n.t.Errorf("node %d attests to %v at height %d, where %v is", i, signed.HeaderHash, signed.Committed, block.Hash)
	}
}

// register has a validator's operator register a service key.
func (n *network) register(i int, service crypto.PublicKey) {
	n.t.Helper()
	validator := crypto.ValidatorIDOf(crypto.KeyEd25519, n.layout.Nodes[i].Validator.Bytes)
	id := n.send(fmt.Sprintf("operator%d", i), ledger.Op{Kind: &ledger.Op_SetNode{SetNode: &ledger.SetNode{
		Validator: validator[:], ServiceKey: service.Bytes, Plane: "/ip4/" + strings.Replace(localAddress(n.layout.Nodes[i].BasePort, portPlane), ":", "/tcp/", 1),
	}}})
	n.committed(id)
}

// refusesOldKey knocks at the other nodes with the service key that a node had before.
func (n *network) refusesOldKey(i int) {
	n.t.Helper()
	key, err := loadServiceKey(n.serviceKeyFile(i) + ".old")
	n.must(err)
	old, err := plane.New(plane.Options{Key: crypto.KeyFromSeed([crypto.SeedSize]byte(key.Bytes())), Listen: "127.0.0.1:0"})
	n.must(err)
	defer func() { n.must(old.Close()) }()
	old.Admit(n.nodes[0].service.roster.Load().members)
	n.must(old.Start())
	n.until("the old key is refused", func() bool { return n.nodes[0].planeRefused() > 0 })
	for j, node := range n.layout.Nodes {
		if j == i {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		validator := crypto.ValidatorIDOf(crypto.KeyEd25519, node.Validator.Bytes)
		if answer, err := old.Ask(ctx, validator, [ledger.AttestNonceLen]byte{}); err == nil {
			n.t.Errorf("node %d answers the old key: %+v", j, answer)
		}
		cancel()
	}
}
