package app

import (
	"bytes"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// untilSnapshot waits until the snapshot of a height is finished, and nothing is being made.
func (r *replica) untilSnapshot(height uint64) {
	r.t.Helper()
	s := &r.app.snapshots
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		there := !s.making && slices.ContainsFunc(s.have, func(m store.Manifest) bool { return m.Height == height })
		s.mu.Unlock()
		if there {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("no snapshot of height %d", height)
		}
	}
}

// paid is the payment of a height. Each goes into a replay bucket of its own, and so into a chunk of its own.
func paid(h uint64) []byte {
	from := int(h) % testBench
	return sign(txSpec{key: key(from), to: account((from + 1) % testBench), amount: 1, nonce: h, until: testBegin + 50_000 + h*10_000})
}

// grow decides blocks up to a height, each with a payment, and waits for every snapshot on the way.
func (r *replica) grow(to uint64) {
	r.t.Helper()
	for h := r.height() + 1; h <= to; h++ {
		r.decide([][]byte{frame(paid(h))})
		if every := r.app.options.Snapshots.Interval; every > 0 && h%every == 0 {
			r.untilSnapshot(h)
		}
	}
}

func heights(list []store.Manifest) []uint64 {
	out := []uint64{}
	for _, m := range list {
		out = append(out, m.Height)
	}
	return out
}

// TestSnapshotInterval: a snapshot of every fifth height, offered when the headers above it are there; the newest two
// are kept, and one that somebody reads for a while longer.
func TestSnapshotInterval(t *testing.T) {
	var now atomic.Int64
	dir := t.TempDir()
	r := newReplica(t, func(o *Options) {
		o.Snapshots = SnapshotOptions{Dir: dir, Interval: 5, Keep: 2}
		o.Now = func() time.Time { return time.UnixMilli(testBegin + now.Load()) }
	})
	expect := func(when string, want ...uint64) {
		t.Helper()
		if got := heights(r.app.Snapshots()); !slices.Equal(got, want) {
			t.Errorf("%s: snapshots of heights %v are offered, want %v", when, got, want)
		}
	}
	r.grow(4)
	expect("at height 4")
	r.grow(7)
	expect("two heights above")
	r.grow(8)
	expect("three heights above", 5)
	r.grow(18)
	expect("when one is too many", 10, 15)
	if oldest := r.app.OldestSnapshot(); oldest != 10 {
		t.Errorf("the oldest is of height %d", oldest)
	}

	for _, bad := range []struct {
		height    uint64
		format, i uint32
	}{{5, 1, 0}, {10, 2, 0}, {10, 1, 1000}, {10, 1, store.SnapshotChunksMax}, {11, 1, 0}} {
		if chunk, err := r.app.SnapshotChunk(bad.height, bad.format, bad.i); err == nil {
			t.Errorf("chunk %+v has %d bytes", bad, len(chunk))
		}
	}
	if _, err := r.app.SnapshotChunk(10, store.SnapshotFormat, 0); err != nil {
		t.Fatal(err)
	}
	now.Add(snapshotInUse.Milliseconds() - 1)
	r.grow(28)
	expect("while one is read", 10, 15, 20, 25)
	now.Add(1)
	r.grow(33)
	expect("when it is not any more", 25, 30)

	again := newReplica(t, func(o *Options) { o.Snapshots = SnapshotOptions{Dir: dir, Interval: 5} })
	again.grow(4)
	if oldest := again.app.OldestSnapshot(); oldest != 25 {
		t.Errorf("after a restart the oldest is of height %d", oldest)
	}
}

// source is a replica with a snapshot and some more blocks.
type source struct {
	*replica
	manifest store.Manifest
	chunks   [][]byte
}

func newSource(t *testing.T) *source {
	t.Helper()
	r := newReplica(t, func(o *Options) { o.Snapshots = SnapshotOptions{Dir: t.TempDir(), Interval: 20} })
	r.grow(24)
	return r.source()
}

func (r *replica) source() *source {
	r.t.Helper()
	s := &source{replica: r, manifest: r.app.Snapshots()[0]}
	for i := range s.manifest.Chunks {
		chunk, err := r.app.SnapshotChunk(20, store.SnapshotFormat, uint32(i))
		if err != nil {
			r.t.Fatal(err)
		}
		s.chunks = append(s.chunks, chunk)
	}
	return s
}

func offerOf(m store.Manifest) OfferedSnapshot {
	h := m.Hash()
	return OfferedSnapshot{
		Height: m.Height, Format: m.Format, Chunks: uint32(len(m.Chunks)), Hash: h[:], Manifest: m.Append(nil), Root: slices.Clone(m.Root[:]),
	}
}

// newEmpty is a replica that a snapshot can be restored into.
func newEmpty(t *testing.T, doc *genesis.Doc, tell func(RestoreProgress)) *replica {
	t.Helper()
	opening := store.Options{Dir: filepath.Join(t.TempDir(), "ledger"), Genesis: doc.Hash(), FoldInterval: -1, DiskFreeMin: 1, DiskStopMin: 1}
	st, err := store.Open(opening)
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	o.Genesis, o.Store, o.Snapshots = doc, st, SnapshotOptions{Restore: opening, Restoring: tell}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &replica{t: t, app: a, self: o.SelfAddress}
}

// TestOffers: an offer that is wrong is refused for what it is, at each bound and one beyond.
func TestOffers(t *testing.T) {
	s := newSource(t)
	r := newEmpty(t, testDoc, nil)
	other := s.manifest
	other.Genesis[0] ^= 1
	for name, c := range map[string]struct {
		change func(*OfferedSnapshot)
		want   Offer
	}{
		"another format":             {func(o *OfferedSnapshot) { o.Format++ }, OfferRejectFormat},
		"as many chunks as there be": {func(o *OfferedSnapshot) { o.Chunks = store.SnapshotChunksMax }, OfferRejectSender},
		"one more":                   {func(o *OfferedSnapshot) { o.Chunks = store.SnapshotChunksMax + 1 }, OfferReject},
		"the longest manifest":       {func(o *OfferedSnapshot) { o.Manifest = make([]byte, store.ManifestBytesMax) }, OfferRejectSender},
		"one byte more":              {func(o *OfferedSnapshot) { o.Manifest = make([]byte, store.ManifestBytesMax+1) }, OfferReject},
		"no manifest":                {func(o *OfferedSnapshot) { o.Manifest = nil }, OfferRejectSender},
		"a manifest cut short":       {func(o *OfferedSnapshot) { o.Manifest = o.Manifest[:len(o.Manifest)-1] }, OfferRejectSender},
		"another height":             {func(o *OfferedSnapshot) { o.Height++ }, OfferRejectSender},
		"another number of chunks":   {func(o *OfferedSnapshot) { o.Chunks-- }, OfferRejectSender},
		"another hash":               {func(o *OfferedSnapshot) { o.Hash[3] ^= 1 }, OfferRejectSender},
		"another root":               {func(o *OfferedSnapshot) { o.Root[3] ^= 1 }, OfferRejectSender},
		"a root cut short":           {func(o *OfferedSnapshot) { o.Root = o.Root[1:] }, OfferAbort},
		"another chain":              {func(o *OfferedSnapshot) { *o = offerOf(other) }, OfferRejectSender},
	} {
		offered := offerOf(s.manifest)
		c.change(&offered)
		if got, err := r.app.OfferSnapshot(offered); got != c.want || err == nil {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	if got, err := r.app.ApplyChunk(0, s.chunks[0]); got != ChunkAbort || err == nil {
		t.Errorf("a chunk that nobody asked for: %v, %v", got, err)
	}
	if got, err := s.app.OfferSnapshot(offerOf(s.manifest)); got != OfferAbort || err == nil {
		t.Errorf("a replica that was not started for it: %v, %v", got, err)
	}
	if got, err := r.app.OfferSnapshot(offerOf(s.manifest)); got != OfferAccept || err != nil {
		t.Errorf("a good one after all these: %v, %v", got, err)
	}
}

// accept offers a good snapshot.
func (r *replica) accept(m store.Manifest) {
	r.t.Helper()
	if got, err := r.app.OfferSnapshot(offerOf(m)); got != OfferAccept {
		r.t.Fatalf("offer: %v, %v", got, err)
	}
}

func (r *replica) apply(i int, chunk []byte, want Applied) {
	r.t.Helper()
	if got, err := r.app.ApplyChunk(uint32(i), chunk); got != want || (err == nil) != (want == ChunkAccept) {
		r.t.Fatalf("chunk %d: %v, %v; want %v", i, got, err, want)
	}
}

// applyAll offers bad copies of each chunk before the good one.
func (r *replica) applyAll(s *source) {
	r.t.Helper()
	for i, chunk := range s.chunks {
		r.apply(i, nil, ChunkRetry)
		r.apply(i, flipped(chunk, 7), ChunkRetry)
		r.apply(i, chunk[:len(chunk)-1], ChunkRetry)
		r.apply(i, append(bytes.Clone(chunk), 0), ChunkRetry)
		if len(s.chunks) > 1 {
			r.apply(i, s.chunks[(i+1)%len(s.chunks)], ChunkRetry)
		}
		if r.app.Ready() {
			r.t.Fatalf("ready before chunk %d", i)
		}
		r.apply(i, chunk, ChunkAccept)
	}
}

// TestRestoringAgain: a snapshot of several chunks, of which some are in when the engine begins again.
func TestRestoringAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 90,000 accounts to fill more than one chunk")
	}
	spec := genesis.DevSpec("app-large", time.UnixMilli(testBegin), testDoc.Validators, "alice")
	spec.Bench = []genesis.Bench{{Seed: "app", Count: 90_000, Asset: "usd", Amount: "1.00"}}
	data, err := genesis.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	large := newReplica(t, func(o *Options) {
		o.Genesis, o.Snapshots = doc, SnapshotOptions{Dir: t.TempDir(), Interval: 20}
	})
	for range 23 {
		large.decide(nil)
	}
	large.untilSnapshot(20)
	s := large.source()
	if len(s.chunks) < 2 {
		t.Fatalf("the snapshot has %d chunks, %d bytes", len(s.chunks), s.manifest.Bytes())
	}
	r := newEmpty(t, doc, nil)
	for range 2 {
		r.accept(s.manifest)
		r.apply(0, s.chunks[0], ChunkAccept)
	}
	r.accept(s.manifest)
	r.applyAll(s)
	if head, ok := r.app.Head(); !ok || head.Root != s.manifest.Root {
		t.Errorf("restored %+v, %v", head, ok)
	}
}

// TestRestoring: chunks that are wrong are asked for again, a snapshot whose manifest lies is given up, and another
// one begins with nothing of it. What is restored goes on exactly as its source.
func TestRestoring(t *testing.T) {
	s := newSource(t)
	var told []RestoreProgress
	r := newEmpty(t, testDoc, func(p RestoreProgress) { told = append(told, p) })
	lie := s.manifest
	lie.Chunks = slices.Clone(lie.Chunks)
	lied := flipped(s.chunks[0], len(s.chunks[0])/2)
	lie.Chunks[0].Hash = crypto.Sum(lied)
	r.accept(lie)
	r.apply(0, lied, ChunkRejectSnapshot)
	r.accept(s.manifest)
	r.applyAll(s)
	if p := told[len(told)-1]; !p.Done || p.Height != 20 || p.Chunks != p.Of || p.Of != uint64(len(s.chunks)) || p.Bytes != s.manifest.Bytes() {
		t.Errorf("the last progress is %+v", p)
	}
	head, ok := r.app.Head()
	if !ok || head.Height != 20 || head.Root != s.manifest.Root || !r.app.Ready() || r.app.FirstHeight() != 20 {
		t.Fatalf("restored %+v, first height %d", head, r.app.FirstHeight())
	}
	if got, err := r.app.OfferSnapshot(offerOf(s.manifest)); got != OfferAbort || err == nil {
		t.Errorf("an offer to a ledger that has a state: %v, %v", got, err)
	}

	// It executes the blocks that its source did, and knows what was executed before the snapshot.
	twice := paid(18)
	if got := r.app.CheckTx(twice); got.Code != ledger.CodeDuplicate {
		t.Errorf("a transaction of height 18: %v", got.Code)
	}
	for h := uint64(21); h <= 24; h++ {
		txs := [][]byte{frame(paid(h), twice)}
		got := r.decide(txs)
		if code := got.TxResults[0].Code; code != 0 {
			t.Errorf("height %d: %d", h, code)
		}
		if o := r.outcome(idOf(paid(h))); o.Status != StatusCommitted || o.Receipt.Height != h {
			t.Errorf("height %d: %+v", h, o)
		}
	}
	want, err := s.app.ViewAt(24)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if now, _ := r.app.Head(); now.Root != want.Root() || now.Height != 24 {
		t.Errorf("the restored replica is at %d with root %s, its source has %s", now.Height, now.Root, want.Root())
	}
}
