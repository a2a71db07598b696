package ledger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// Change is a leaf's new value; nil deletes it.
type Change struct {
	Key, Value []byte
}

// sortKey stands for a change while sorting: the first 16 bytes of its key, which nearly always decide,
// and its place. It holds no pointer, so moving it is cheap.
type sortKey struct {
	a, b  uint64
	place int
}

// sortChanges returns the changes in ascending order of their keys. A block has tens of thousands.
func sortChanges(changes []Change) []Change {
	keys := make([]sortKey, len(changes))
	for i := range changes {
		var head [16]byte
		copy(head[:], changes[i].Key)
		keys[i] = sortKey{binary.BigEndian.Uint64(head[:]), binary.BigEndian.Uint64(head[8:]), i}
	}
	slices.SortFunc(keys, func(x, y sortKey) int {
		switch {
		case x.a != y.a:
			return cmp.Compare(x.a, y.a)
		case x.b != y.b:
			return cmp.Compare(x.b, y.b)
		}
		return bytes.Compare(changes[x.place].Key, changes[y.place].Key)
	})
	sorted := make([]Change, len(changes))
	for i := range keys {
		sorted[i] = changes[keys[i].place]
	}
	return sorted
}
