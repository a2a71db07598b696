package merkle

// version is one committed (or staged) state. All but pins and replaced is fixed at commit.
type version struct {
	number  uint64
	seq     uint32 // parent's plus one: what nodes and records are stamped with
	root    link
	leaves  uint64
	nodes   nodeTable
	records recordTable
	index   *index // nil if the map was small; it may have gone on to later versions

	pins int // views and staged updates that refer to this version; guarded by Map.mu

	// replaced lists what the version before this one in memory still refers to and this one does
	// not. The oldest version's list is empty. Touched by the writer alone.
	replaced replaced
}

// replaced lists nodes and records that some version refers to and the next does not.
type replaced struct {
	nodes   []ref
	records []ref
}

// collect drops the versions that left the window and are not pinned, and what only they needed.
func (m *Map) collect() {
	for {
		before, gone, after := m.dropVersion()
		if gone == nil {
			return
		}
		m.reclaim(before, gone, after)
	}
}

// dropVersion takes the oldest version that nobody can read any more out of the list, and returns it
// with its neighbours. before is nil if it was the oldest of all.
func (m *Map) dropVersion() (before, gone, after *version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := 0; i < len(m.versions)-m.keep; i++ {
		if m.versions[i].pins > 0 {
			before = m.versions[i]
			continue
		}
		gone, after = m.versions[i], m.versions[i+1]
		copy(m.versions[i:], m.versions[i+1:])
		m.versions[len(m.versions)-1] = nil
		m.versions = m.versions[:len(m.versions)-1]
		return before, gone, after
	}
	return nil, nil, nil
}

// reclaim frees what gone referred to and neither of its neighbours does.
//
// after.replaced is what gone needed and after does not. If a pinned version lies before gone, what
// was born up to then is needed there too, and stays on the list together with gone.replaced; the
// rest was born and died between the two. So a view pinned for long costs the memory of the version
// it pins, however many versions pass meanwhile.
func (m *Map) reclaim(before, gone, after *version) {
	if before == nil {
		for _, r := range after.replaced.nodes {
			m.nodes.drop(r)
		}
		for _, r := range after.replaced.records {
			m.records.drop(r)
		}
		m.scratch.recycle(after.replaced)
		after.replaced = gone.replaced
		return
	}
	kept := gone.replaced
	for _, r := range after.replaced.nodes {
		if m.nodes.chunks.branches(r).born <= before.seq {
			kept.nodes = append(kept.nodes, r)
		} else {
			m.nodes.drop(r)
		}
	}
	for _, r := range after.replaced.records {
		if m.records.table.at(r).born() <= before.seq {
			kept.records = append(kept.records, r)
		} else {
			m.records.drop(r)
		}
	}
	m.scratch.recycle(after.replaced)
	after.replaced = kept
}
