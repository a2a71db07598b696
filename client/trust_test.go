package client

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
)

// TestTrustNodes: whoever runs the nodes can begin anew when the genesis document vouches for nothing any more.
func TestTrustNodes(t *testing.T) {
	p := newProving(t, 3, fourValidators)
	p.seal(3)
	const period = 30 * time.Minute
	at := time.UnixMilli(int64(p.blockTimeMS(t))).Add(period - time.Second) // blocks are a second apart
	home := t.TempDir()
	options := func() VerifiedOptions {
		return VerifiedOptions{Home: home, TrustingPeriod: period, Options: Options{Now: func() time.Time { return at }}}
	}
	var expired *TrustExpiredError
	if _, err := p.verified(t, options()).Params(within(t, time.Minute), ReadOptions{}); !errors.As(err, &expired) {
		t.Fatalf("the genesis document is old: %v", err)
	}
	p.servers[1].die()
	height, err := TrustNodes(within(t, time.Minute), p.trustOptions(options()))
	if err != nil || height != 3 {
		t.Fatalf("trusted %d: %v", height, err)
	}
	p.Seal()
	if _, err := p.verified(t, options()).Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Errorf("the home does not remember: %v", err)
	}
	if err := os.WriteFile(lightPath(home), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if height, err = TrustNodes(within(t, time.Minute), p.trustOptions(options())); err != nil || height != 4 {
		t.Errorf("a torn file was not replaced: %d, %v", height, err)
	}

	good, err := os.ReadFile(lightPath(home))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*cmttypes.LightBlock){
		"another header": func(b *cmttypes.LightBlock) {
			b.AppHash[0] ^= 1
			*b = *sign(b.Header, b.ValidatorSet, fourValidators(0))
		},
		"not signed": func(b *cmttypes.LightBlock) { b.AppHash[0] ^= 1; *b = *sign(b.Header, b.ValidatorSet, []string{"a"}) },
	} {
		p.lies(2, forge(change)(p))
		if height, err := TrustNodes(within(t, time.Minute), p.trustOptions(options())); err == nil {
			t.Errorf("%s: trusted %d although the nodes differ", name, height)
		}
	}
	p.lies(2, forge(func(b *cmttypes.LightBlock) { *b = *sign(b.Header, b.ValidatorSet, []string{"a", "b"}) })(p))
	p.servers[0].die()
	if height, err := TrustNodes(within(t, time.Minute), p.trustOptions(options())); !errors.Is(err, ErrLie) {
		t.Errorf("trusted %d, which too few have signed: %v", height, err)
	}
	if after, err := os.ReadFile(lightPath(home)); err != nil || !bytes.Equal(good, after) {
		t.Errorf("the home was changed: %v", err)
	}
}

func (p *proving) trustOptions(o VerifiedOptions) VerifiedOptions {
	o.Endpoints, o.ChainID, o.GenesisHash = p.urls(), p.ChainID, p.Genesis
	return o
}

// TestGivenTrustMustFit: a header from a false friend, signed by false validators, is refused where an earlier run
// trusts others that still count, and nothing of it is kept. Where they do not count any more it is what is left.
func TestGivenTrustMustFit(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(4)
	home := t.TempDir()
	v := p.verified(t, VerifiedOptions{Home: home})
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(home, lightFileName))
	if err != nil {
		t.Fatal(err)
	}
	p.seal(4)
	strangers := []string{"x", "y", "z"}
	p.get("/v1/light/8")
	var forged *cmttypes.LightBlock
	p.lies(0, forge(func(b *cmttypes.LightBlock) {
		set := setOf(strangers)
		b.AppHash[0] ^= 1
		b.Header.ValidatorsHash, b.Header.NextValidatorsHash, b.Header.ProposerAddress = set.Hash(), set.Hash(), set.Validators[0].Address
		*b = *sign(b.Header, set, strangers)
		if b.Height == 7 {
			forged = b
		}
	})(p))
	if _, err := p.client(t, Options{}).fetchBlock(within(t, time.Minute), p.servers[0].URL, p.ChainID, 7); err != nil {
		t.Fatal(err)
	}
	given := VerifiedOptions{Home: home, TrustHeight: 7, TrustHash: crypto.Hash(forged.Hash())}
	v = p.verified(t, given)
	var conflict *TrustConflictError
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); !errors.As(err, &conflict) || errors.Is(err, ErrLie) {
		t.Fatalf("a header of strangers: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(home, lightFileName)); err != nil || !bytes.Equal(good, after) {
		t.Errorf("the home was changed: %v", err)
	}

	// The true header of that height fits.
	p.lies(0, func(_ string, body []byte) []byte { return body })
	given.TrustHash = crypto.Hash(p.chain.made[7].Hash())
	v = p.verified(t, given)
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Errorf("a header that fits: %v", err)
	}
	given.TrustHash[0] ^= 1
	if v.light.trustHash = given.TrustHash; !errors.As(v.light.trustGiven(within(t, time.Minute), p.servers[0].URL), &conflict) {
		t.Error("another header at a height that is trusted")
	}
}

// TestStoreIsNotPoisoned: whatever lies are told, what the home keeps afterwards are headers of the network.
func TestStoreIsNotPoisoned(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.populate(t)
	home := t.TempDir()
	kept := 0
	for round, l := range liars {
		change := l.tell(p)
		if change == nil {
			continue
		}
		p.lies(round%2, change)
		p.lies((round+1)%2, func(_ string, body []byte) []byte { return body })
		p.Seal()
		v := p.verified(t, VerifiedOptions{Home: home, Options: Options{MinHeight: 2}})
		v.wait = 0
		_, _, err := p.read(t, l.read, v)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		store, openErr := openLightStore(home, p.ChainID, p.Genesis)
		if openErr != nil {
			t.Fatalf("after %s (%v): %v", l.name, err, openErr)
		}
		for _, b := range store.blocks {
			kept++
			if true := p.chain.made[uint64(b.Height)]; true == nil || !bytes.Equal(b.Hash(), true.Hash()) {
				t.Errorf("after %s (%v) the home trusts a false header %d", l.name, err, b.Height)
			}
		}
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
}
