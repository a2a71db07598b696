package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// Namespace is the leaf that counts the entries of an account's namespace. There is none where there are no
// entries. It changes only when an entry comes or goes, and makes a list provable: a list is complete when it
// is as many different entries as the leaf says.
type Namespace struct{ Entries uint64 }

// Append appends the leaf's encoding.
func (n *Namespace) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(append(b, leafVersion), n.Entries)
}

// DecodeNamespace reads a namespace's leaf.
func DecodeNamespace(b []byte) (Namespace, error) {
	r := readLeaf(b)
	n := Namespace{Entries: r.u64()}
	if r.fault == "" && n.Entries == 0 {
		r.fail("it counts no entry")
	}
	return n, r.end("namespace")
}

type entryCell = cell[entryID, Entry]

// setEntry gives an entry its new value, and counts one that was not there.
func (s *state) setEntry(c *entryCell, value Entry) error {
	if !c.exists {
		n, err := s.namespaces.get(s, c.id.namespace)
		if err != nil {
			return err
		}
		s.namespaces.change(s, n)
		n.value.Entries++
		n.exists = true
	}
	s.entries.change(s, c)
	c.exists, c.value = true, value
	return nil
}

// dropEntry deletes an entry that is there.
func (s *state) dropEntry(c *entryCell) error {
	n, err := s.namespaces.get(s, c.id.namespace)
	if err != nil {
		return err
	}
	if n.value.Entries == 0 {
		return fmt.Errorf("the namespace of %s holds %q and counts no entry: the state is damaged", c.id.namespace, c.id.path)
	}
	s.namespaces.change(s, n)
	n.value.Entries--
	n.exists = n.value.Entries > 0
	s.entries.change(s, c)
	c.exists, c.value = false, Entry{}
	return nil
}

var namespaceLayout = layout[crypto.Address, Namespace]{
	appendKey: func(dst []byte, id crypto.Address) []byte { return append(append(dst, PrefixNamespace), id[:]...) },
	decode: func(n *Namespace, leaf []byte) (err error) {
		*n, err = DecodeNamespace(leaf)
		return err
	},
	append: (*Namespace).Append,
	copy:   func(dst, src *Namespace) { *dst = *src },
}
