package abci

import (
	"context"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"github.com/tetradledger/tetrad/app"
)

// ListSnapshots names the snapshots that peers can have. The manifest goes along: who restores needs it before
// the first chunk.
func (a *Application) ListSnapshots(context.Context, *abcitypes.RequestListSnapshots) (*abcitypes.ResponseListSnapshots, error) {
	response := &abcitypes.ResponseListSnapshots{}
	for _, m := range a.app.Snapshots() {
		hash := m.Hash()
		response.Snapshots = append(response.Snapshots, &abcitypes.Snapshot{
			Height: m.Height, Format: m.Format, Chunks: uint32(len(m.Chunks)), Hash: hash[:], Metadata: m.Append(nil),
		})
	}
	return response, nil
}

// offers are the app's answers in CometBFT's words.
var offers = map[app.Offer]abcitypes.ResponseOfferSnapshot_Result{
	app.OfferAbort:        abcitypes.ResponseOfferSnapshot_ABORT,
	app.OfferAccept:       abcitypes.ResponseOfferSnapshot_ACCEPT,
	app.OfferReject:       abcitypes.ResponseOfferSnapshot_REJECT,
	app.OfferRejectFormat: abcitypes.ResponseOfferSnapshot_REJECT_FORMAT,
	app.OfferRejectSender: abcitypes.ResponseOfferSnapshot_REJECT_SENDER,
}

// OfferSnapshot begins to restore a snapshot that peers have.
func (a *Application) OfferSnapshot(_ context.Context, req *abcitypes.RequestOfferSnapshot) (*abcitypes.ResponseOfferSnapshot, error) {
	s := req.Snapshot
	if s == nil {
		s = &abcitypes.Snapshot{}
	}
	answer, err := a.app.OfferSnapshot(app.OfferedSnapshot{
		Height: s.Height, Format: s.Format, Chunks: s.Chunks, Hash: s.Hash, Manifest: s.Metadata, Root: req.AppHash,
	})
	if err != nil {
		a.log.Warn("refusing a snapshot", "height", s.Height, "answer", offers[answer].String(), "reason", err)
	}
	return &abcitypes.ResponseOfferSnapshot{Result: offers[answer]}, nil
}

// LoadSnapshotChunk reads a chunk for a peer; none means that it is not there any more, or is damaged.
func (a *Application) LoadSnapshotChunk(_ context.Context, req *abcitypes.RequestLoadSnapshotChunk) (*abcitypes.ResponseLoadSnapshotChunk, error) {
	chunk, err := a.app.SnapshotChunk(req.Height, req.Format, req.Chunk)
	if err != nil {
		a.log.Warn("a peer asks for a chunk that cannot be read", "height", req.Height, "chunk", req.Chunk, "err", err)
		return &abcitypes.ResponseLoadSnapshotChunk{}, nil
	}
	return &abcitypes.ResponseLoadSnapshotChunk{Chunk: chunk}, nil
}

// applied are the app's answers in CometBFT's words.
var applied = map[app.Applied]abcitypes.ResponseApplySnapshotChunk_Result{
	app.ChunkAbort:          abcitypes.ResponseApplySnapshotChunk_ABORT,
	app.ChunkAccept:         abcitypes.ResponseApplySnapshotChunk_ACCEPT,
	app.ChunkRetry:          abcitypes.ResponseApplySnapshotChunk_RETRY,
	app.ChunkRejectSnapshot: abcitypes.ResponseApplySnapshotChunk_REJECT_SNAPSHOT,
}

// ApplySnapshotChunk takes in a chunk from a peer. The sender of a wrong one is named, so that CometBFT asks it
// for nothing more; RefetchChunks lets go of the chunk itself, which CometBFT would offer again from its own copy.
func (a *Application) ApplySnapshotChunk(_ context.Context, req *abcitypes.RequestApplySnapshotChunk) (*abcitypes.ResponseApplySnapshotChunk, error) {
	answer, err := a.app.ApplyChunk(req.Index, req.Chunk)
	response := &abcitypes.ResponseApplySnapshotChunk{Result: applied[answer]}
	if err != nil {
		a.log.Warn("refusing a chunk of a snapshot", "chunk", req.Index, "sender", req.Sender, "answer", response.Result.String(), "reason", err)
	}
	if answer == app.ChunkRetry {
		response.RefetchChunks = []uint32{req.Index}
		response.RejectSenders = []string{req.Sender}
	}
	return response, nil
}
