package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
)

// clone lets a test try many chunks in one place.
func (a *assembly) clone() *assembly {
	c := *a
	state := *a.state
	c.state = &state
	if a.bucket != nil {
		bucket := *a.bucket
		c.bucket = &bucket
	}
	c.leaves = maps.Clone(a.leaves)
	return &c
}

func noWrite(part, bool) error { return nil }

// loadAll loads the chunks of a snapshot.
func loadAll(t testing.TB, dir string, m Manifest) [][]byte {
	t.Helper()
	var chunks [][]byte
	for i := range m.Chunks {
		chunk, err := LoadChunk(dir, m.Height, i)
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, chunk)
	}
	return chunks
}

// encodeParts makes a chunk of parts.
func encodeParts(parts []part) []byte {
	w := chunkWriter{max: SnapshotChunkBytesMax}
	out := []byte{chunkFormat, 0, 0}
	w.emit = func(chunk []byte) error { out = bytes.Clone(chunk); return nil }
	for _, p := range parts {
		w.add(p.kind, p.bucket, p.leaves)
	}
	if err := w.flush(); err != nil {
		panic(err)
	}
	return out
}

// lies are chunks of the right form that say something else than the true one.
func lies(t testing.TB, chunk []byte, rng *rand.Rand) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	lie := func(name string, change func(parts []part) []part) {
		parts, err := decodeChunk(bytes.Clone(chunk))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = encodeParts(change(parts))
	}
	parts, err := decodeChunk(chunk)
	if err != nil {
		t.Fatal(err)
	}
	lie("no parts", func([]part) []part { return nil })
	lie("a part more", func(parts []part) []part { return append(parts, parts[0]) })
	for i := range parts {
		at := fmt.Sprintf(" %d of %d", i, len(parts))
		n := len(parts[i].leaves.Leaves)
		l := rng.IntN(n)
		if i < len(parts)-1 {
			lie("drop part"+at, func(parts []part) []part { return slices.Delete(parts, i, i+1) })
			lie("swap part"+at, func(parts []part) []part { parts[i], parts[i+1] = parts[i+1], parts[i]; return parts })
		}
		lie("double part"+at, func(parts []part) []part { return slices.Insert(parts, i, parts[i]) })
		lie("other kind"+at, func(parts []part) []part { parts[i].kind ^= 1; parts[i].bucket = uint64(parts[i].kind); return parts })
		lie("other bucket"+at, func(parts []part) []part {
			parts[i].kind = partReplay
			parts[i].bucket++
			return parts
		})
		lie("drop leaf"+at, func(parts []part) []part {
			r := parts[i].leaves
			r.Leaves = slices.Delete(r.Leaves, l, l+1)
			return parts
		})
		lie("change value"+at, func(parts []part) []part { parts[i].leaves.Leaves[l].Value[0] ^= 1; return parts })
		lie("change key"+at, func(parts []part) []part { parts[i].leaves.Leaves[l].Key[0] ^= 0x20; return parts })
		lie("add leaf"+at, func(parts []part) []part {
			r := parts[i].leaves
			r.Leaves = slices.Insert(r.Leaves, l, merkle.Leaf{Key: []byte("money"), Value: []byte("much")})
			return parts
		})
	}
	return out
}

// TestLyingChunks gives the verifier of chunks, in every place of a snapshot, thousands of others than the right
// one: changed in form, in content, cut, swapped, left out.
func TestLyingChunks(t *testing.T) {
	m := newModel(21, 12, 12)
	dir, snapshot := exported(t, m, 12, false)
	chunks := loadAll(t, dir, snapshot)
	rng := rand.New(rand.NewPCG(testSeed(t), 1))
	a := newAssembly(snapshot.Root)
	refused := 0
	refuse := func(i int, name string, chunk []byte) {
		t.Helper()
		c := a.clone()
		err := c.take(chunk, noWrite)
		if err == nil {
			t.Fatalf("chunk %d of %d is accepted after: %s", i, len(chunks), name)
		}
		if !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("chunk %d, %s: %v", i, name, err)
		}
		refused++
	}
	for i, chunk := range chunks {
		for _, j := range []int{i - 1, i + 1, rng.IntN(len(chunks)), rng.IntN(len(chunks)), 0, len(chunks) - 1} {
			if j != i && j >= 0 && j < len(chunks) {
				refuse(i, fmt.Sprintf("being chunk %d", j), chunks[j])
			}
		}
		for name, lie := range lies(t, chunk, rng) {
			refuse(i, name, lie)
		}
		for range 8 {
			bad := bytes.Clone(chunk)
			at := rng.IntN(len(bad) * 8)
			bad[at/8] ^= 1 << (at % 8)
			refuse(i, fmt.Sprintf("flip of bit %d", at), bad)
			refuse(i, "cut", chunk[:rng.IntN(len(chunk))])
		}
		refuse(i, "a byte more", append(bytes.Clone(chunk), 0))
		lessIsMissed(t, a, chunks, i)
		if err := a.complete(snapshot); err == nil {
			t.Fatalf("the snapshot is complete before chunk %d of %d", i, len(chunks))
		}
		if err := a.take(chunk, noWrite); err != nil {
			t.Fatalf("chunk %d: %v", i, err)
		}
	}
	if err := a.complete(snapshot); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m *Manifest){
		"leaves":  func(m *Manifest) { m.Leaves++ },
		"records": func(m *Manifest) { m.Records-- },
	} {
		bad := snapshot
		change(&bad)
		if err := a.complete(bad); !errors.Is(err, ErrBadSnapshot) {
			t.Errorf("a manifest with other %s: %v", name, err)
		}
	}
	t.Logf("%d chunks refused", refused)
}

// lessIsMissed leaves out the end of a chunk, which is true as far as it goes: what comes next is refused then.
func lessIsMissed(t *testing.T, a *assembly, chunks [][]byte, i int) {
	t.Helper()
	parts, err := decodeChunk(bytes.Clone(chunks[i]))
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) < 2 {
		return
	}
	c := a.clone()
	if err := c.take(encodeParts(parts[:len(parts)-1]), noWrite); err != nil {
		t.Fatalf("a beginning of chunk %d: %v", i, err)
	}
	if i+1 < len(chunks) {
		if err := c.take(chunks[i+1], noWrite); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("chunk %d is taken behind a beginning of chunk %d: %v", i+1, i, err)
		}
	} else if err := c.complete(Manifest{}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Fatalf("the snapshot is complete without the end of its last chunk: %v", err)
	}
}

// TestRestoreRefuses restores from peers that send wrong chunks and tell wrong things of them.
func TestRestoreRefuses(t *testing.T) {
	m := newModel(22, 12, 12)
	dir, snapshot := exported(t, m, 12, false)
	chunks := loadAll(t, dir, snapshot)
	o := testOptions(filepath.Join(t.TempDir(), "store"))
	r, err := NewRestore(o, snapshot, trusted(m, 12))
	if err != nil {
		t.Fatal(err)
	}
	for i, chunk := range chunks {
		bad := bytes.Clone(chunk)
		bad[len(bad)/2] ^= 1
		for name, wrong := range map[string][]byte{
			"changed": bad, "cut": chunk[:len(chunk)-1], "empty": nil, "longer": append(bytes.Clone(chunk), 0), "another": chunks[(i+1)%len(chunks)],
		} {
			if err := r.Apply(i, wrong); !errors.Is(err, ErrBadChunk) || errors.Is(err, ErrBadSnapshot) {
				t.Fatalf("chunk %d, %s: %v", i, name, err)
			}
		}
		for _, turn := range []int{i - 1, i + 1, -1, len(chunks)} {
			if err := r.Apply(turn, chunk); err == nil || errors.Is(err, ErrBadChunk) || errors.Is(err, ErrBadSnapshot) {
				t.Fatalf("chunk %d in the turn of %d: %v", turn, i, err)
			}
		}
		if r.Next() != i {
			t.Fatalf("next is %d, want %d", r.Next(), i)
		}
		if err := r.Apply(i, chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := r.Abort(); err != nil {
		t.Fatal(err)
	}
	m.checkRestored(t, openStore(t, o), 12, 12)
	if _, err := NewRestore(o, snapshot, trusted(m, 12)); err == nil {
		t.Fatal("a restore into a store that is open")
	}
}

// TestRestoreStopsAtLies lets the manifest say what a lying chunk needs: then the root alone refuses it. The
// directory can be used for a better snapshot afterwards.
func TestRestoreStopsAtLies(t *testing.T) {
	m := newModel(23, 12, 12)
	dir, snapshot := exported(t, m, 12, false)
	chunks := loadAll(t, dir, snapshot)
	o := testOptions(filepath.Join(t.TempDir(), "store"))
	last := len(chunks) - 1
	forged := func(i int, chunk []byte) Manifest {
		f := snapshot
		f.Chunks = slices.Clone(f.Chunks)
		f.Chunks[i] = ChunkInfo{Bytes: uint32(len(chunk)), Hash: crypto.Sum(chunk)}
		return f
	}
	bad := bytes.Clone(chunks[last])
	bad[len(bad)-1] ^= 1
	r, err := NewRestore(o, forged(last, bad), trusted(m, 12))
	if err != nil {
		t.Fatal(err)
	}
	for i := range last {
		if err := r.Apply(i, chunks[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Apply(last, bad); !errors.Is(err, ErrBadSnapshot) {
		t.Fatalf("a forged chunk: %v", err)
	}
	if err := r.Apply(last, chunks[last]); !errors.Is(err, ErrBadSnapshot) {
		t.Fatalf("a chunk after a forged one: %v", err)
	}
	if _, err := r.Finish(); !errors.Is(err, ErrBadSnapshot) {
		t.Fatalf("finish after a forged chunk: %v", err)
	}
	if err := r.Abort(); err != nil {
		t.Fatal(err)
	}
	if names := dirNames(t, o.Dir); !slices.Equal(names, []string{"store.lock"}) {
		t.Fatalf("a restore that was given up left %v", names)
	}
	short := snapshot
	short.Chunks = short.Chunks[:last]
	if r, err = NewRestore(o, short, trusted(m, 12)); err != nil {
		t.Fatal(err)
	}
	applyChunks(t, r, dir, short)
	if _, err := r.Finish(); !errors.Is(err, ErrBadSnapshot) {
		t.Fatalf("a snapshot without its last chunk: %v", err)
	}
	if err := r.Abort(); err != nil {
		t.Fatal(err)
	}
	believeNothing(t, o, m, snapshot)
	restore(t, o, dir, snapshot, trusted(m, 12))
	m.checkRestored(t, openStore(t, o), 12, 12)
}

// believeNothing begins restores with manifests that say something else than what is known.
func believeNothing(t *testing.T, o Options, m *model, snapshot Manifest) {
	t.Helper()
	for name, change := range map[string]func(m *Manifest, o *Options, trust *Trust){
		"root":      func(_ *Manifest, _ *Options, trust *Trust) { trust.Root[0] ^= 1 },
		"time":      func(m *Manifest, _ *Options, _ *Trust) { m.TimeMS++ },
		"genesis":   func(m *Manifest, _ *Options, _ *Trust) { m.Genesis[0] ^= 1 },
		"height":    func(m *Manifest, _ *Options, _ *Trust) { m.Height = 0 },
		"chunks":    func(m *Manifest, _ *Options, _ *Trust) { m.Chunks = nil },
		"format":    func(m *Manifest, _ *Options, _ *Trust) { m.Format++ },
		"in memory": func(_ *Manifest, o *Options, _ *Trust) { o.Dir, o.InMemory = "", true },
	} {
		bad, options, trust := snapshot, o, trusted(m, 12)
		change(&bad, &options, &trust)
		if _, err := NewRestore(options, bad, trust); err == nil || name != "in memory" && !errors.Is(err, ErrBadSnapshot) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// TestRestoreIntoUsed begins restores where a store is, or was.
func TestRestoreIntoUsed(t *testing.T) {
	m := newModel(24, 12, 0)
	dir, snapshot := exported(t, m, 12, false)
	o := testOptions(filepath.Join(t.TempDir(), "store"))
	s := openStore(t, o)
	m.initStore(t, s)
	commitRecord(t, s, m.records[1])
	if _, err := NewRestore(o, snapshot, trusted(m, 12)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("restore into an open store: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewRestore(o, snapshot, trusted(m, 12)); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restore over a store: %v", err)
	}
	m.check(t, openStore(t, o), 1, nil)

	o = testOptions(filepath.Join(t.TempDir(), "half"))
	r, err := NewRestore(o, snapshot, trusted(m, 12))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil {
		t.Error("a store opens while it is restored")
	}
	if err := r.Abort(); err != nil {
		t.Fatal(err)
	}
	restore(t, o, dir, snapshot, trusted(m, 12))
	m.checkRestored(t, openStore(t, o), 12, 12)
}

// TestTimeUnknown restores without a known time, from a manifest whose time is a lie. Which replay buckets can
// still grow does not depend on it: the chain goes on as everywhere, and the first block brings the true time.
func TestTimeUnknown(t *testing.T) {
	m := newModel(25, 40, 0)
	dir, snapshot := exported(t, m, 25, true)
	for _, lie := range []uint64{1, snapshot.TimeMS + 1<<40} {
		told := snapshot
		told.TimeMS = lie
		o := testOptions(filepath.Join(t.TempDir(), "store"))
		r, err := NewRestore(o, told, Trust{Root: m.roots[25]})
		if err != nil {
			t.Fatal(err)
		}
		applyChunks(t, r, dir, snapshot)
		if _, err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, o)
		for _, record := range m.records[26:] {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
			commitRecord(t, s, record)
		}
		if head, _ := s.Head(); head.Root != m.roots[m.height()] {
			t.Fatalf("root is %s, want %s", head.Root, m.roots[m.height()])
		}
	}
}

// TestChunkLimits decodes chunks and manifests just within the bounds and just beyond them.
func TestChunkLimits(t *testing.T) {
	long := make([]byte, SnapshotChunkBytesMax+1)
	long[0], long[2] = chunkFormat, 1
	for n, want := range map[int]bool{SnapshotChunkBytesMax: false, SnapshotChunkBytesMax + 1: true} {
		_, err := decodeChunk(long[:n])
		if err == nil || strings.Contains(err.Error(), "more than") != want {
			t.Errorf("a chunk of %d bytes: %v", n, err)
		}
	}
	m := Manifest{Format: SnapshotFormat, Height: maxHeight - 1, Leaves: 1, Chunks: make([]ChunkInfo, SnapshotChunksMax)}
	for i := range m.Chunks {
		m.Chunks[i].Bytes = SnapshotChunkBytesMax
	}
	b := m.Append(nil)
	if _, err := DecodeManifest(b); err != nil || len(b) != ManifestBytesMax {
		t.Errorf("the largest manifest, of %d bytes: %v", len(b), err)
	}
	more := m
	more.Chunks = append(slices.Clone(m.Chunks), m.Chunks[0])
	larger := m
	larger.Chunks = []ChunkInfo{{Bytes: SnapshotChunkBytesMax + 1}}
	higher := m
	higher.Height++
	nothing := m
	nothing.Leaves = 0
	for i, bad := range []Manifest{more, larger, higher, nothing} {
		if _, err := DecodeManifest(bad.Append(nil)); err == nil {
			t.Errorf("manifest %d beyond the bounds is accepted", i)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	_, m := exported(f, newModel(26, 3, 0), 3, false)
	f.Add(m.Append(nil))
	m.Chunks = make([]ChunkInfo, 3)
	for i := range m.Chunks {
		m.Chunks[i] = ChunkInfo{Bytes: uint32(i + 1), Hash: crypto.Hash{byte(i)}}
	}
	f.Add(m.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(b)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Append(nil), b) {
			t.Fatal("a manifest has two encodings")
		}
	})
}

func FuzzDecodeChunk(f *testing.F) {
	m := newModel(27, 12, 0)
	dir, snapshot := exported(f, m, 12, false)
	root := m.roots[12]
	for _, chunk := range loadAll(f, dir, snapshot) {
		f.Add(chunk)
		f.Add(chunk[:len(chunk)/2])
	}
	f.Add(binary.BigEndian.AppendUint16([]byte{chunkFormat}, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := decodeChunk(b)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeParts(parts), b) {
			t.Fatal("a chunk has two encodings")
		}
		a := newAssembly(root)
		_ = a.take(b, func(p part, _ bool) error {
			for _, l := range p.leaves.Leaves {
				want, known := m.states[12][string(l.Key)]
				if p.kind == partReplay {
					want, known = m.buckets[p.bucket][string(l.Key)]
				}
				if !known || !bytes.Equal(want, l.Value) {
					t.Fatalf("a chunk shows %x under key %x, there is %x", l.Value, l.Key, want)
				}
			}
			return nil
		})
	})
}
