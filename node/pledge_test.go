package node

import (
	"errors"
	"path/filepath"
	"testing"

	cmtcrypto "github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// spySigner looks at what is noted at the moment when it is asked to sign, as somebody would who sees the signature
// first.
type spySigner struct {
	pledges *pledges
	seen    []uint64
	err     error
	closed  bool
}

func (s *spySigner) GetPubKey() (cmtcrypto.PubKey, error) {
	return cmted25519.GenPrivKey().PubKey(), nil
}

func (s *spySigner) SignVote(string, *cmtproto.Vote) error {
	s.seen = append(s.seen, s.pledges.highest.Load())
	return s.err
}

func (s *spySigner) SignProposal(string, *cmtproto.Proposal) error { return nil }

func (s *spySigner) Close() error {
	s.closed = true
	return nil
}

func someBlock() cmtproto.BlockID {
	return cmtproto.BlockID{Hash: make([]byte, 32), PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: make([]byte, 32)}}
}

func TestPrecommitsAreNotedBeforeTheyAreSigned(t *testing.T) {
	p := &pledges{}
	spy := &spySigner{pledges: p}
	signer := pledging{spy, p}
	for i, c := range []struct {
		vote cmtproto.Vote
		want uint64
	}{
		{cmtproto.Vote{Type: cmtproto.PrevoteType, Height: 5, BlockID: someBlock()}, 0},
		{cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 5}, 0}, // nil
		{cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 5, Round: 1, BlockID: someBlock()}, 5},
		{cmtproto.Vote{Type: cmtproto.PrevoteType, Height: 6, BlockID: someBlock()}, 5},
		{cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 6}, 5},
		{cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 6, BlockID: someBlock()}, 6},
		{cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 4, BlockID: someBlock()}, 6}, // never back
		{cmtproto.Vote{Type: cmtproto.PrecommitType, Height: -1, BlockID: someBlock()}, 6},
	} {
		if err := signer.SignVote("chain", &c.vote); err != nil {
			t.Fatal(err)
		}
		if got := spy.seen[len(spy.seen)-1]; got != c.want {
			t.Errorf("vote %d: %d was noted when it was signed, want %d", i, got, c.want)
		}
	}
	// A signature that was refused may have been made all the same, on the other side of a broken line.
	spy.err = errors.New("connection lost")
	if err := signer.SignVote("chain", &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 9, BlockID: someBlock()}); !errors.Is(err, spy.err) {
		t.Errorf("the signer's error became %v", err)
	}
	if p.highest.Load() != 9 {
		t.Errorf("%d is noted, want 9", p.highest.Load())
	}
	if err := signer.Close(); err != nil || !spy.closed {
		t.Errorf("the signer stays open: %v", err)
	}
	if err := (pledging{&cmttypes.MockPV{}, p}).Close(); err != nil {
		t.Errorf("a signer without a connection cannot be closed: %v", err)
	}
}

// TestPledgesAfterRestart loses the process after each vote of a validator, and starts it again from its files.
func TestPledgesAfterRestart(t *testing.T) {
	dir := t.TempDir()
	keyPath, statePath := filepath.Join(dir, "key.json"), filepath.Join(dir, "state.json")
	cmtprivval.GenFilePV(keyPath, statePath).Save()
	vote := func(kind cmtproto.SignedMsgType, height int64, round int32, block cmtproto.BlockID) *cmtproto.Vote {
		return &cmtproto.Vote{Type: kind, Height: height, Round: round, BlockID: block}
	}
	var released uint64 // precommits for blocks that are out of the house
	for i, v := range []*cmtproto.Vote{
		vote(cmtproto.PrevoteType, 7, 0, someBlock()),
		vote(cmtproto.PrecommitType, 7, 0, someBlock()),
		vote(cmtproto.PrevoteType, 7, 1, cmtproto.BlockID{}), // others may have committed 7 in round 0
		vote(cmtproto.PrecommitType, 7, 1, cmtproto.BlockID{}),
		vote(cmtproto.PrevoteType, 8, 0, someBlock()),
		vote(cmtproto.PrecommitType, 8, 0, someBlock()),
	} {
		file, err := loadValidator(keyPath, statePath, true)
		if err != nil {
			t.Fatal(err)
		}
		var p pledges
		p.begin(file.LastSignState, false, 0)
		if got := p.highest.Load(); got < released {
			t.Errorf("before vote %d: %d is noted after a restart, and %d was signed", i, got, released)
		}
		if err := (pledging{file, &p}).SignVote("chain", v); err != nil {
			t.Fatal(err)
		}
		if v.Type == cmtproto.PrecommitType && len(v.BlockID.Hash) > 0 {
			released = uint64(v.Height)
		}
	}
	var p pledges
	p.begin(cmtprivval.FilePVLastSignState{}, true, 41)
	if got := p.highest.Load(); got != 42 {
		t.Errorf("%d is noted of a signer that keeps its record elsewhere, want 42", got)
	}
}
