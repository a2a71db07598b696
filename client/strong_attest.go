package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// showWait is how long a node may take to show the block that it says it has committed: it is there already,
	// unless the answers come from several machines behind one address.
	showWait = 300 * time.Millisecond
	// laggardMax is how far below the trusted headers a node may be and still be listened to. Headers there are
	// walked to one by one, and a validator so far behind takes no part in consensus.
	laggardMax = 16
	// agreeWait is how long one more node that names the same header is waited for, before all others are asked.
	agreeWait = 100 * time.Millisecond
)

// attestQuestion and attestAnswer are what goes over the wire.
type attestQuestion struct {
	Nonce string `json:"nonce"`
}

type attestAnswer struct {
	Validator  crypto.ValidatorID `json:"validator"`
	Nonce      string             `json:"nonce"`
	Committed  uint64             `json:"committed"`
	HeaderHash crypto.Hash        `json:"header_hash"`
	Pending    uint64             `json:"pending"`
	Signature  string             `json:"signature"`
}

const pathAttest = rpc.PathAttest

// attest asks one node for its validator's attestation, and checks everything about it.
func (r *round) attest(ctx context.Context, node string) attested {
	listening, heard := listen(ctx)
	a := attested{node: node}
	if a.said, a.err = r.attestation(listening, node); a.err == nil {
		a.header, a.err = r.headerOf(listening, node, a.said)
	}
	if errors.Is(a.err, ErrLie) {
		r.s.v.client.endpoints.lied(node)
		a.err = r.s.v.caught.keep(a.err, heard)
	}
	return a
}

// attestation asks for an attestation that its validator signed for this nonce.
func (r *round) attestation(ctx context.Context, node string) (ledger.Attestation, error) {
	var out attestAnswer
	body, err := json.Marshal(attestQuestion{Nonce: hex.EncodeToString(r.nonce[:])})
	if err != nil {
		return ledger.Attestation{}, fmt.Errorf("build the request: %w", err)
	}
	request := request{
		method: http.MethodPost, path: pathAttest, body: body, contentType: "application/json", aside: true, grace: r.s.wait,
	}
	if err := r.s.v.client.ask(ctx, node, request, &out); err != nil {
		return ledger.Attestation{}, r.s.blameless(node, err)
	}
	said, signature, err := readAttestation(out)
	if err == nil && said.Nonce != r.nonce {
		err = lie(LieNonce, "asked with the nonce %x, answered with %x", r.nonce, said.Nonce)
	}
	if err == nil {
		err = r.signed(said, signature)
	}
	return said, from(node, said.Committed, err)
}

// signed checks the signature by the key that the ledger names. A key that does not fit may have been replaced.
func (r *round) signed(said ledger.Attestation, signature []byte) error {
	var err error
	for _, get := range r.members {
		members, failed := get()
		if failed != nil {
			return failed
		}
		key, known := members.service[said.Validator]
		if !known {
			err = fmt.Errorf("the ledger names no service key of the validator %s", said.Validator)
			continue
		}
		if wrong := said.Verify(r.s.v.light.genesisHash, r.nonce, key, signature); wrong == nil {
			return nil
		}
		err = lie(LieSignature, "as %s, at height %d", said.Validator, said.Committed)
	}
	return err
}

// headerOf finds the header that an attestation names. Without it the attestation does not count: counted, it could
// make up for one that says the truth.
func (r *round) headerOf(ctx context.Context, node string, said ledger.Attestation) (*cmttypes.LightBlock, error) {
	r.heard.add(said.HeaderHash, node)
	header := r.s.v.light.known(said.Committed)
	if header == nil {
		if _, before, after := r.s.v.light.store.around(said.Committed); before == nil && after != nil && uint64(after.Height) > said.Committed+laggardMax {
			return nil, fmt.Errorf("its newest block is %d, far below %d", said.Committed, after.Height)
		}
		var err error
		if header, err = r.shown(ctx, node, said.Committed, showWait, &said); err != nil {
			return nil, r.unshown(node, said, err)
		}
	}
	if bytes.Equal(header.Hash(), said.HeaderHash[:]) {
		return header, nil
	}
	return nil, r.contradicted(ctx, node, said, header)
}

// unshown judges a node that does not show the block it says its validator has committed.
func (r *round) unshown(node string, said ledger.Attestation, err error) error {
	if errors.Is(err, errFuture) || errors.Is(err, errBehind) {
		return from(node, said.Committed, lie(LieAhead, "%s attests block %d", said.Validator, said.Committed))
	}
	return err
}

// contradicted judges a node whose validator attests another header than the trusted one. If validators have signed
// that one, too, nothing can be believed.
func (r *round) contradicted(ctx context.Context, node string, said ledger.Attestation, trusted *cmttypes.LightBlock) error {
	light := r.s.v.light
	claim := from(node, said.Committed, lie(LieHeader, "%s attests the header %s, the validators signed %s", said.Validator, said.HeaderHash, trusted.Hash()))
	block, err := r.s.v.client.fetchBlock(ctx, node, light.chainID, said.Committed)
	if err != nil || bytes.Equal(block.Hash(), trusted.Hash()) {
		return claim
	}
	if _, err := light.compare("the header trusted before", anchor{block: trusted}, trusted, testimony{node, block, nil, &transcript{}}); err != nil {
		return err
	}
	return claim
}

// shown gets a header from a node, which may take a while to have it, and checks it. said is what the node attests of
// it, if it does.
func (r *round) shown(ctx context.Context, node string, height uint64, wait time.Duration, said *ledger.Attestation) (*cmttypes.LightBlock, error) {
	if height > math.MaxInt64/2 {
		return nil, errFuture
	}
	block, err := r.s.fetchShown(ctx, node, height, wait)
	if err != nil {
		return nil, err
	}
	if said != nil && !bytes.Equal(block.Hash(), said.HeaderHash[:]) {
		return nil, from(node, height, lie(LieHeader, "%s attests the header %s, it shows %s", said.Validator, said.HeaderHash, block.Hash()))
	}
	hash := crypto.Hash(block.Hash())
	r.heard.add(hash, node)
	// Others may have the block a moment later; meanwhile nobody who walks to another header is kept waiting.
	return r.s.v.light.reach(ctx, node, height, walk{shown: block, witnessed: r.heard.another(ctx, hash)})
}

// fetchShown is fetchBlock with the time to get the block.
func (s *Strong) fetchShown(ctx context.Context, node string, height uint64, wait time.Duration) (*cmttypes.LightBlock, error) {
	var out rpc.LightBlock
	var refusal []byte
	text := strconv.FormatUint(height, 10)
	request := request{
		method: http.MethodGet, path: rpc.PathLight + "/" + text, aside: true, patience: wait, refusal: &refusal,
		query: url.Values{"timeout": {wait.String()}}, header: http.Header{rpc.HeaderMinHeight: {text}},
	}
	if err := s.v.client.ask(ctx, node, request, &out); err != nil {
		return nil, s.blameless(node, err)
	}
	block, err := decodeBlock(out.Light, s.v.light.chainID)
	if err == nil && uint64(block.Height) != height {
		err = lie(LieHeader, "asked for header %d, got %d", height, block.Height)
	}
	return block, from(node, height, err)
}

// blameless notes that a node works which could not do what was asked.
func (s *Strong) blameless(node string, err error) error {
	if errors.As(err, new(*rpc.Error)) {
		s.v.client.endpoints.answered(node)
	}
	return err
}

// readAttestation takes an answer apart.
func readAttestation(out attestAnswer) (ledger.Attestation, []byte, error) {
	nonce, nonceErr := hex.DecodeString(out.Nonce)
	signature, signatureErr := hex.DecodeString(out.Signature)
	if err := cmp.Or(nonceErr, signatureErr); err != nil || len(nonce) != ledger.AttestNonceLen || len(signature) != crypto.SignatureSize {
		return ledger.Attestation{}, nil, lie(LieShape, "the attestation's nonce or signature is not of its length in hexadecimal")
	}
	said := ledger.Attestation{
		Validator: out.Validator, Nonce: [ledger.AttestNonceLen]byte(nonce), Committed: out.Committed, HeaderHash: out.HeaderHash, Pending: out.Pending,
	}
	if err := said.Check(); err != nil {
		return said, nil, lie(LieShape, "%v", err)
	}
	return said, signature, nil
}

// witnesses are the nodes that name a header. Two that name the same spare the asking of all others.
type witnesses struct {
	mu    *sync.Mutex // guards everything below
	nodes map[crypto.Hash]map[string]bool
	more  map[crypto.Hash]chan struct{} // closed when a second node names it
}

func newWitnesses() witnesses {
	return witnesses{&sync.Mutex{}, map[crypto.Hash]map[string]bool{}, map[crypto.Hash]chan struct{}{}}
}

// add notes that a node names a header.
func (w witnesses) add(hash crypto.Hash, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[hash] == nil {
		w.nodes[hash], w.more[hash] = map[string]bool{}, make(chan struct{})
	}
	if !w.nodes[hash][node] {
		if w.nodes[hash][node] = true; len(w.nodes[hash]) == 2 {
			close(w.more[hash])
		}
	}
}

// another tells whether two nodes name a header, which one of them has named; it waits a little.
func (w witnesses) another(ctx context.Context, hash crypto.Hash) bool {
	w.mu.Lock()
	more := w.more[hash]
	w.mu.Unlock()
	late := time.NewTimer(agreeWait)
	defer late.Stop()
	select {
	case <-more:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}
