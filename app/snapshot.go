package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/ledger/store"
)

// SnapshotOptions say which snapshots are made and kept, and how one is restored. The zero value does neither.
type SnapshotOptions struct {
	// Dir is where snapshots are; empty: none are made or offered.
	Dir string
	// Interval makes a snapshot at every multiple of this height, on every replica alike; zero: none is made.
	Interval uint64
	// Keep is how many of the newest stay; 2 by default. Those that somebody reads stay longer, up to as many as are
	// offered.
	Keep int
	// Restore is how to open the store that a snapshot is restored into, in the directory of the App's own, which
	// must be empty. Without a directory snapshots of others are refused.
	Restore store.Options
	// Restoring hears of the progress of a restore; nil hears nothing.
	Restoring func(RestoreProgress)
}

const (
	snapshotsKept = 2
	// snapshotsOffered is how many snapshots an engine tells its peers of.
	snapshotsOffered = 10
	// offerBehind is how far a snapshot must lie below the head before it is offered. Who restores it needs the
	// headers of the next two heights, and asks nodes for them that may be a block behind.
	offerBehind = 3
	// snapshotInUse is for how long a snapshot counts as being read after a chunk of it was.
	snapshotInUse = time.Minute
	// exportPause bounds the pauses of an export, which takes as long again as its work needs: blocks go first.
	exportPause = 50 * time.Millisecond
)

// snapshots makes and offers snapshots.
type snapshots struct {
	ctx    context.Context // ends with the App
	cancel context.CancelFunc
	work   sync.WaitGroup

	// mu is held for moments. It guards:
	mu     sync.Mutex
	making bool
	closed bool
	have   []store.Manifest     // in the directory, lowest height first
	read   map[uint64]time.Time // heights of which chunks were read, and when last
}

// openSnapshots finds the snapshots that are there. Damaged ones are left alone, and newer ones take their place.
func (a *App) openSnapshots() {
	s := &a.snapshots
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.read = map[uint64]time.Time{}
	if a.options.Snapshots.Dir == "" {
		return
	}
	have, err := store.Snapshots(a.options.Snapshots.Dir)
	if err != nil {
		a.log.Error("some snapshots cannot be offered", "err", err)
	}
	s.have = have
}

// close ends an export that is under way; what it wrote so far is not a snapshot and is swept by the next.
func (s *snapshots) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
}

// snapshot begins a snapshot of the height that was just committed, if it is due, and returns at once. The view
// is taken here, so that the height cannot leave memory before the work begins.
func (a *App) snapshot(height uint64) {
	o, s := &a.options.Snapshots, &a.snapshots
	if o.Dir == "" || o.Interval == 0 || height%o.Interval != 0 {
		return
	}
	s.mu.Lock()
	begin := !s.making && !s.closed
	if begin {
		s.making = true
		s.work.Add(1)
	}
	s.mu.Unlock()
	if !begin {
		a.log.Warn("no snapshot is made: the one before is not finished; choose a longer interval", "height", height)
		return
	}
	view := a.store().View()
	go func() {
		defer s.work.Done()
		defer view.Close()
		a.export(view)
		s.mu.Lock()
		s.making = false
		s.mu.Unlock()
	}()
}

// export makes one snapshot and drops those that are too many.
func (a *App) export(view *store.View) {
	o, s := &a.options.Snapshots, &a.snapshots
	began := a.options.Now()
	m, err := view.Export(s.ctx, o.Dir, gently(s.ctx))
	if errors.Is(err, context.Canceled) {
		return
	}
	if err == nil {
		err = store.DropSnapshots(o.Dir, s.keep(o.Keep, m.Height, a.options.Now()))
	}
	if err != nil {
		a.log.Error("making a snapshot failed", "height", view.Height(), "err", err)
	} else {
		a.log.Info("made a snapshot", "height", m.Height, "chunks", len(m.Chunks), "bytes", m.Bytes(), "took_ms", a.options.Now().Sub(began).Milliseconds())
	}
	have, err := store.Snapshots(o.Dir)
	if err != nil {
		a.log.Error("some snapshots cannot be offered", "err", err)
	}
	s.mu.Lock()
	s.have = have
	s.mu.Unlock()
}

// keep is how many snapshots stay when a newer one has come: one that somebody is reading would otherwise go in
// the middle of a large state.
func (s *snapshots) keep(least int, newest uint64, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 1 // the new one
	for i := len(s.have) - 1; i >= 0; i-- {
		height := s.have[i].Height
		if height == newest {
			continue
		}
		count++
		if at, read := s.read[height]; read && now.Sub(at) < snapshotInUse {
			least = max(least, count)
		} else {
			delete(s.read, height)
		}
	}
	return min(least, snapshotsOffered)
}

// gently makes work pause, whenever it reports progress, for as long as it has worked.
func gently(ctx context.Context) func(done, total uint64) {
	last := time.Now()
	return func(uint64, uint64) {
		select {
		case <-time.After(min(time.Since(last), exportPause)):
		case <-ctx.Done():
		}
		last = time.Now()
	}
}

// Snapshots are those that can be offered to others, lowest height first.
func (a *App) Snapshots() []store.Manifest {
	head, _ := a.Head()
	s := &a.snapshots
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.have)
	for n > 0 && s.have[n-1].Height+offerBehind > head.Height {
		n--
	}
	return s.have[max(0, n-snapshotsOffered):n]
}

// OldestSnapshot is the lowest height of which there is a snapshot; zero if there is none.
func (a *App) OldestSnapshot() uint64 {
	s := &a.snapshots
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.have) == 0 {
		return 0
	}
	return s.have[0].Height
}

// SnapshotChunk reads a chunk of a snapshot.
func (a *App) SnapshotChunk(height uint64, format uint32, i uint32) ([]byte, error) {
	if a.options.Snapshots.Dir == "" {
		return nil, store.ErrNoSnapshot
	}
	if format != store.SnapshotFormat {
		return nil, fmt.Errorf("snapshot format %d: only %d is made", format, store.SnapshotFormat)
	}
	if i >= store.SnapshotChunksMax {
		return nil, fmt.Errorf("chunk %d: a snapshot has at most %d", i, store.SnapshotChunksMax)
	}
	chunk, err := store.LoadChunk(a.options.Snapshots.Dir, height, int(i))
	if err != nil {
		return nil, err
	}
	s := &a.snapshots
	s.mu.Lock()
	s.read[height] = a.options.Now()
	s.mu.Unlock()
	return chunk, nil
}
