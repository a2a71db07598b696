package merkle

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// ledgerOf says what key i holds in a version, without having to remember any: the key was last set in
// the newest version that is due for it, and is deleted in every seventh of those.
func ledgerOf(version uint64, i int) string {
	period := uint64(2 + i%5)
	last := version - (version+uint64(i))%period
	if last == 0 || last > version || last/period%7 == 3 {
		return ""
	}
	return fmt.Sprint("key ", i, " of version ", last, fmt.Sprintf("%*d", i%400, i))
}

func ledgerChanges(version uint64, keys int) (changes []Change) {
	for i := range keys {
		if period := uint64(2 + i%5); (version+uint64(i))%period == 0 {
			changes = append(changes, change(fmt.Sprint("key", i), ledgerOf(version, i)))
		}
	}
	return changes
}

// TestReadersBesideWriter lets readers pin versions and check them slowly, while the writer stages,
// discards and commits as fast as it can. It means most under the race detector.
func TestReadersBesideWriter(t *testing.T) {
	const keys, readers = 300, 3
	versions := uint64(300)
	if testing.Short() {
		versions = 100
	}
	m := New()
	m.indexFrom, m.segmentBits = 1, 2
	var roots sync.Map // version to root, stored before the version is committed
	roots.Store(uint64(0), crypto.Hash{})
	var done atomic.Bool
	var checks atomic.Int64
	var wait sync.WaitGroup
	for range readers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for seed := 0; !done.Load() || seed == 0; seed++ {
				v := m.Current()
				if older, ok := m.At(v.Version() - 1); ok && seed%2 == 0 {
					v.Close()
					v = older
				}
				root, _ := roots.Load(v.Version())
				if v.Root() != root {
					t.Errorf("version %d has the root of another", v.Version())
				}
				for i := seed % 7; i < keys; i += 7 {
					checkKey(t, v, fmt.Sprint("key", i), ledgerOf(v.Version(), i), v.Root())
					checks.Add(1)
				}
				n := uint64(0)
				v.Range([32]byte{}, func(_, _ []byte) bool { n++; return true })
				if n != v.Len() {
					t.Errorf("version %d: %d of %d keys in order", v.Version(), n, v.Len())
				}
				v.Close()
				m.Stats()
			}
		}()
	}
	for version := uint64(1); version <= versions; version++ {
		aside := m.Stage(version, []Change{change("aside", fmt.Sprint(version))})
		s := m.Stage(version, ledgerChanges(version, keys))
		if version%2 == 0 {
			m.Discard(aside)
		}
		roots.Store(version, s.Root())
		m.Commit(s)
		if version%2 == 1 {
			m.Discard(aside)
		}
	}
	done.Store(true)
	wait.Wait()
	if checks.Load() == 0 {
		t.Fatal("no reader got to check anything")
	}
	audit(t, m, nil)
}

// TestMemoryUnderChurn: after the first versions the arenas stop growing, however long it goes on,
// whatever the values' sizes do, and while versions come and go as views pin them.
func TestMemoryUnderChurn(t *testing.T) {
	const keys = 2000
	m := New()
	var settled Stats
	var pinned *View
	for version := uint64(1); version <= 1000; version++ {
		m.Commit(m.Stage(version, ledgerChanges(version, keys)))
		if version%10 == 0 {
			if pinned != nil {
				pinned.Close()
			}
			pinned = m.Current()
		}
		if version == 100 {
			settled = m.Stats()
		}
	}
	end := m.Stats()
	if end.ArenaBytes > settled.ArenaBytes*5/4 {
		t.Errorf("the arenas grew from %d to %d bytes", settled.ArenaBytes, end.ArenaBytes)
	}
	if end.ArenaBytes > 4*(end.ValueBytes+end.Nodes*uint64(nodeBytes)) {
		t.Errorf("the arenas have %d bytes for %d bytes of values and %d nodes", end.ArenaBytes, end.ValueBytes, end.Nodes)
	}
	audit(t, m, nil)
}

// TestMemoryFollowsSizes: records that grow from one class to the next leave their old spans to the
// new class.
func TestMemoryFollowsSizes(t *testing.T) {
	const keys = 4000
	m := New()
	m.Keep(1)
	largest := uint64(0)
	for round := range 60 {
		size := 40 + 8*round // from 40 bytes to 512
		var changes []Change
		for i := range keys {
			changes = append(changes, Change{[]byte(fmt.Sprint("key", i)), make([]byte, size)})
			changes[i].Value[0] = byte(round)
		}
		m.Commit(m.Stage(uint64(round+1), changes))
		largest = max(largest, m.Stats().ArenaBytes)
	}
	// Two versions are in memory while one replaces the other, each of at most 540 bytes a record,
	// and some three nodes a key.
	if bound := uint64(keys * (2*540 + 4*nodeBytes) * 5 / 4); largest > bound {
		t.Errorf("the arenas had up to %d bytes, want at most %d", largest, bound)
	}
}

// TestPinnedForLong: a view costs what its version holds, not what happens meanwhile.
func TestPinnedForLong(t *testing.T) {
	const keys = 500
	m := New()
	m.Commit(m.Stage(1, ledgerChanges(1, keys)))
	for version := uint64(2); version < 10; version++ {
		m.Commit(m.Stage(version, ledgerChanges(version, keys)))
	}
	v := m.Current()
	alone := m.Stats()
	for version := uint64(10); version < 300; version++ {
		m.Commit(m.Stage(version, ledgerChanges(version, keys)))
		if s := m.Stats(); s.Nodes > 4*alone.Nodes || s.Versions != 3 && version > 11 {
			t.Fatalf("version %d: %d nodes in %d versions, %d when the view was taken", version, s.Nodes, s.Versions, alone.Nodes)
		}
	}
	for i := range keys {
		checkKey(t, v, fmt.Sprint("key", i), ledgerOf(9, i), v.Root())
	}
	v.Close()
	m.Commit(m.Stage(300, nil))
	m.Commit(m.Stage(301, nil))
	if s := m.Stats(); s.Versions != 2 || s.Nodes > 2*s.Leaves {
		t.Fatalf("after the view was closed: %+v", s)
	}
	audit(t, m, nil)
}

// TestPrefetch changes nothing that can be read, with an index and without.
func TestPrefetch(t *testing.T) {
	m, want := testMap(500)
	for range 2 {
		testPrefetch(t, m, want)
		m.indexFrom = 1
		m.Commit(m.Stage(m.current().number+1, nil))
	}
}

func testPrefetch(t *testing.T, m *Map, want model) {
	t.Helper()
	v := m.Current()
	defer v.Close()
	var keys [][]byte
	for i := range 1000 {
		keys = append(keys, []byte(fmt.Sprint("key", i)))
	}
	for _, n := range []int{0, 1, warmItems - 1, warmItems, warmItems + 1, len(keys)} {
		v.Prefetch(keys[:n])
	}
	checkView(t, v, want, nil)
}

// TestGetAllocatesNothing: reads are many.
func TestGetAllocatesNothing(t *testing.T) {
	m, _ := testMap(500)
	v := m.Current()
	defer v.Close()
	key := []byte("key1")
	if n := testing.AllocsPerRun(100, func() { v.Get(key) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
	changes := ledgerChanges(1, 200)
	m.Discard(m.Stage(2, changes))
	if n := testing.AllocsPerRun(100, func() { m.Discard(m.Stage(2, changes)) }); n > 6 {
		t.Errorf("staging %d changes allocates %v times", len(changes), n)
	}
}
