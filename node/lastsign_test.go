package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// TestLastSignature: the state that a validator has written is taken, before and after each kind of signature,
// and any other height, round, step, signature or signed bytes are refused.
func TestLastSignature(t *testing.T) {
	dir := t.TempDir()
	keyPath, statePath := filepath.Join(dir, "key.json"), filepath.Join(dir, "state.json")
	key := cmted25519.GenPrivKey()
	pv := cmtprivval.NewFilePV(key, keyPath, statePath)
	pv.Save()
	load := func() error {
		_, err := loadValidator(keyPath, statePath, true)
		return err
	}
	if err := load(); err != nil {
		t.Fatalf("nothing signed yet: %v", err)
	}
	block := cmtproto.BlockID{Hash: make([]byte, 32), PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: make([]byte, 32)}}
	if err := pv.SignProposal("test", &cmtproto.Proposal{Type: cmtproto.ProposalType, Height: 16, Round: 1, PolRound: -1, BlockID: block, Timestamp: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := load(); err != nil {
		t.Errorf("after a proposal: %v", err)
	}
	for _, kind := range []cmtproto.SignedMsgType{cmtproto.PrevoteType, cmtproto.PrecommitType} {
		vote := cmtproto.Vote{Type: kind, Height: 16, Round: 1, BlockID: block, Timestamp: time.Now(), ValidatorAddress: key.PubKey().Address()}
		if err := pv.SignVote("test", &vote); err != nil {
			t.Fatal(err)
		}
		if err := load(); err != nil {
			t.Errorf("after a %s: %v", kind, err)
		}
	}
	good, err := os.ReadFile(statePath)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`"height": "16"`: `"height": "06"`, `"round": 1`: `"round": 0`, `"step": 3`: `"step": 2`, `"signature": "`: `"signature": "AAAA`,
		`"signbytes": "`: `"signbytes": "00`,
	} {
		bad := strings.Replace(string(good), from, to, 1)
		if bad == string(good) {
			t.Fatalf("%s is not in %s", from, good)
		}
		if err := os.WriteFile(statePath, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := load(); err == nil || !strings.Contains(err.Error(), statePath) {
			t.Errorf("%s for %s: %v", to, from, err)
		}
	}
}

// TestDamagedValidatorKey: a key file whose halves do not belong together is refused.
func TestDamagedValidatorKey(t *testing.T) {
	dir := t.TempDir()
	keyPath, statePath := filepath.Join(dir, "key.json"), filepath.Join(dir, "state.json")
	good, other := cmted25519.GenPrivKey(), cmted25519.GenPrivKey()
	for name, key := range map[string]struct {
		private, public []byte
		want            bool
	}{
		"whole":                  {good, good.PubKey().Bytes(), true},
		"another public key":     {good, other.PubKey().Bytes(), false},
		"another seed":           {append(append([]byte{}, other[:32]...), good[32:]...), good.PubKey().Bytes(), false},
		"another public half":    {append(append([]byte{}, good[:32]...), other[32:]...), other.PubKey().Bytes(), false},
		"without the public key": {good, nil, false},
	} {
		pv := cmtprivval.NewFilePV(cmted25519.PrivKey(key.private), keyPath, statePath)
		pv.Key.PubKey = nil
		if key.public != nil {
			pv.Key.PubKey = cmted25519.PubKey(key.public)
		}
		pv.Save()
		if _, err := loadValidator(keyPath, statePath, true); (err == nil) != key.want {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && !strings.Contains(err.Error(), keyPath) {
			t.Errorf("%s: the file is not named: %v", name, err)
		}
	}
}
