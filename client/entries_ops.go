package client

import "github.com/tetradledger/tetrad/ledger"

// The operations that never conflict, all in the actor's namespace: whatever others do at the same time, on
// whichever side of a partition, each takes effect.

// Add adds to a counter, or takes from it.
func (d *Draft) Add(path string, delta int64) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: path, Delta: delta}}})
}

// SetAdd puts an element into a set.
func (d *Draft) SetAdd(path string, element []byte) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_SetAdd{SetAdd: &ledger.SetAdd{Path: path, Element: element}}})
}

// SetRemove takes back additions to a set that were read from it; additions that were not stay.
func (d *Draft) SetRemove(path string, seen ...ledger.Seen) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_SetRemove{SetRemove: &ledger.SetRemove{Path: path, Seen: seen}}})
}

// WriteLast writes a register in which the write of the greatest depth wins: one more than the depth that was
// read from it, or 1 if there was nothing.
func (d *Draft) WriteLast(path string, value []byte, depth uint64) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_WriteLast{WriteLast: &ledger.WriteLast{Path: path, Value: value, Depth: depth}}})
}

// WriteMulti writes a register that keeps all values that nobody has replaced. It replaces those that were read;
// an empty value only takes them back.
func (d *Draft) WriteMulti(path string, value []byte, seen ...ledger.Seen) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_WriteMulti{WriteMulti: &ledger.WriteMulti{Path: path, Value: value, Seen: seen}}})
}

// SeenTags names writes that are decided by their tags, as rpc.EntryValue has them.
func SeenTags(tags ...string) ([]ledger.Seen, error) {
	seen := make([]ledger.Seen, 0, len(tags))
	for _, text := range tags {
		tag, err := ledger.ParseTag(text)
		if err != nil {
			return nil, err
		}
		seen = append(seen, ledger.Seen{Txid: tag.TxID[:], Op: uint32(tag.Op)})
	}
	return seen, nil
}
