package client

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// keysFreshFor is how long service keys are used before they are read again: a key that was stolen and replaced
	// on the ledger is no use to the thief after that.
	keysFreshFor = 30 * time.Second
	// keysFreshMin is how often they are read again because an attestation did not fit them, which any node can bring
	// about at will.
	keysFreshMin = 2 * time.Second
)

// register is what the ledger says about the nodes of validators.
type register struct {
	service map[crypto.ValidatorID]crypto.PublicKey
	urls    map[string]crypto.ValidatorID // whose node a URL is
	read    time.Time
}

// node tells whose node an endpoint is, as the ledger has it. What a validator's node answers there has the weight of
// its power; anybody else could stand behind an endpoint that only the user calls so.
func (r *register) node(endpoint string) (crypto.ValidatorID, bool) {
	id, known := r.urls[endpoint]
	return id, known
}

// serviceKeys keeps the register, which is proven.
type serviceKeys struct {
	v *Verified

	mu   sync.Mutex // guards everything below; held while it is read, so that one read serves all
	last *register
}

// get gives a register that is not older than keysFreshFor.
func (k *serviceKeys) get(ctx context.Context) (*register, error) { return k.within(ctx, keysFreshFor) }

// newer gives one that may hold what the given one lacks.
func (k *serviceKeys) newer(ctx context.Context) (*register, error) {
	return k.within(ctx, keysFreshMin)
}

func (k *serviceKeys) within(ctx context.Context, age time.Duration) (*register, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last != nil && k.v.now().Sub(k.last.read) < age {
		return k.last, nil
	}
	// A time before the question, so that nothing is taken for newer than it is.
	begun := k.v.now()
	r, err := readRegister(ctx, k.v)
	for range k.v.client.Endpoints() {
		if !errors.Is(err, ErrLie) || errors.As(err, new(*ConflictError)) {
			break
		}
		r, err = readRegister(ctx, k.v) // of another node: who lied is asked last
	}
	if err != nil {
		return nil, &registerError{err}
	}
	r.read = begun
	k.last = r
	return r, nil
}

// registerError says that the service keys could not be read. All nodes have a part in that.
type registerError struct{ cause error }

func (e *registerError) Error() string {
	return "the validators' service keys cannot be read: " + e.cause.Error()
}

func (e *registerError) Unwrap() error { return e.cause }

// known gives what was read last, of whatever age.
func (k *serviceKeys) known() *register {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// readRegister reads the validators with their nodes, all proven. Only what is proven is looked at.
func readRegister(ctx context.Context, v *Verified) (*register, error) {
	o := ReadOptions{Consistency: rpc.ConsistencySession}
	out, _, _, err := prove(ctx, v, o, query[*register]{
		request: v.client.readRequest(o, readPath(rpc.PathValidators)),
		build:   buildRegister,
		agree:   func(_, _ *register) error { return nil },
	})
	return out, err
}

// buildRegister looks for the node of every validator. One without a node has nothing to attest with.
func buildRegister(p *proven) (*register, error) {
	r := &register{service: map[crypto.ValidatorID]crypto.PublicKey{}, urls: map[string]crypto.ValidatorID{}}
	list, err := p.asked(ledger.KeyValidators())
	if err != nil {
		return nil, err
	}
	ids, _, err := decoded(list, ledger.DecodeValidators)
	if err != nil {
		return nil, err
	}
	claims := map[string]int{}
	for _, id := range ids {
		leaf, err := p.element(ledger.KeyNode(id))
		if err != nil {
			return nil, err
		}
		node, found, err := decoded(leaf, ledger.DecodeNode)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		r.service[id] = crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: node.ServiceKey}
		for _, url := range node.URLs {
			url = strings.TrimRight(url, "/")
			r.urls[url] = id
			claims[url]++
		}
	}
	for url, n := range claims {
		if n > 1 {
			delete(r.urls, url) // at least one of those who claim it is wrong
		}
	}
	return r, nil
}
