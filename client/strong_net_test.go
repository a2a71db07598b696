package client

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// attesting is a proving network whose four nodes attest for the ledger's validators. What they say of pending
// blocks is the test's.
type attesting struct {
	*proving
	who []*attester
}

// attester is a validator's service key, and what a test makes of its answers.
type attester struct {
	p    *proving
	node *rpctest.Node
	id   crypto.ValidatorID
	key  crypto.PrivateKey

	mu      sync.Mutex // guards everything below
	pending bool       // it has signed a precommit for the next block
	change  func(a *ledger.Attestation, key *crypto.PrivateKey)
	rewrite func(*attestAnswer)
}

var nodeNames = []string{"node0", "node1", "node2", "node3"}

func namedValidators(uint64) []string { return nodeNames }

// operated makes alice the operator of all validators.
func operated() (ops []ledger.GenesisOp) {
	alice := rpctest.Address("alice")
	for _, name := range nodeNames {
		key := crypto.DevKey("validator-" + name).Public()
		ops = append(ops, ledger.GenesisOp{Actor: ledger.GovAddress, Op: ledger.Op{Kind: &ledger.Op_SetValidator{SetValidator: &ledger.SetValidator{
			KeyType: uint32(key.Type), PublicKey: key.Bytes, Power: 10, Name: name, Operator: alice[:],
		}}}})
	}
	return ops
}

// give makes alice pay bob, in the next block.
func (n *attesting) give(t testing.TB, cents uint64) {
	t.Helper()
	tx, err := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).ValidUntilMS(inFiveMinutes()).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: cents}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	n.submit(t, tx)
}

// soon is an end of validity on a ledger that began an hour ago.
func inFiveMinutes() uint64 { return uint64(time.Now().Add(5*time.Minute - time.Hour).UnixMilli()) }

// newAttesting is at height 2; the nodes are registered since height 1.
func newAttesting(t testing.TB, who func(uint64) []string) *attesting {
	t.Helper()
	n := &attesting{proving: newProving(t, len(nodeNames), who, operated()...)}
	tx := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).ValidUntilMS(inFiveMinutes())
	for i, name := range nodeNames {
		public := crypto.DevKey("validator-" + name).Public()
		a := &attester{p: n.proving, node: n.servers[i].node, id: crypto.ValidatorIDOf(public.Type, public.Bytes), key: crypto.DevKey("service-" + name)}
		n.servers[i].attest = a.ServeHTTP
		n.who = append(n.who, a)
		tx.Op(ledger.Op{Kind: &ledger.Op_SetNode{SetNode: &ledger.SetNode{
			Validator: a.id[:], ServiceKey: a.key.Public().Bytes, Urls: []string{n.servers[i].URL},
		}}})
	}
	signed, err := tx.Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	n.submit(t, signed)
	n.Seal()
	if status, err := n.servers[0].node.Outcome(within(t, time.Minute), signed.TxID, false); err != nil || status.Status != rpc.StatusCommitted {
		t.Fatalf("the nodes are not registered: %+v, %v", status, err)
	}
	return n
}

// ServeHTTP attests what its node has committed.
func (a *attester) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var question attestQuestion
	if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
		panic(err)
	}
	nonce, err := hex.DecodeString(question.Nonce)
	if err != nil {
		panic(err)
	}
	said := ledger.Attestation{Validator: a.id, Nonce: [ledger.AttestNonceLen]byte(nonce)}
	light, err := a.node.Light(r.Context(), 0)
	if err != nil {
		panic(err)
	}
	block, err := decodeBlock(light.Light, a.p.ChainID)
	if err != nil {
		panic(err)
	}
	said.Committed, said.HeaderHash = light.Height, crypto.Hash(block.Hash())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending {
		said.Pending = said.Committed + 1
	}
	key := a.key
	if a.change != nil {
		a.change(&said, &key)
	}
	message := said.SignBytes(a.p.Genesis)
	out := attestAnswer{
		Validator: said.Validator, Nonce: hex.EncodeToString(said.Nonce[:]), Committed: said.Committed, HeaderHash: said.HeaderHash,
		Pending: said.Pending, Signature: hex.EncodeToString(key.Sign(message[:])),
	}
	if a.rewrite != nil {
		a.rewrite(&out)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

func (a *attester) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// at lets each node show a height and say whether the next one is pending.
func (n *attesting) at(heights [4]uint64, pending [4]bool) {
	for i, a := range n.who {
		a.node.Hold(heights[i])
		a.set(func() { a.pending = pending[i] })
	}
}

func (n *attesting) strong(t testing.TB, o StrongOptions) *Strong {
	t.Helper()
	if o.Endpoints == nil {
		o.Endpoints = n.urls()
	}
	if o.MaxAge == 0 {
		o.MaxAge = -1
	}
	if o.Policy == "" {
		o.Policy, o.NoHedge = balance.Listed, true
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second // a node on a busy machine is slow, and not silent
	}
	o.ChainID, o.GenesisHash, o.Timeout = n.chain.id, n.Genesis, 20*time.Second
	s, err := NewStrong(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.loose.Wait)
	return s
}

// spoils puts a liar before a node's answers to reads of accounts.
func (n *attesting) spoils(node int, change func(o object)) {
	api, attest := n.apis[node], n.who[node]
	n.servers[node].fails(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == pathAttest {
			attest.ServeHTTP(w, r)
			return
		}
		honest := httptest.NewRecorder()
		api.ServeHTTP(honest, r)
		body := honest.Body.Bytes()
		if len(r.URL.Path) > len(rpc.PathAccounts) && r.URL.Path[:len(rpc.PathAccounts)] == rpc.PathAccounts {
			body = edit(body, change)
		}
		w.WriteHeader(honest.Code)
		fmt.Fprint(w, string(body))
	})
}

// sealsWhenAsked makes a block as soon as anybody asks for a proof, or waits for a transaction.
func (n *attesting) sealsWhenAsked(t testing.TB) {
	ctx := within(t, time.Minute)
	for _, s := range n.servers {
		go func() {
			for {
				select {
				case r := <-s.seen:
					query := r.URL.Query()
					if query.Get("proof") == "true" && r.URL.Path != rpc.PathValidators || query.Get("wait") != "" {
						n.Seal()
					}
				case <-ctx.Done():
					return
				}
			}
		}()
	}
}

// waits blocks until a node is asked for a header that it does not have yet.
func waits(t testing.TB, s *server, height uint64) {
	t.Helper()
	path := fmt.Sprintf("%s/%d", rpc.PathLight, height)
	for {
		select {
		case r := <-s.seen:
			if r.URL.Path == path {
				return
			}
		case <-within(t, time.Minute).Done():
			t.Fatalf("nobody asked for %s", path)
		}
	}
}

// indexed is what a read index came to.
type indexed struct {
	height uint64
	err    error
}

// indexing asks for the read index, which may have to wait for blocks that the test makes meanwhile.
func indexing(t testing.TB, s *Strong) <-chan indexed {
	got := make(chan indexed, 1)
	ctx := within(t, time.Minute)
	go func() {
		height, err := s.Index(ctx)
		got <- indexed{height, err}
	}()
	return got
}
