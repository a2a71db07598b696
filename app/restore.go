package app

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger/store"
)

// OfferedSnapshot is what peers say of a snapshot, and the root that the engine has verified for its height.
type OfferedSnapshot struct {
	Height uint64
	Format uint32
	Chunks uint32
	Hash   []byte
	// Manifest is what the peers sent with it.
	Manifest []byte
	// Root is the app hash of the height, from headers that the engine has verified.
	Root []byte
}

// Offer is what becomes of an offered snapshot.
type Offer int

// The answers to an offered snapshot.
const (
	OfferAbort        Offer = iota // none can be restored here
	OfferAccept                    // its chunks are wanted, in order
	OfferReject                    // not this one; others may do
	OfferRejectFormat              // none of this format
	OfferRejectSender              // whoever offers it lies: nothing of them is wanted any more
)

// Applied is what became of a chunk.
type Applied int

// The answers to a chunk.
const (
	ChunkAbort          Applied = iota // restoring has failed for good
	ChunkAccept                        // it is in
	ChunkRetry                         // it is wrong: it is wanted from somebody else, nothing more from its sender
	ChunkRejectSnapshot                // the snapshot is not of the verified state
)

// RestoreProgress says how far a restore is.
type RestoreProgress struct {
	Height uint64
	Chunks uint64 // verified and written
	Of     uint64
	Bytes  uint64
	Done   bool // the height is durable and served
}

// restoring is a restore under way. Snapshots are offered and applied by one goroutine of the engine.
type restoring struct {
	mu       sync.Mutex // held by Offer, Apply and close
	restore  *store.Restore
	progress RestoreProgress
	opened   *store.Store // what was restored, which the App closes
}

// OfferSnapshot begins to restore a snapshot, or says why not. One that was begun before is given up: nothing of
// it stays. The error is for the log, and tells more than the answer.
func (a *App) OfferSnapshot(s OfferedSnapshot) (Offer, error) {
	r := &a.restoring
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.options.Snapshots.Restore.Dir == "" {
		return OfferAbort, errors.New("this node was not started to restore a snapshot")
	}
	if head, ok := a.Head(); ok {
		return OfferAbort, fmt.Errorf("the ledger is at height %d: only an empty one is restored", head.Height)
	}
	m, answer, err := a.judgeSnapshot(s)
	if err != nil {
		return answer, err
	}
	if err := a.beginRestore(m, crypto.Hash(s.Root)); err != nil {
		return OfferAbort, fmt.Errorf("begin to restore height %d: %w", m.Height, err)
	}
	return OfferAccept, nil
}

// judgeSnapshot compares what is said of a snapshot with itself and with what is known. Whoever sends a manifest
// that does not fit, or one of another state, is lying: the height's root is verified.
func (a *App) judgeSnapshot(s OfferedSnapshot) (store.Manifest, Offer, error) {
	switch {
	case len(s.Root) != crypto.HashSize:
		return store.Manifest{}, OfferAbort, fmt.Errorf("the verified root has %d bytes", len(s.Root))
	case s.Format != store.SnapshotFormat:
		return store.Manifest{}, OfferRejectFormat, fmt.Errorf("its format is %d, this program reads %d", s.Format, store.SnapshotFormat)
	case s.Chunks > store.SnapshotChunksMax:
		return store.Manifest{}, OfferReject, fmt.Errorf("it has %d chunks, more than %d", s.Chunks, store.SnapshotChunksMax)
	case len(s.Manifest) > store.ManifestBytesMax:
		return store.Manifest{}, OfferReject, fmt.Errorf("its manifest has %d bytes, more than %d", len(s.Manifest), store.ManifestBytesMax)
	}
	m, err := store.DecodeManifest(s.Manifest)
	switch {
	case err != nil:
	case m.Height != s.Height:
		err = fmt.Errorf("its manifest is of height %d", m.Height)
	case uint64(len(m.Chunks)) != uint64(s.Chunks):
		err = fmt.Errorf("its manifest lists %d chunks, not %d", len(m.Chunks), s.Chunks)
	case string(s.Hash) != string(hashOf(m)):
		err = errors.New("its manifest has another hash")
	case m.Genesis != a.genesisHash:
		err = fmt.Errorf("it is of the chain of genesis %s", m.Genesis)
	case m.Root != crypto.Hash(s.Root):
		err = fmt.Errorf("its root is %s, that of the height is %x", m.Root, s.Root)
	}
	if err != nil {
		return store.Manifest{}, OfferRejectSender, err
	}
	return m, OfferAccept, nil
}

func hashOf(m store.Manifest) []byte {
	h := m.Hash()
	return h[:]
}

// beginRestore needs mu. The empty store gives up its directory to the restore; what was restored before and not
// finished goes.
func (a *App) beginRestore(m store.Manifest, root crypto.Hash) error {
	r, o := &a.restoring, a.options.Snapshots.Restore
	if r.restore != nil {
		err := r.restore.Abort()
		r.restore = nil
		if err != nil {
			return err
		}
	} else {
		a.ready.Store(false)
		if err := a.store().Close(); err != nil {
			return err
		}
		if err := os.RemoveAll(o.Dir); err != nil {
			return err
		}
	}
	restore, err := store.NewRestore(o, m, store.Trust{Root: root})
	if err != nil {
		return err
	}
	r.restore = restore
	r.progress = RestoreProgress{Height: m.Height, Of: uint64(len(m.Chunks))}
	a.tellRestoring()
	return nil
}

// ApplyChunk takes the next chunk of the snapshot that was accepted. Chunks come in order. The last one makes
// the restored height the App's. The error is for the log.
func (a *App) ApplyChunk(i uint32, chunk []byte) (Applied, error) {
	r := &a.restoring
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restore == nil {
		return ChunkAbort, errors.New("no snapshot is being restored")
	}
	err := r.restore.Apply(int(i), chunk)
	switch {
	case errors.Is(err, store.ErrBadChunk):
		return ChunkRetry, err
	case errors.Is(err, store.ErrBadSnapshot):
		return ChunkRejectSnapshot, err
	case err != nil:
		return ChunkAbort, err
	}
	r.progress.Chunks++
	r.progress.Bytes += uint64(len(chunk))
	if r.progress.Chunks == r.progress.Of {
		err := a.finishRestore()
		if errors.Is(err, store.ErrBadSnapshot) {
			return ChunkRejectSnapshot, err
		}
		if err != nil {
			return ChunkAbort, fmt.Errorf("finish restoring: %w", err)
		}
		r.progress.Done = true
	}
	a.tellRestoring()
	return ChunkAccept, nil
}

// tellRestoring needs mu.
func (a *App) tellRestoring() {
	if tell := a.options.Snapshots.Restoring; tell != nil {
		tell(a.restoring.progress)
	}
}

// finishRestore needs mu. From here on the App goes on as if it had executed the height.
func (a *App) finishRestore() error {
	r := &a.restoring
	head, err := r.restore.Finish()
	if err != nil {
		return err
	}
	r.restore = nil
	opened, err := store.Open(a.options.Snapshots.Restore)
	if err != nil {
		return err
	}
	if now, ok := opened.Head(); !ok || now != head {
		panic(fmt.Sprintf("app: restored %+v and opened %+v", head, now))
	}
	r.opened = opened
	a.current.Store(opened)
	a.pool.commit(head.Height, head.TimeMS, nil, nil)
	a.feed.jump(head.Height)
	a.ready.Store(true)
	return nil
}

// close closes what was restored. A restore that is not finished leaves nothing.
func (r *restoring) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restore != nil {
		return r.restore.Abort()
	}
	if r.opened == nil {
		return nil
	}
	return r.opened.Close()
}
