package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmtevidence "github.com/cometbft/cometbft/evidence"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// readEvidence reads a file that an error or a Verified named.
func readEvidence(t testing.TB, path string) Evidence {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s has the mode %v: %v", path, info.Mode(), err)
	}
	var e Evidence
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestEvidenceOfALie: the file tells who said what to which question, and what did not hold.
func TestEvidenceOfALie(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.seal(3)
	p.lies(0, tell(func(o object) { o["total_power"] = 41 })(p))
	dir := filepath.Join(t.TempDir(), "evidence")
	v := p.verified(t, VerifiedOptions{Evidence: dir})
	_, err := v.Validators(within(t, time.Minute), ReadOptions{})
	var lie *LieError
	if !errors.As(err, &lie) || lie.File == "" || filepath.Dir(lie.File) != dir {
		t.Fatalf("the lie is not kept: %v", err)
	}
	if files := v.EvidenceFiles(); len(files) != 1 || files[0] != lie.File {
		t.Errorf("kept are %v, named is %s", files, lie.File)
	}
	name := filepath.Base(lie.File)
	if !strings.Contains(name, "-value-127.0.0.1_") || !strings.HasSuffix(name, ".json") {
		t.Errorf("the file is called %s", name)
	}
	e := readEvidence(t, lie.File)
	if e.Kind != string(LieValue) || e.Endpoint != p.servers[0].URL || e.Height != 2 || e.ChainID != p.ChainID || e.GenesisHash != p.Genesis ||
		!strings.Contains(e.Reason, "total_power") || len(e.Exchanges) == 0 {
		t.Fatalf("%+v", e)
	}
	asked := e.Exchanges[0]
	if !strings.HasPrefix(asked.Request, "GET /v1/validators?proof=true") || asked.Status != 200 || asked.Bytes != len(asked.Answer) ||
		!strings.Contains(string(asked.Answer), `"total_power":41`) || asked.SHA256 != crypto.Sum(asked.Answer).String() {
		t.Errorf("%+v", asked)
	}
	header, err := decodeBlock(e.Header, p.ChainID)
	if err != nil || header.Height != 3 {
		t.Errorf("the header it was checked against: %v", err)
	}
	if _, err := p.verified(t, VerifiedOptions{}).Validators(within(t, time.Minute), ReadOptions{}); !errors.As(err, &lie) || lie.File != "" {
		t.Errorf("a file was written though nobody wants one: %v", err)
	}
}

// TestEvidenceOfAWitness: a header that nobody signed is kept, too, although the answer stands without it.
func TestEvidenceOfAWitness(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.seal(3)
	p.lies(1, forge(func(b *cmttypes.LightBlock) { b.AppHash[0] ^= 1 })(p))
	v := p.verified(t, VerifiedOptions{Evidence: t.TempDir()})
	for len(v.EvidenceFiles()) == 0 { // a witness is not waited for
		if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil {
			t.Fatal(err)
		}
		p.Seal()
	}
	if e := readEvidence(t, v.EvidenceFiles()[0]); e.Kind != string(LieHeader) || e.Endpoint != p.servers[1].URL || len(e.Exchanges) == 0 {
		t.Errorf("%+v", e)
	}
}

// TestEvidenceOfAConflict: what is kept of two signed headers of one height convinces CometBFT.
func TestEvidenceOfAConflict(t *testing.T) {
	for name, change := range map[string]func(*cmttypes.Header){
		"another state":  func(h *cmttypes.Header) { h.AppHash = append([]byte{h.AppHash[0] ^ 1}, h.AppHash[1:]...) },
		"the same state": func(h *cmttypes.Header) { h.DataHash = append([]byte{h.DataHash[0] ^ 1}, h.DataHash[1:]...) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProving(t, 2, fourValidators)
			p.seal(3)
			p.lies(1, forge(func(b *cmttypes.LightBlock) {
				if b.Height == 3 {
					change(b.Header)
					*b = *sign(b.Header, b.ValidatorSet, []string{"b", "c", "d"})
				}
			})(p))
			v := p.verified(t, VerifiedOptions{Evidence: t.TempDir()})
			_, err := v.Params(within(t, time.Minute), ReadOptions{})
			var conflict *ConflictError
			if !errors.As(err, &conflict) || conflict.File == "" {
				t.Fatalf("want a conflict that is kept, got %v", err)
			}
			e := readEvidence(t, conflict.File)
			if e.Kind != kindConflict || e.Height != 3 || len(e.Conflict) != 2 || len(e.Equivocators) != 3 || len(e.Attacks) != 2 {
				t.Fatalf("%+v", e)
			}
			convinces(t, p, e)
		})
	}
}

// convinces checks that CometBFT accepts the evidence against the header that is not the honest node's.
func convinces(t *testing.T, p *proving, e Evidence) {
	t.Helper()
	honest := p.chain.made[3]
	for _, a := range e.Attacks {
		if a.Network != honest.Hash().String() {
			continue
		}
		var message cmtproto.Evidence
		if err := message.Unmarshal(a.Evidence); err != nil {
			t.Fatal(err)
		}
		decoded, err := cmttypes.EvidenceFromProto(&message)
		if err != nil {
			t.Fatal(err)
		}
		attack := decoded.(*cmttypes.LightClientAttackEvidence)
		if err := attack.ValidateBasic(); err != nil {
			t.Fatal(err)
		}
		common := p.chain.made[uint64(attack.CommonHeight)]
		err = cmtevidence.VerifyLightClientAttack(attack, common.SignedHeader, honest.SignedHeader, common.ValidatorSet, honest.Time, time.Hour)
		if err != nil || len(attack.ByzantineValidators) != 3 {
			t.Errorf("CometBFT says %v; %d validators are accused", err, len(attack.ByzantineValidators))
		}
		return
	}
	t.Error("there is no evidence against the false header")
}

// TestEvidenceIsBounded: neither many lies nor large ones fill the disk, and lies do not push conflicts out.
func TestEvidenceIsBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	store := &evidenceStore{dir: t.TempDir(), now: func() time.Time { now = now.Add(time.Second); return now }, headers: &lightStore{}}
	conflict := &ConflictError{Height: 1, Headers: []SignedClaim{{Endpoint: "http://a:1"}, {Endpoint: "http://b:1"}}}
	if err := store.keep(conflict, &transcript{}); !errors.Is(err, ErrLie) || conflict.File == "" {
		t.Fatal(err)
	}
	for i := range evidenceFilesMax + 3 {
		node := fmt.Sprintf("http://node:%d/%s", i, strings.Repeat("x", 100))
		ctx, said := listen(t.Context())
		write(ctx, node, "GET", "/v1/params", 200, make([]byte, evidenceAnswerMax+i))
		err := store.keep(&LieError{Kind: LieValue, Source: node}, said)
		var lie *LieError
		if !errors.As(err, &lie) || lie.File == "" || len(filepath.Base(lie.File)) > 100 {
			t.Fatalf("%v in %s", err, lie.File)
		}
		if e := readEvidence(t, lie.File).Exchanges[0]; len(e.Answer) != evidenceAnswerMax || e.Bytes != evidenceAnswerMax+i {
			t.Fatalf("%d of %d bytes are kept", len(e.Answer), e.Bytes)
		}
	}
	files, err := filepath.Glob(filepath.Join(store.dir, "*"))
	if err != nil || len(files) != evidenceFilesMax {
		t.Errorf("%d files are kept: %v", len(files), err)
	}
	if _, err := os.Stat(conflict.File); err != nil {
		t.Errorf("the conflict is gone: %v", err)
	}
	ctx, said := listen(t.Context())
	for i := range evidenceExchangesMax + 1 {
		write(ctx, "n", "GET", fmt.Sprint("/", i), 200, nil)
	}
	if kept := said.of("n"); len(kept) != evidenceExchangesMax || kept[0].Request != "GET /0" || kept[1].Request != "GET /2" {
		t.Errorf("%+v", kept)
	}
	store.dir = filepath.Join(files[0], "below a file")
	if err := store.keep(&LieError{Kind: LieValue}, said); !errors.Is(err, ErrLie) || !errors.Is(err, fs.ErrExist) && !strings.Contains(err.Error(), "evidence") {
		t.Errorf("a directory that cannot be made: %v", err)
	}
}

// TestBoundedReads: what a node says of its state's age is compared with what the caller takes, at the bound and
// beyond, and a node that is young enough is found behind one that is not.
func TestBoundedReads(t *testing.T) {
	for said, c := range map[string]struct{ fresh, silent bool }{
		"5000": {fresh: true}, "5001": {}, "99999999999999999": {}, "": {silent: true}, "-1": {silent: true}, "x": {silent: true},
	} {
		r := request{maxAge: 5 * time.Second}
		err := r.young("http://n", 7, said)
		var old *StaleError
		if c.fresh != (err == nil) || !c.silent && !c.fresh && (!errors.As(err, &old) || old.Height != 7 || old.Proven) || c.silent && errors.As(err, &old) {
			t.Errorf("%q: %v", said, err)
		}
	}
	p := newProving(t, 2, fourValidators)
	p.seal(3)
	c := p.client(t, Options{})
	var old *StaleError
	if _, err := c.Params(within(t, time.Minute), ReadOptions{MaxAge: time.Minute}); !errors.As(err, &old) || errors.Is(err, ErrLie) {
		t.Errorf("an hour old: %v", err)
	}
	if _, err := c.ReadBlock(within(t, time.Minute), "", ReadOptions{MaxAge: time.Minute}); !errors.As(err, &old) {
		t.Errorf("a block that is an hour old: %v", err)
	}
	for _, o := range []ReadOptions{{MaxAge: 2 * time.Hour}, {MaxAge: time.Minute, Height: 1}, {}} {
		if got, err := c.Params(within(t, time.Minute), o); err != nil || got.Verified {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := c.ReadBlock(within(t, time.Minute), "", o); err != nil {
			t.Errorf("a block with %+v: %v", o, err)
		}
	}
	api := p.apis[1]
	p.servers[1].fails(func(w http.ResponseWriter, r *http.Request) { // this one is not behind
		out := httptest.NewRecorder()
		api.ServeHTTP(out, r)
		for name, values := range out.Header() {
			w.Header()[name] = values
		}
		w.Header().Set(rpc.HeaderAgeMS, "10")
		w.WriteHeader(out.Code)
		w.Write(out.Body.Bytes())
	})
	if _, err := c.Params(within(t, time.Minute), ReadOptions{MaxAge: time.Minute}); err != nil {
		t.Errorf("the young node was not found: %v", err)
	}
}
