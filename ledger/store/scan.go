package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/dgraph-io/badger/v4"
)

// ErrScanBounds says that a scan was asked for no key at all, or for more than one scan returns.
var ErrScanBounds = errors.New("a scan returns between 1 and 4096 keys")

// Scan lists keys of the state that begin with prefix and come after another, in order, at most n: what is
// missing behind them begins after next, which is nil when nothing is. A scan looks at a bounded number of keys,
// those that were deleted included, so it may return less than n, even nothing, and a next. The tree in
// memory is not in the order of keys and is not touched: keys come from flat keys and change records. Replay
// records cannot be listed.
func (v *View) Scan(prefix, after []byte, n int) (keys [][]byte, next []byte, err error) {
	if n < 1 || n > scanKeysMax {
		return nil, nil, ErrScanBounds
	}
	c := newScan(prefix, after)
	if base, durable := v.s.baseOf(v.head.Height); durable {
		err = v.s.scan(c, base, v.head.Height)
	} else {
		v.scanTree(c)
	}
	if err != nil {
		return nil, nil, err
	}
	keys, next = c.page(n)
	return keys, next, nil
}

// baseOf is the boundary that a height is read from: flat keys below it, and change records from it on. durable
// is false while nothing is on disk yet.
func (s *Store) baseOf(height uint64) (base uint64, durable bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, b := range s.bounds {
		if b > height+1 {
			break
		}
		base = b
	}
	return base, s.durable
}

// scan fills a collection from change records, the newest first, and from the flat keys below them.
func (s *Store) scan(c *scanned, base, height uint64) error {
	err := s.read(newest, func(txn *reader) error {
		heads, err := s.heads(txn, base, height, math.MaxInt)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(heads) {
			if err := c.record(txn, e); err != nil {
				return err
			}
		}
		if base == 0 {
			return nil
		}
		return c.flat(s.db.keys, base-1)
	})
	if err != nil {
		err = fmt.Errorf("list keys at height %d: %w", height, err)
	}
	// What was read is whole unless the height was given up meanwhile.
	return s.orPruned(height, err)
}

// scanTree fills a collection from the genesis state, which is only in memory until the first commit.
func (v *View) scanTree(c *scanned) {
	v.tree.Range([32]byte{}, func(key, _ []byte) bool {
		if bytes.HasPrefix(key, c.prefix) && bytes.Compare(key, c.from) >= 0 {
			c.note(key, true)
		}
		return true
	})
}

// scanned collects the smallest keys of a range from several sources, the newest first.
type scanned struct {
	prefix []byte
	from   []byte          // the smallest key that counts
	live   map[string]bool // by key: whether it is there, as the newest source says
	// horizon is up to where the collection is complete, this key included; nil: to the end of the range.
	horizon []byte
}

func newScan(prefix, after []byte) *scanned {
	c := &scanned{prefix: prefix, from: prefix, live: make(map[string]bool)}
	if bytes.Compare(after, prefix) >= 0 {
		c.from = append(bytes.Clone(after), 0) // the key that follows it
	}
	return c
}

// beyond reports whether a key lies behind what is collected.
func (c *scanned) beyond(key []byte) bool {
	return !bytes.HasPrefix(key, c.prefix) || c.horizon != nil && bytes.Compare(key, c.horizon) > 0
}

// note adds what a source says of a key, unless a newer one spoke of it.
func (c *scanned) note(key []byte, live bool) {
	if _, known := c.live[string(key)]; known {
		return
	}
	c.live[string(key)] = live
	if len(c.live) == 2*scanKeysMax {
		c.trim()
	}
}

// trim keeps the smaller half of what is collected, so that memory stays bounded whatever the blocks hold.
func (c *scanned) trim() {
	keys := c.sorted()
	for _, key := range keys[scanKeysMax:] {
		delete(c.live, key)
	}
	c.horizon = []byte(keys[scanKeysMax-1])
}

func (c *scanned) sorted() []string {
	keys := make([]string, 0, len(c.live))
	for key := range c.live {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// record adds the changes that a height made to keys in the range.
func (c *scanned) record(txn *reader, e headEntry) error {
	first := sort.Search(len(e.Firsts), func(i int) bool { return bytes.Compare(e.Firsts[i], c.from) > 0 })
	for i := max(first, 1) - 1; i < len(e.Firsts); i++ {
		if i >= first && c.beyond(e.Firsts[i]) {
			return nil
		}
		more := true
		err := readValue(txn, recordKey(e.Height, e.Root, sectionState, uint32(i)), func(chunk []byte) (err error) {
			more, err = c.chunk(chunk)
			return err
		})
		if err != nil {
			return fmt.Errorf("read change record %d: %w", e.Height, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// chunk adds one chunk of changes; more says that the range may go on in the next.
func (c *scanned) chunk(chunk []byte) (more bool, err error) {
	for len(chunk) > 0 {
		key, value, rest, err := nextItem(chunk)
		if err != nil {
			return false, err
		}
		chunk = rest
		switch {
		case bytes.Compare(key, c.from) < 0:
		case c.beyond(key):
			return false, nil
		default:
			c.note(key, value != nil)
		}
	}
	return true, nil
}

// flat adds the flat keys as of a height that is a boundary's, a bounded number of them.
func (c *scanned) flat(db *badger.DB, height uint64) error {
	txn := db.NewTransactionAt(flatTime(height), false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: flatKey(c.prefix)})
	defer it.Close()
	seen := 0
	for it.Seek(flatKey(c.from)); it.Valid(); it.Next() {
		key := it.Item().Key()[1:]
		if c.beyond(key) {
			return nil
		}
		c.note(key, it.Item().ValueSize() > 0) // a deleted key has an empty value
		if seen++; seen == scanKeysMax {
			c.horizon = bytes.Clone(key)
			return nil
		}
	}
	return nil
}

// page takes the first n keys that are there.
func (c *scanned) page(n int) (keys [][]byte, next []byte) {
	for _, key := range c.sorted() {
		if c.beyond([]byte(key)) {
			break
		}
		if !c.live[key] {
			continue
		}
		if len(keys) == n {
			return keys, keys[n-1]
		}
		keys = append(keys, []byte(key))
	}
	return keys, c.horizon
}
