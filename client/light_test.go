package client

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// changing replaces one of four validators every ten blocks, so that after forty nobody of the genesis is left.
func changing(height uint64) []string {
	all := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}
	first := min(int(height/10), len(all)-4)
	return all[first : first+4]
}

func (p *proving) seal(blocks int) {
	for range blocks {
		p.Seal()
	}
}

// TestYoungNetwork: a network without a second block can prove nothing yet; the reader waits for that block.
func TestYoungNetwork(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	var once sync.Once
	refused := false
	p.lies(0, func(_ string, body []byte) []byte {
		once.Do(func() {
			refused = bytes.Contains(body, []byte("nothing before the next block"))
			p.seal(2)
		})
		return body
	})
	v := p.verified(t, VerifiedOptions{})
	if a, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{}); err != nil || !a.Verified {
		t.Fatalf("%+v, %v", a, err)
	}
	if !refused {
		t.Error("the network could prove something from the start: this test is of no use")
	}
}

// TestChangingValidators: trust is carried on from the genesis by as many headers as the changes demand, and so
// is a receipt's.
func TestChangingValidators(t *testing.T) {
	p := newProving(t, 2, changing)
	p.seal(75)
	tx := p.transfer(t, 1)
	p.submit(t, tx)
	p.Seal()
	v := p.verified(t, VerifiedOptions{})
	if a, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{}); err != nil || a.Height != 76 {
		t.Fatalf("%+v, %v", a, err)
	}
	if kept := len(v.light.store.blocks); kept < 3 || kept > 30 {
		t.Errorf("%d headers were needed", kept)
	}
	r, err := v.Receipt(within(t, time.Minute), tx)
	if err != nil || len(r.LightBlocks) < 5 {
		t.Fatalf("%d headers, %v", len(r.LightBlocks), err)
	}
	// Without the headers in between, nobody vouches for the last one.
	r.LightBlocks = r.LightBlocks[len(r.LightBlocks)-1:]
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var lie *LieError
	if _, err := VerifyReceipt(data, p.Genesis, time.Now()); !errors.As(err, &lie) || lie.Kind != LieHeader {
		t.Errorf("a chain with a gap: %v", err)
	}
}

// TestTrustIsKept: what was trusted in one run is the beginning of the next, and nothing needs to be fetched
// again for it. Another network's file is refused.
func TestTrustIsKept(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(5)
	home := t.TempDir()
	v := p.verified(t, VerifiedOptions{Home: home})
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	p.lies(0, func(path string, body []byte) []byte {
		if isTrust(path) {
			t.Errorf("%s was asked for", path)
		}
		return body
	})
	v = p.verified(t, VerifiedOptions{Home: home})
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := openLightStore(home, p.ChainID, crypto.Sum(nil)); err == nil || !strings.Contains(err.Error(), "network") {
		t.Errorf("another network's file: %v", err)
	}
	file := filepath.Join(home, lightFileName)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"cut off": data[:len(data)/2], "empty": {}, "of another format": bytes.Replace(data, []byte(`"format":1`), []byte(`"format":2`), 1),
		"too large": make([]byte, lightFileBytesMax+1),
	} {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openLightStore(home, p.ChainID, p.Genesis); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("a file that is %s: %v", name, err)
		}
	}
}

// TestGivenTrust: a header from a friend is a beginning, too; older heights are reached backwards from it.
func TestGivenTrust(t *testing.T) {
	p := newProving(t, 2, changing)
	p.seal(60)
	p.get("/v1/light/60") // and with it all the headers before
	at := p.chain.made[50]
	v := p.verified(t, VerifiedOptions{TrustHeight: 50, TrustHash: crypto.Hash(at.Hash())})
	for _, height := range []uint64{0, 55, 30, 49} {
		a, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{Height: height})
		if err != nil || height > 0 && a.Height != height {
			t.Fatalf("height %d: %+v, %v", height, a, err)
		}
	}
	if v.light.genesis != nil {
		t.Error("the genesis document was fetched")
	}
	v = p.verified(t, VerifiedOptions{TrustHeight: 50, TrustHash: crypto.Sum([]byte("no"))})
	var lie *LieError
	if _, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{}); !errors.As(err, &lie) || lie.Kind != LieHeader {
		t.Errorf("another header at the trusted height: %v", err)
	}
	home := t.TempDir()
	v = p.verified(t, VerifiedOptions{Home: home})
	if _, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = p.verified(t, VerifiedOptions{Home: home, TrustHeight: 50, TrustHash: crypto.Sum([]byte("no"))})
	if _, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{}); !errors.As(err, &lie) || lie.Kind != LieHeader {
		t.Errorf("another header at the trusted height, where an earlier run trusted the newest: %v", err)
	}
	p.lies(0, forge(func(b *cmttypes.LightBlock) {
		if b.Height == 31 {
			b.AppHash[0] ^= 1
			*b = *sign(b.Header, b.ValidatorSet, changing(31))
		}
	})(p))
	v = p.verified(t, VerifiedOptions{TrustHeight: 50, TrustHash: crypto.Hash(at.Hash())})
	if _, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{Height: 30}); !errors.As(err, &lie) || lie.Kind != LieHeader {
		t.Errorf("an older header that nothing names, though it is signed: %v", err)
	}
}

func decimalOf(n uint64) string {
	text := ""
	for ; n > 0; n /= 10 {
		text = string(rune('0'+n%10)) + text
	}
	return text
}

// TestExpiredTrust: a root older than the trusting period is worth nothing.
func TestExpiredTrust(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(3)
	v := p.verified(t, VerifiedOptions{TrustingPeriod: 30 * time.Minute})
	var expired *TrustExpiredError
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); !errors.As(err, &expired) || expired.Height != 0 || errors.Is(err, ErrLie) {
		t.Errorf("an old genesis: %v", err)
	}
	hash := crypto.Hash(p.chain.block(rpctest.Header{Height: 2}).Hash())
	v = p.verified(t, VerifiedOptions{TrustingPeriod: 30 * time.Minute, TrustHeight: 2, TrustHash: hash})
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err == nil || errors.Is(err, ErrLie) && !strings.Contains(err.Error(), "header") {
		t.Errorf("an old header: %v", err)
	}
}

// TestStaleAnswers: proven, but older than the caller takes.
func TestStaleAnswers(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.seal(3)
	v := p.verified(t, VerifiedOptions{MaxAge: time.Minute})
	var stale *StaleError
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); !errors.As(err, &stale) || errors.Is(err, ErrLie) {
		t.Errorf("an hour old: %v", err)
	}
	if _, err := v.Params(within(t, time.Minute), ReadOptions{Height: 1}); err != nil {
		t.Errorf("an old height that was asked for: %v", err)
	}
}

// TestWitnesses: who shows a header that nobody signed is not listened to; two headers that are both signed
// are evidence, and neither is believed.
func TestWitnesses(t *testing.T) {
	p := newProving(t, 4, fourValidators)
	p.seal(3)
	p.servers[1].die()
	p.lies(2, forge(func(b *cmttypes.LightBlock) { b.AppHash[0] ^= 1 })(p))
	v := p.verified(t, VerifiedOptions{})
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Fatalf("a dead and a lying witness stand in the way: %v", err)
	}
	p.lies(3, forge(func(b *cmttypes.LightBlock) {
		b.AppHash[0] ^= 1
		*b = *sign(b.Header, b.ValidatorSet, []string{"b", "c", "d"})
	})(p))
	v = p.verified(t, VerifiedOptions{})
	_, err := v.Params(within(t, time.Minute), ReadOptions{})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, ErrLie) || len(conflict.Headers) != 2 || len(conflict.Equivocators) != 3 {
		t.Fatalf("two signed headers: %v", err)
	}
	if conflict.Headers[0].Endpoint != p.servers[0].URL || conflict.Headers[1].Endpoint != p.servers[3].URL {
		t.Errorf("%v does not name who said what", err)
	}
	for _, h := range conflict.Headers {
		if b, err := decodeBlock(h.LightBlock, p.ChainID); err != nil || b.Hash().String() != h.Hash {
			t.Errorf("the evidence does not decode: %v", err)
		}
	}
	if !v.light.store.empty() {
		t.Error("one of the two headers is trusted")
	}
}

// TestLateWitness: a node that is a block behind is no liar, and is not punished.
func TestLateWitness(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.seal(5)
	p.servers[1].node.Hold(3)
	release := time.AfterFunc(100*time.Millisecond, func() { p.servers[1].node.Hold(0) })
	defer release.Stop()
	v := p.verified(t, VerifiedOptions{})
	if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(v.client.endpoints.fit()) != 2 {
		t.Error("the late node is left alone")
	}
}

// TestBoundsOfLightBlocks: nothing larger than the largest honest block is looked at.
func TestBoundsOfLightBlocks(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(2)
	whole := encoded(t, p.chain.block(rpctest.Header{Height: 2, TimeMS: 1}))
	if _, err := decodeBlock(whole, p.ChainID); err != nil {
		t.Fatal(err)
	}
	var lie *LieError
	for name, data := range map[string][]byte{
		"too large": append(whole, make([]byte, lightBlockBytesMax)...), "empty": nil, "nonsense": []byte("nonsense"), "cut": whole[:len(whole)-1],
	} {
		if _, err := decodeBlock(data, p.ChainID); !errors.As(err, &lie) || lie.Kind != LieHeader {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decodeBlock(whole, "another"); !errors.As(err, &lie) {
		t.Errorf("another chain's: %v", err)
	}
}

// BenchmarkVerifiedBalance reads one balance over loopback: at a new height each time, as under load, and at
// one whose header is known.
func BenchmarkVerifiedBalance(b *testing.B) {
	for name, perBlock := range map[string]int{"new header": 1, "known header": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			p := newProving(b, 4, fourValidators)
			p.seal(3)
			v := p.verified(b, VerifiedOptions{})
			for i := range b.N {
				if i%perBlock == 0 {
					b.StopTimer()
					p.Seal()
					b.StartTimer()
				}
				if _, err := v.Balance(within(b, time.Minute), "@gov", "usd", ReadOptions{Consistency: rpc.ConsistencyEventual}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
