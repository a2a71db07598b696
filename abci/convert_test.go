package abci

import (
	"bytes"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmttypes "github.com/cometbft/cometbft/proto/tendermint/types"
	"pgregory.net/rapid"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// TestCodesRoundTrip: every code of the registry survives, and exactly the retryable ones are above the bound
// from which CometBFT lets the same bytes come again.
func TestCodesRoundTrip(t *testing.T) {
	for _, info := range ledger.Codes() {
		engine := engineCode(info.Code)
		if back := LedgerCode(engine); back != info.Code {
			t.Errorf("%s comes back as %v", info.Slug, back)
		}
		if (engine >= abcitypes.CodeTypeRetry) != info.Retryable {
			t.Errorf("%s has engine code %d, retryable is %v", info.Slug, engine, info.Retryable)
		}
		if (engine == abcitypes.CodeTypeOK) != (info.Code == ledger.CodeOK) {
			t.Errorf("%s has engine code %d", info.Slug, engine)
		}
	}
}

func TestValidatorUpdatesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := ledger.ValidatorUpdate{
			KeyType:   crypto.KeyEd25519,
			PublicKey: rapid.SliceOfN(rapid.Byte(), crypto.PublicKeySize, crypto.PublicKeySize).Draw(t, "key"),
			Power:     rapid.Uint64Range(0, ledger.ValidatorPowerMax).Draw(t, "power"),
		}
		u, err := toUpdate(v)
		if err != nil {
			t.Fatal(err)
		}
		// Through the engine's own encoding, as it goes into its stores.
		encoded, err := u.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var decoded abcitypes.ValidatorUpdate
		if err := decoded.Unmarshal(encoded); err != nil {
			t.Fatal(err)
		}
		back, err := fromUpdate(decoded)
		if err != nil || back.KeyType != v.KeyType || !bytes.Equal(back.PublicKey, v.PublicKey) || back.Power != v.Power {
			t.Fatalf("%+v came back as %+v, %v", v, back, err)
		}
	})
}

func TestValidatorUpdatesRefused(t *testing.T) {
	if _, err := toUpdate(ledger.ValidatorUpdate{KeyType: 9}); err == nil {
		t.Error("an unknown key type went through")
	}
	if _, err := toUpdate(ledger.ValidatorUpdate{KeyType: crypto.KeyEd25519, Power: ledger.ValidatorPowerMax}); err != nil {
		t.Errorf("the largest power: %v", err)
	}
	if _, err := toUpdate(ledger.ValidatorUpdate{KeyType: crypto.KeyEd25519, Power: ledger.ValidatorPowerMax + 1}); err == nil {
		t.Error("a power beyond the largest went through")
	}
	if out, err := toUpdates(nil); out != nil || err != nil {
		t.Errorf("no updates became %v, %v", out, err)
	}
	ed := cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Ed25519{Ed25519: make([]byte, 32)}}
	if _, err := fromUpdate(abcitypes.ValidatorUpdate{PubKey: ed, Power: -1}); err == nil {
		t.Error("a negative power came in")
	}
	secp := cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Secp256K1{Secp256K1: make([]byte, 33)}}
	if _, err := fromUpdate(abcitypes.ValidatorUpdate{PubKey: secp, Power: 1}); err == nil {
		t.Error("a key of another type came in")
	}
}

func TestTimesAndHeights(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.UTC)
	if got := timeMS(at); got != uint64(at.UnixMilli()) || got%1000 != 6 {
		t.Errorf("%v became %d", at, got)
	}
	if got := timeMS(time.Unix(0, 0)); got != 0 {
		t.Errorf("the epoch became %d", got)
	}
	for name, f := range map[string]func(){
		"before 1970":     func() { timeMS(time.UnixMilli(-1)) },
		"negative height": func() { heightOf(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestKindsOfMisbehaviour(t *testing.T) {
	seen := map[string]bool{}
	for number := range abcitypes.MisbehaviorType_name {
		seen[kindOf(abcitypes.MisbehaviorType(number))] = true
	}
	if len(seen) != len(abcitypes.MisbehaviorType_name) {
		t.Errorf("the engine knows kinds of misbehaviour that share a name here: %v", seen)
	}
}

func TestDecision(t *testing.T) {
	vote := func(address string, flag cmttypes.BlockIDFlag) abcitypes.VoteInfo {
		return abcitypes.VoteInfo{Validator: abcitypes.Validator{Address: []byte(address)}, BlockIdFlag: flag}
	}
	d := toDecision(&abcitypes.RequestFinalizeBlock{
		Height: 7, ProposerAddress: []byte("p"), Txs: [][]byte{{1}},
		DecidedLastCommit: abcitypes.CommitInfo{Round: 2, Votes: []abcitypes.VoteInfo{
			vote("a", cmttypes.BlockIDFlagCommit), vote("b", cmttypes.BlockIDFlagAbsent), vote("c", cmttypes.BlockIDFlagNil),
		}},
	})
	if d.Height != 7 || string(d.Proposer) != "p" || len(d.Txs) != 1 || len(d.LastCommit) != 3 || d.LastRound != 2 {
		t.Fatalf("decision is %+v", d)
	}
	// Voting for no block is taking part, too.
	if !d.LastCommit[0].Voted || d.LastCommit[1].Voted || !d.LastCommit[2].Voted {
		t.Errorf("votes are %+v", d.LastCommit)
	}
}
