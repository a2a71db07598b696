package node

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	cmtconsensus "github.com/cometbft/cometbft/consensus"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// walStep is a record that CometBFT writes at each step, and that says its height and, in the round, which it is.
func walStep(height int64, which int32) cmttypes.EventDataRoundState {
	return cmttypes.EventDataRoundState{Height: height, Round: which, Step: "RoundStepPropose"}
}

func walBytes(t testing.TB, messages ...cmtconsensus.WALMessage) (out []byte) {
	t.Helper()
	for _, m := range messages {
		record, err := walRecord(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, record...)
	}
	return out
}

// replayed is what CometBFT's own log finds after the end of a height.
func replayed(t testing.TB, head string, height int64) (messages []string) {
	t.Helper()
	wal, err := cmtconsensus.NewWAL(head)
	if err != nil {
		t.Fatal(err)
	}
	wal.SetLogger(cmtlog.NewNopLogger())
	defer wal.Group().Close()
	from, found, err := wal.SearchForEndHeight(height, &cmtconsensus.WALSearchOptions{IgnoreDataCorruptionErrors: true})
	if err != nil || !found {
		t.Fatalf("the end of height %d: found %t, %v", height, found, err)
	}
	defer from.Close()
	for decoder := cmtconsensus.NewWALDecoder(from); ; {
		record, err := decoder.Decode()
		if err == io.EOF {
			return messages
		}
		if err != nil {
			t.Fatalf("after %d records: %v", len(messages), err)
		}
		m, err := cmtconsensus.WALToProto(record.Msg)
		if err != nil {
			t.Fatal(err)
		}
		if m.GetTimeoutInfo() != nil {
			continue // they bring a round to the step of a vote
		}
		if v := m.GetMsgInfo(); v != nil {
			messages = append(messages, fmt.Sprintf("vote %x", v.Msg.GetVote().Vote.Signature))
		} else {
			messages = append(messages, fmt.Sprint(record.Msg))
		}
	}
}

// signedVote is a validator that has signed a prevote for a block of nobody's.
func signedVote(t testing.TB, height int64) (*cmtprivval.FilePV, *cmtproto.Vote) {
	t.Helper()
	dir := t.TempDir()
	v := cmtprivval.NewFilePV(cmted25519.GenPrivKey(), filepath.Join(dir, "key"), filepath.Join(dir, "state"))
	signPrevote(t, v, "chain", height, 0)
	vote := lastVote(v.LastSignState)
	vote.ValidatorAddress = v.GetAddress()
	return v, vote
}

func signPrevote(t testing.TB, v *cmtprivval.FilePV, chain string, height int64, round int32) {
	t.Helper()
	vote := &cmtproto.Vote{Type: cmtproto.PrevoteType, Height: height, Round: round, Timestamp: time.Now().UTC(), BlockID: cmtproto.BlockID{
		Hash: bytes.Repeat([]byte{7}, 32), PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: bytes.Repeat([]byte{8}, 32)},
	}}
	if err := v.SignVote(chain, vote); err != nil {
		t.Fatal(err)
	}
}

// TestLastVote is about a vote made of the signed bytes: CometBFT verifies it.
func TestLastVote(t *testing.T) {
	v, proto := signedVote(t, 5)
	vote, err := cmttypes.VoteFromProto(proto)
	if err != nil {
		t.Fatal(err)
	}
	if err := vote.Verify("chain", v.Key.PubKey); err != nil {
		t.Error(err)
	}
	if vote.Height != 5 || vote.Type != cmtproto.PrevoteType || !vote.BlockID.IsComplete() {
		t.Errorf("got %v", vote)
	}
	nothing := v.LastSignState
	nothing.Step = stepPropose
	if got := lastVote(nothing); got != nil {
		t.Errorf("a proposal gave the vote %v", got)
	}
	proto.Type, proto.ValidatorAddress = cmtproto.PrecommitType, nil
	if err := v.SignVote("chain", proto); err != nil {
		t.Fatal(err)
	}
	if got := lastVote(v.LastSignState); got != nil {
		t.Errorf("a precommit for a block, which is nothing without its lock, gave %v", got)
	}
	none := &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 5, Round: 1}
	if err := v.SignVote("chain", none); err != nil {
		t.Fatal(err)
	}
	if got := lastVote(v.LastSignState); got == nil || got.Round != 1 {
		t.Errorf("a precommit for nothing gave %v", got)
	}
}

// TestMendWAL loses the mark of the last height, the last vote, and what was written last, in logs of random heights,
// records and files. What CometBFT then replays is what the model says: all that can be read of the next height, and
// the vote once.
func TestMendWAL(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		head := filepath.Join(t.TempDir(), "wal")
		last := int64(1 + rnd.IntN(5))
		_, vote := signedVote(t, last+1)
		ownMark, ownVote := rnd.IntN(2) == 0, rnd.IntN(2) == 0
		rotate := func() { // as CometBFT's group does
			if paths, err := walPaths(head); err != nil || len(paths) > 0 && os.Rename(head, fmt.Sprintf("%s.%03d", head, len(paths)-1)) != nil {
				t.Fatal("cannot rotate")
			}
		}
		var file []byte
		flush := func() {
			rotate()
			if err := os.WriteFile(head, file, 0o600); err != nil {
				t.Fatal(err)
			}
			file = nil
		}
		var want []string
		for h := int64(0); h <= last; h++ {
			if h < last || ownMark {
				file = append(file, walBytes(t, cmtconsensus.EndHeightMessage{Height: h})...)
			}
			for i := range int32(rnd.IntN(4)) {
				step := walStep(h+1, i)
				file = append(file, walBytes(t, step)...)
				if h == last {
					want = append(want, fmt.Sprint(step))
				}
				if rnd.IntN(6) == 0 {
					flush()
				}
			}
		}
		mine := fmt.Sprintf("vote %x", vote.Signature)
		if ownVote {
			record, err := walVote(vote)
			if err != nil {
				t.Fatal(err)
			}
			file = append(file, record...)
			want = append(want, mine)
		}
		torn := walBytes(t, walStep(last+1, 99))
		torn = torn[:rnd.IntN(len(torn))]
		if mended := !ownMark || !ownVote; mended { // else CometBFT cuts it
			file = append(file, torn...)
		}
		flush()

		done, err := mendWAL(head, last, vote)
		if err != nil {
			t.Fatal(err)
		}
		if missing := btoi(!ownMark) + btoi(!ownVote); len(done) != missing {
			t.Fatalf("%d were missing, and it says %q", missing, done)
		}
		if !ownVote {
			want = append(want, mine)
		}
		if got := replayed(t, head, last); !slices.Equal(got, want) {
			t.Fatalf("after height %d\n got %q\nwant %q", last, got, want)
		}
		if again, err := mendWAL(head, last, vote); err != nil || len(again) != 0 {
			t.Fatalf("mended once more: %q, %v", again, err)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestLogOfNothing leaves a log alone that CometBFT has yet to begin.
func TestLogOfNothing(t *testing.T) {
	head := filepath.Join(t.TempDir(), "cs.wal", "wal")
	if done, err := mendWAL(head, 0, nil); err != nil || len(done) != 0 {
		t.Errorf("%q, %v", done, err)
	}
	if _, err := os.Stat(filepath.Dir(head)); err == nil {
		t.Error("it made a directory")
	}
}

// FuzzMendWAL gives it files of anything: what it completes can be replayed.
func FuzzMendWAL(f *testing.F) {
	_, vote := signedVote(f, 3)
	f.Add(walBytes(f, cmtconsensus.EndHeightMessage{Height: 2}, walStep(3, 0)))
	f.Add(walBytes(f, cmtconsensus.EndHeightMessage{Height: 1}, walStep(2, 0), walStep(3, 0)))
	record, err := walVote(vote)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(walBytes(f, cmtconsensus.EndHeightMessage{Height: 2}), record...))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 9, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		head := filepath.Join(t.TempDir(), "wal")
		if err := os.WriteFile(head, data, 0o600); err != nil {
			t.Fatal(err)
		}
		done, err := mendWAL(head, 2, vote)
		if err != nil || len(done) == 0 {
			return
		}
		replayed(t, head, 2)
	})
}

// TestVoteThatWasNotLogged is a validator that died between signing a vote and logging it, and one that lost all of
// its log. It cannot vote otherwise in that round, and as the only one it would stand still for good.
func TestVoteThatWasNotLogged(t *testing.T) {
	for _, lost := range []string{"the prevote", "the precommit", "the log"} {
		t.Run(lost, func(t *testing.T) {
			n := newNetwork(t, 1, false)
			node := n.nodes[0]
			reaches := func(height uint64) {
				t.Helper()
				n.until(fmt.Sprintf("height %d", height), func() bool { return n.nodes[0].Height() >= height })
			}
			reaches(3)
			n.stop(0)
			height, round := node.Height(), int32(0)
			if last := node.validator.LastSignState; last.Height > int64(height) {
				round = last.Round + 1
			}
			signPrevote(t, node.validator, "test", int64(height)+1, round)
			if lost == "the precommit" {
				vote := &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: int64(height) + 1, Round: round}
				if err := node.validator.SignVote("test", vote); err != nil {
					t.Fatal(err)
				}
			}
			if lost == "the log" {
				if err := os.RemoveAll(filepath.Dir(node.config.Engine.Consensus.WalFile())); err != nil {
					t.Fatal(err)
				}
			}
			n.start(0, nil)
			reaches(height + 2)
		})
	}
}
