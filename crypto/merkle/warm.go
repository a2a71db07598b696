package merkle

// Memory that is read in an order the processor cannot guess costs some 150 ns per cache line, and a
// walk down the tree is nothing else: each node is known only after the one above it. But the walks of
// different keys wait for nothing of each other. So a batch is cut into groups of keys; a group goes
// down the tree level by level, the processor waiting for many nodes at once, and the walk proper,
// which comes after, finds everything in the cache. Measured at a million keys this halves the time of
// an update.

// warmItems is the size of a group: large enough to keep the memory busy, and small enough that what
// one group touches, some 40 lines per key, stays in the cache until it is used.
const warmItems = 32

// warm brings what apply will touch for items, all of them below r, into the cache, and reserves
// memory for their records.
func (u *update) warm(r ref, depth int, items []item) {
	var ends [warmItems]ref
	m := u.m
	touched := m.nodes.chunks.warm(r, depth, items, &ends, true)
	touched += m.records.table.warm(ends[:len(items)])
	for i := range items {
		c := &u.changes[items[i].n]
		touched += uint32(c.Key[0])
		if len(c.Value) == 0 {
			continue
		}
		for line := 0; line < len(c.Value); line += 64 {
			touched += uint32(c.Value[line])
		}
		size := recordBytes(c.Key, c.Value)
		items[i].slot = m.records.reserve(size)
		rec := m.records.table.at(items[i].slot)
		for line := 0; line < size; line += 64 {
			touched += uint32(rec[line])
		}
	}
	keep(touched)
}

// warm walks from r down for all items together, and notes where each walk ends. The hashes beside the
// way come along if they will be needed.
func (t nodeTable) warm(r ref, depth int, items []item, ends *[warmItems]ref, hashes bool) (touched uint32) {
	for i := range items {
		ends[i] = r
	}
	for going := true; going; depth++ {
		going = false
		for i := range items {
			r := ends[i]
			if r == none || r.isLeaf() {
				continue
			}
			if hashes {
				touched += uint32(t.hashes(r)[0][0])
			}
			ends[i] = t.branches(r).child[bit(&items[i].path, depth)]
			going = true
		}
	}
	return touched
}

// warm brings the records that walks ended in into the cache, as far as their keys reach.
func (t *recordTable) warm(ends []ref) (touched uint32) {
	for _, r := range ends {
		if r.isLeaf() {
			rec := t.at(r)
			touched += uint32(rec[0]) + uint32(rec[min(len(rec)-1, recordHeadBytes+38)])
		}
	}
	return touched
}

// keep is a use of touched, without which the compiler may leave out the reads it stands for.
//
//go:noinline
func keep(uint32) {}
