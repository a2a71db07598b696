package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtclient "github.com/cometbft/cometbft/rpc/client"
	cmthttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// TestProofs: what a node proves holds against the headers that the validators signed, whichever way it is
// asked, by the unmodified tools of others.
func TestProofs(t *testing.T) {
	n := newNetwork(t, 4, false)
	raw := n.transfer()
	tx, err := ledger.DecodeTransaction(raw)
	n.must(err)
	n.until("a node takes a transfer", func() bool {
		return backend{n.nodes[0]}.Submit(context.Background(), [][]byte{raw})[0].Code == ledger.CodeOK
	})
	height := n.committed(tx.ID)
	for i := range n.nodes {
		n.checkLight(i)
	}
	n.checkProvenQueries(1, tx, height)
	n.checkProvenReads(2, tx, height)
	n.checkProofHeights(3)
}

// header gets a header from a node and checks that its validators signed it, as a light client would.
func (n *network) header(i int, height uint64) *cmttypes.LightBlock {
	n.t.Helper()
	var answer rpc.LightBlock
	n.get(i, fmt.Sprintf("%s/%d?timeout=60s", rpc.PathLight, height), http.StatusOK, &answer, rpc.HeaderMinHeight, fmt.Sprint(height))
	var message cmtproto.LightBlock
	n.must(message.Unmarshal(answer.Light))
	block, err := cmttypes.LightBlockFromProto(&message)
	n.must(err)
	n.must(block.ValidateBasic(n.layout.ChainID))
	n.must(block.ValidatorSet.VerifyCommitLight(n.layout.ChainID, block.Commit.BlockID, block.Height, block.Commit))
	if height > 0 && uint64(block.Height) != height {
		n.t.Fatalf("asked for header %d, got %d", height, block.Height)
	}
	return block
}

// get asks a node's HTTP API and expects a status, for which it waits while the node is not so far; headers
// come in pairs.
func (n *network) get(i int, path string, status int, into any, headers ...string) {
	n.t.Helper()
	n.until(path, func() bool { return n.tryGet(i, path, status, into, headers...) })
}

func (n *network) tryGet(i int, path string, status int, into any, headers ...string) bool {
	n.t.Helper()
	request, err := http.NewRequest(http.MethodGet, n.layout.Nodes[i].API+path, nil)
	n.must(err)
	for h := 0; h+1 < len(headers); h += 2 {
		request.Header.Set(headers[h], headers[h+1])
	}
	response, err := http.DefaultClient.Do(request)
	n.must(err)
	data, err := io.ReadAll(response.Body)
	n.must(err)
	n.must(response.Body.Close())
	if response.StatusCode != status {
		if response.StatusCode == http.StatusServiceUnavailable {
			return false
		}
		n.t.Fatalf("%s: %s %s", path, response.Status, data)
	}
	if raw, is := into.(*[]byte); is {
		*raw = data
		return true
	}
	n.must(json.Unmarshal(data, into))
	return true
}

// checkLight: headers form a chain from the genesis document on, up to the newest.
func (n *network) checkLight(i int) {
	n.t.Helper()
	var genesis []byte
	n.get(i, rpc.PathGenesis, http.StatusOK, &genesis)
	if crypto.Sum(genesis) != n.layout.GenesisHash {
		n.t.Fatalf("node %d serves another genesis document", i)
	}
	doc, err := cmttypes.GenesisDocFromJSON(genesis)
	n.must(err)
	first := n.header(i, 1)
	if !bytes.Equal(first.ValidatorsHash, cmttypes.NewValidatorSet(genesisValidators(doc)).Hash()) {
		n.t.Errorf("the first header is of other validators than the genesis document's")
	}
	// The transaction may stand in the first block: wait for a second one.
	second := n.header(i, 2)
	if newest := n.header(i, 0); newest.Height < second.Height {
		n.t.Errorf("the newest header is of height %d, that of height %d is there", newest.Height, second.Height)
	}
	n.get(i, rpc.PathLight+"/1000000", http.StatusNotFound, new(rpc.Error))
}

func genesisValidators(doc *cmttypes.GenesisDoc) (out []*cmttypes.Validator) {
	for _, v := range doc.Validators {
		out = append(out, cmttypes.NewValidator(v.PubKey, v.Power))
	}
	return out
}

// proven asks the ics23 library about a leaf, or its absence.
func (n *network) proven(what string, root, proof, key, value []byte) {
	n.t.Helper()
	var p ics23.CommitmentProof
	n.must(p.Unmarshal(proof))
	holds := ics23.VerifyNonMembership(ics23.SmtSpec, root, &p, key)
	if value != nil {
		holds = ics23.VerifyMembership(ics23.SmtSpec, root, &p, key, value)
	}
	if !holds {
		n.t.Fatalf("%s: the proof of %x does not hold", what, key)
	}
}

// checkProvenQueries asks with CometBFT's own client.
func (n *network) checkProvenQueries(i int, tx *ledger.Transaction, height uint64) {
	n.t.Helper()
	client, err := cmthttp.New("tcp://"+localAddress(n.layout.Nodes[i].BasePort, portRPC), "/websocket")
	n.must(err)
	n.header(i, height+1)
	bob, nobody := crypto.DevKey("bob").Public().Address(), crypto.DevKey("nobody").Public().Address()
	for path, present := range map[string]bool{
		"/accounts/" + bob.String(): true, "/accounts/" + bob.String() + "/balances/usd": true, "/params": true, "/validators": true,
		"/accounts/" + nobody.String(): false, "/assets/none": false, "/entries/" + bob.String() + "/none": false,
	} {
		answer, err := client.ABCIQueryWithOptions(context.Background(), path, nil, cmtclient.ABCIQueryOptions{Prove: true})
		n.must(err)
		r := answer.Response
		if r.Code != 0 || (len(r.Value) > 0) != present || r.ProofOps == nil || len(r.ProofOps.Ops) != 1 || uint64(r.Height) < height {
			n.t.Fatalf("%s: %+v", path, r)
		}
		if len(r.Value) == 0 {
			r.Value = nil
		}
		n.proven(path, n.header(i, uint64(r.Height)+1).AppHash, r.ProofOps.Ops[0].Data, r.Key, r.Value)
	}
	path := fmt.Sprintf("/transactions/%v/%d", tx.ID, tx.ValidUntilMS())
	answer, err := client.ABCIQueryWithOptions(context.Background(), path, nil, cmtclient.ABCIQueryOptions{Prove: true, Height: int64(height)})
	n.must(err)
	r := answer.Response
	if r.Code != 0 || r.Height != int64(height) || r.ProofOps == nil || len(r.ProofOps.Ops) != 2 {
		n.t.Fatalf("%s: %+v", path, r)
	}
	record, bucket := r.ProofOps.Ops[0], r.ProofOps.Ops[1]
	var p ics23.CommitmentProof
	n.must(p.Unmarshal(bucket.Data))
	leaf, err := ledger.DecodeBucket(p.GetExist().Value)
	n.must(err)
	n.proven(path, n.header(i, height+1).AppHash, bucket.Data, bucket.Key, p.GetExist().Value)
	n.proven(path, leaf.Root[:], record.Data, tx.ID[:], r.Value)
}

// checkProvenReads asks the HTTP API.
func (n *network) checkProvenReads(i int, tx *ledger.Transaction, height uint64) {
	n.t.Helper()
	bob := crypto.DevKey("bob").Public().Address().String()
	for _, path := range []string{
		rpc.PathAccounts + "/" + bob, rpc.PathAccounts + "/" + bob + "/balances", rpc.PathAccounts + "/" + bob + "/balances/usd",
		rpc.PathAssets + "/usd", rpc.PathValidators, rpc.PathParams, fmt.Sprintf("%s/%v", rpc.PathTransactions, tx.ID),
	} {
		var answer rpc.Provable
		n.get(i, path+"?proof=true", http.StatusOK, &answer, rpc.HeaderMinHeight, fmt.Sprint(height))
		n.checkItems(i, path, height, answer.Proof)
	}
	for path, status := range map[string]int{
		rpc.PathAssets + "/none": http.StatusNotFound, rpc.PathEntries + "/" + bob + "/none": http.StatusNotFound,
	} {
		var answer rpc.Error
		n.get(i, path+"?proof=true", status, &answer)
		n.checkItems(i, path, 1, answer.Proof)
	}
}

// checkItems checks a proof against the header behind its height, which it gets from another node.
func (n *network) checkItems(i int, path string, height uint64, proof *rpc.Proof) {
	n.t.Helper()
	if proof == nil || proof.Height < height || len(proof.Items) == 0 {
		n.t.Fatalf("%s: proof %+v, of height %d at least", path, proof, height)
	}
	root := n.header((i+1)%len(n.nodes), proof.Height+1).AppHash
	if !bytes.Equal(root, proof.Root[:]) {
		n.t.Fatalf("%s: root %v, the next header has %v", path, proof.Root, root)
	}
	for _, item := range proof.Items {
		under := root
		if item.Root != nil {
			under = item.Root[:]
		}
		n.proven(path, under, item.ICS23, item.Key, item.Value)
	}
}

// checkProofHeights: a height is provable from the block after it on, for as long as its tree is kept.
func (n *network) checkProofHeights(i int) {
	n.t.Helper()
	head := n.nodes[i].Height()
	var future, behind rpc.Error
	n.get(i, fmt.Sprintf("%s?proof=true&height=%d", rpc.PathParams, head+1000), http.StatusNotFound, &future)
	n.get(i, rpc.PathParams+"?proof=true&timeout=1ms", http.StatusServiceUnavailable, &behind, rpc.HeaderMinHeight, fmt.Sprint(head+1000))
	if future.Slug != "future_height" || behind.Slug != "behind" {
		n.t.Errorf("%+v and %+v", future, behind)
	}
	var answer rpc.Params
	n.get(i, rpc.PathParams+"?proof=true", http.StatusOK, &answer, rpc.HeaderMinHeight, fmt.Sprint(head))
	n.checkItems(i, "a session's read", head, answer.Proof)
	n.get(i, fmt.Sprintf("%s?proof=true&height=%d", rpc.PathParams, head-1), http.StatusOK, &answer)
	if answer.Height != head-1 {
		n.t.Errorf("height %d, want %d", answer.Height, head-1)
	}
	n.checkItems(i, "an older height", head-1, answer.Proof)
}
