package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	cmtconsensus "github.com/cometbft/cometbft/consensus"
	cmtcstypes "github.com/cometbft/cometbft/consensus/types"
	cmtprotoio "github.com/cometbft/cometbft/libs/protoio"
	cmttempfile "github.com/cometbft/cometbft/libs/tempfile"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtcons "github.com/cometbft/cometbft/proto/tendermint/consensus"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// mendLog completes CometBFT's log of consensus before CometBFT replays it. Two things may be missing in it after a
// crash, and without either a validator does not know its own votes and locks of the height under way. It cannot vote
// again where it has voted, and would not hold to what it is locked on; when this happens to more than a third at
// once, as when the power of all of them fails, no round ever gets enough votes, and the network stands still for
// good.
//
// One is the mark that ends a height. The replay begins at it; but CometBFT writes it only when it ends a height in
// consensus, not when it executes the last block during its start or fetches blocks from others, and the log of the
// next height then stands there without it.
//
// The other is the last vote: it is signed, and the signature is in the validator's state, before it is logged and
// before anybody sees it.
func (n *Node) mendLog() error {
	state, err := n.env.StateStore.Load()
	if err != nil {
		return fmt.Errorf("read CometBFT's state: %w", err)
	}
	if state.IsEmpty() {
		return nil // a snapshot is to bring it
	}
	last := n.validator.LastSignState
	at, _ := state.Validators.GetByAddress(n.validator.GetAddress())
	var vote *cmtproto.Vote
	if at >= 0 && last.Height == state.LastBlockHeight+1 {
		vote = lastVote(last)
	}
	if vote != nil {
		vote.ValidatorAddress, vote.ValidatorIndex = n.validator.GetAddress(), at
	}
	done, err := mendWAL(n.config.Engine.Consensus.WalFile(), state.LastBlockHeight, vote)
	for _, what := range done {
		n.log.Info("completed CometBFT's log of consensus", "after_height", state.LastBlockHeight, "with", what)
	}
	return err
}

// lastVote is the vote that a validator signed last, without who it is, or nil if it signed something else, or a
// precommit for a block. That one stands for a lock, which the log must bring: sent without it, it could commit the
// block while this validator votes for another one. CometBFT signs the same once more when it sees the prevotes again,
// which are in the logs.
func lastVote(last cmtprivval.FilePVLastSignState) *cmtproto.Vote {
	var signed cmtproto.CanonicalVote
	if last.Step != stepPrevote && last.Step != stepPrecommit || cmtprotoio.UnmarshalDelimited(last.SignBytes, &signed) != nil {
		return nil
	}
	vote := &cmtproto.Vote{Type: signed.Type, Height: last.Height, Round: last.Round, Timestamp: signed.Timestamp, Signature: last.Signature}
	if id := signed.BlockID; id != nil {
		if signed.Type == cmtproto.PrecommitType {
			return nil
		}
		vote.BlockID = cmtproto.BlockID{Hash: id.Hash, PartSetHeader: cmtproto.PartSetHeader{Total: id.PartSetHeader.Total, Hash: id.PartSetHeader.Hash}}
	}
	return vote
}

// mendWAL puts the end of a height into the log with this newest file where it is missing, before all that is of the
// next height, and a vote for that height at the end where it is missing. If it adds something, what is damaged at the
// end of the newest file is left out, as CometBFT does, and a copy of the file stays beside it. It returns what it did,
// in words.
func mendWAL(head string, height int64, vote *cmtproto.Vote) (done []string, err error) {
	paths, err := walPaths(head)
	if err != nil || len(paths) == 0 && height == 0 && vote == nil {
		return nil, err
	}
	if !slices.Contains(paths, head) {
		paths = append(paths, head)
	}
	var (
		newest, first  *walFile // the head, and the one in which the next height begins
		marked, logged bool
	)
	for i := len(paths) - 1; i >= 0; i-- {
		f, err := readWAL(paths[i], height, vote)
		if err != nil {
			return nil, err
		}
		if newest == nil {
			newest = f
		}
		if f.next >= 0 {
			first = f
		}
		marked, logged = f.marked, logged || f.logged
		if f.ended {
			break // what comes before is of heights before this one
		}
	}
	if marked && (logged || vote == nil) {
		return nil, nil
	}
	if err := newest.cut(); err != nil {
		return nil, err
	}
	if !marked {
		if first == nil || first.next < 0 {
			first, newest.next = newest, len(newest.data)
		}
		mark, err := walRecord(cmtconsensus.EndHeightMessage{Height: height})
		if err != nil {
			return nil, err
		}
		first.data = slices.Insert(first.data, first.next, mark...)
		if err := first.write(); err != nil {
			return nil, err
		}
		done = append(done, fmt.Sprintf("the end of height %d", height))
	}
	if !logged && vote != nil {
		records, err := walVote(vote)
		if err != nil {
			return nil, err
		}
		newest.data = append(newest.data, records...)
		if err := newest.write(); err != nil {
			return nil, err
		}
		done = append(done, fmt.Sprintf("its own vote of round %d", vote.Round))
	}
	return done, nil
}

// walPaths lists the files of a log that exist, oldest first.
func walPaths(head string) ([]string, error) {
	found, err := filepath.Glob(head + ".[0-9]*")
	if err != nil {
		return nil, err
	}
	numbers := map[string]int{}
	for _, path := range found {
		if number, err := strconv.Atoi(filepath.Ext(path)[1:]); err == nil {
			numbers[path] = number
		}
	}
	paths := slices.SortedFunc(maps.Keys(numbers), func(a, b string) int { return numbers[a] - numbers[b] })
	if _, err := os.Stat(head); err == nil {
		paths = append(paths, head)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return paths, nil
}

// walFile is a file of the log. CometBFT begins a new one after ten megabytes.
type walFile struct {
	path   string
	data   []byte
	next   int  // where the first record of the next height begins, or -1
	damage int  // where the first that cannot be read begins, after the last end of a height, or -1
	marked bool // it has the end of the height
	ended  bool // it has the end of any height
	logged bool // it has the vote
}

// readWAL looks for the end of a height, for what is of the next one, and for a vote. A file that does not exist is
// empty.
func readWAL(path string, height int64, vote *cmtproto.Vote) (*walFile, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f := &walFile{path: path, data: data, next: -1, damage: -1}
	reader := bytes.NewReader(data)
	decoder := cmtconsensus.NewWALDecoder(reader)
	for {
		begin := len(data) - reader.Len()
		record, err := decoder.Decode()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			if f.damage < 0 {
				f.damage = begin
			}
			continue // as CometBFT does where it looks for the end of a height: a damaged record has its length still
		}
		message, err := cmtconsensus.WALToProto(record.Msg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if ends := message.GetEndHeight(); ends != nil {
			f.ended, f.damage = true, -1
			f.marked = f.marked || ends.Height == height
		} else if f.next < 0 && walHeight(message) == height+1 {
			f.next = begin
		}
		if info := message.GetMsgInfo(); info != nil && vote != nil {
			v := info.Msg.GetVote()
			f.logged = f.logged || v != nil && bytes.Equal(v.Vote.Signature, vote.Signature)
		}
	}
}

// walHeight is the height that a record is of, or 0.
func walHeight(m *cmtcons.WALMessage) int64 {
	switch sum := m.Sum.(type) {
	case *cmtcons.WALMessage_EventDataRoundState:
		return sum.EventDataRoundState.Height
	case *cmtcons.WALMessage_TimeoutInfo:
		return sum.TimeoutInfo.Height
	case *cmtcons.WALMessage_MsgInfo:
		switch message := sum.MsgInfo.Msg.Sum.(type) {
		case *cmtcons.Message_Proposal:
			return message.Proposal.Proposal.Height
		case *cmtcons.Message_BlockPart:
			return message.BlockPart.Height
		case *cmtcons.Message_Vote:
			return message.Vote.Vote.Height
		}
	}
	return 0
}

const walMode = 0o600

// cut leaves out the damage at the end, and keeps a copy with it.
func (f *walFile) cut() error {
	if f.damage < 0 {
		return nil
	}
	if err := os.WriteFile(f.path+".CORRUPTED", f.data, walMode); err != nil { // as CometBFT calls it
		return err
	}
	f.data = f.data[:f.damage:f.damage]
	if f.next >= f.damage {
		f.next = -1
	}
	return f.write()
}

// write replaces the file. A crash leaves the old one or the new one.
func (f *walFile) write() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	return cmttempfile.WriteFileAtomic(f.path, f.data, walMode)
}

// walRecord encodes a record of the log.
func walRecord(message cmtconsensus.WALMessage) ([]byte, error) {
	var out bytes.Buffer
	err := cmtconsensus.NewWALEncoder(&out).Encode(&cmtconsensus.TimedWALMessage{Time: time.Now(), Msg: message})
	return out.Bytes(), err
}

// walVote encodes a vote of one's own as records of the log: what brings a round to the step of the vote, and the vote.
// CometBFT looks at the votes it has when one is added in the step they are for, not when it comes to the step.
func walVote(vote *cmtproto.Vote) ([]byte, error) {
	var messages []*cmtcons.WALMessage
	timeout := func(round int32, step cmtcstypes.RoundStepType) {
		messages = append(messages, &cmtcons.WALMessage{Sum: &cmtcons.WALMessage_TimeoutInfo{
			TimeoutInfo: &cmtcons.TimeoutInfo{Height: vote.Height, Round: round, Step: uint32(step)},
		}})
	}
	timeout(0, cmtcstypes.RoundStepNewHeight)
	if vote.Round > 0 {
		timeout(vote.Round-1, cmtcstypes.RoundStepPrecommitWait)
	}
	timeout(vote.Round, cmtcstypes.RoundStepPropose)
	if vote.Type == cmtproto.PrecommitType {
		timeout(vote.Round, cmtcstypes.RoundStepPrevoteWait)
	}
	messages = append(messages, &cmtcons.WALMessage{Sum: &cmtcons.WALMessage_MsgInfo{
		MsgInfo: &cmtcons.MsgInfo{Msg: cmtcons.Message{Sum: &cmtcons.Message_Vote{Vote: &cmtcons.Vote{Vote: vote}}}},
	}})
	var out []byte
	for _, m := range messages {
		message, err := cmtconsensus.WALFromProto(m)
		if err != nil {
			return nil, fmt.Errorf("the last vote: %w", err)
		}
		record, err := walRecord(message)
		if err != nil {
			return nil, err
		}
		out = append(out, record...)
	}
	return out, nil
}
