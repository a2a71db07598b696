package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node/plane"
	"github.com/tetradledger/tetrad/rpc"
)

// TestStrongReadsOfNodes reads at nodes that did not take the write, with all four, with three, and with two of them.
func TestStrongReadsOfNodes(t *testing.T) {
	n := newNetwork(t, 4, nil)
	n.start()
	n.untilHeight(1)
	for i := range n.nodes {
		n.strongAfterWrite(i, (i+1)%4)
	}
	n.strangerIsRefused(2)
	n.kill(3)
	n.strongAfterWrite(0, 1)
	n.kill(2)
	for _, i := range []int{0, 1} {
		begun := time.Now()
		_, refused := n.strongRead(i, "bob")
		if refused == nil || refused.Code != uint32(ledger.CodeNoQuorum) {
			t.Errorf("node%d, one of two: %+v", i, refused)
		}
		t.Logf("node%d said no_quorum after %v", i, time.Since(begun))
	}
	n.start(2)
	n.strongAfterWrite(0, 1)
	n.strongAfterWrite(1, 2)
}

// strongRead asks a node for a balance of usd.
func (n *network) strongRead(i int, account string) (rpc.Balance, *rpc.Error) {
	n.t.Helper()
	var balance rpc.Balance
	var refused *rpc.Error
	n.ask(fmt.Sprintf("strong read at node%d", i), func(ctx context.Context) error {
		address := crypto.DevKey(account).Public().Address()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url(i)+rpc.PathAccounts+"/"+address.String()+"/balances/usd", nil)
		if err != nil {
			n.t.Fatal(err)
		}
		r.Header.Set(rpc.HeaderConsistency, rpc.ConsistencyStrong)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode == http.StatusOK {
			refused = nil
			return json.NewDecoder(response.Body).Decode(&balance)
		}
		refused = new(rpc.Error)
		return json.NewDecoder(response.Body).Decode(refused)
	})
	return balance, refused
}

// strongAfterWrite pays at one node and, once that one has the payment in a block, reads at another, which must show it.
// A node on a busy machine may find no quorum in time and say so; then it is asked again.
func (n *network) strongAfterWrite(writer, reader int) {
	n.t.Helper()
	var before, after rpc.Balance
	read := func(into *rpc.Balance) {
		n.until(fmt.Sprintf("node%d answers a strong read", reader), func() bool {
			balance, refused := n.strongRead(reader, "bob")
			if refused != nil && refused.Code != uint32(ledger.CodeNoQuorum) {
				n.t.Fatalf("strong read at node%d: %v", reader, refused)
			}
			*into = balance
			return refused == nil
		})
	}
	read(&before)
	n.mustCommit(n.transfer("alice", "bob", 100), writer)
	read(&after)
	was, err := ledger.ParseAmount(before.Amount, 2)
	if err != nil {
		n.t.Fatal(err)
	}
	want, _ := was.Add(ledger.Amount{Lo: 100})
	if after.Amount != want.Format(2) || after.Consistency != rpc.ConsistencyStrong {
		n.t.Errorf("bob had %s, got 1.00 at node%d, and node%d shows %+v", before.Amount, writer, reader, after)
	}
}

// strangerIsRefused knocks at a node's app plane with a host that the ledger does not name.
func (n *network) strangerIsRefused(i int) {
	n.t.Helper()
	stranger, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics())
	if err != nil {
		n.t.Fatal(err)
	}
	defer stranger.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	address := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", n.base+10*i+3, n.planeID(ctx, i))
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := stranger.Connect(ctx, *info); err != nil {
		return
	}
	// The node may refuse after the stranger's side of the handshake is done. Then no request gets through.
	if s, err := stranger.NewStream(ctx, info.ID, plane.Protocol); err == nil {
		_ = s.SetDeadline(time.Now().Add(patience))
		_, _ = s.Write(make([]byte, ledger.AttestNonceLen))
		if got, _ := s.Read(make([]byte, ledger.SignedAttestationSize)); got > 0 {
			n.t.Error("a stranger is answered on the app plane")
		}
	}
}

// planeID is the libp2p name of a node on the app plane, which follows from what the ledger records.
func (n *network) planeID(ctx context.Context, i int) peer.ID {
	n.t.Helper()
	all, err := n.client(i).Validators(ctx, client.ReadOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	for _, v := range all.Validators {
		if v.Name != fmt.Sprintf("node%d", i) {
			continue
		}
		key, err := crypto.ParsePublicKey(v.ServiceKey)
		if err != nil {
			n.t.Fatal(err)
		}
		id, err := plane.PeerID(key)
		if err != nil {
			n.t.Fatal(err)
		}
		return id
	}
	n.t.Fatalf("the ledger has no node%d", i)
	return ""
}
