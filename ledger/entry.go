package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// EntryKind says what an entry is, and so which operations it takes. The first operation on a path decides it.
type EntryKind uint8

// The kinds of entries. What is done to those behind the register never conflicts: the same operations have the
// same effect in every order.
const (
	KindRegister EntryKind = 0 // put: one value, with versions and compare-and-set
	KindCounter  EntryKind = 1 // add: a sum
	KindLast     EntryKind = 2 // write_last: the value of the write of the greatest depth
	KindMulti    EntryKind = 3 // write_multi: all values that nobody has replaced
	KindSet      EntryKind = 4 // set_add, set_remove: elements, of which additions win
)

var kindNames = [...]string{"register", "counter", "last", "multi", "set"}

// String is the kind's name in JSON and on the command line.
func (k EntryKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind_%d", uint8(k))
}

// Entry is the leaf of an entry in an account's namespace. Which fields it has depends on its kind.
//
// Version is the ledger-wide revision number of the write that made a register: it only grows and is never used
// twice, even when a register is deleted and made again, so it can serve as a fencing token. Version and height
// depend on the order of blocks, so the other kinds have neither.
type Entry struct {
	Kind EntryKind `json:",omitzero"`

	Version        uint64 `json:",omitzero"` // register
	ModifiedHeight uint64 `json:",omitzero"` // register
	Value          []byte `json:",omitzero"` // register, last; of the latter it may be empty
	Sum            Sum    `json:",omitzero"` // counter; never zero
	Depth          uint64 `json:",omitzero"` // last: of the write that won
	Tag            Tag    `json:",omitzero"` // last: the write that won

	Items   []Item    `json:",omitzero"` // multi, set: values and additions, ascending by tag
	Removed []Removed `json:",omitzero"` // multi, set: writes that were replaced perhaps before they came
}

// kindsVersion is the version byte of leaves that say their kind. A register has the older layout without.
const kindsVersion = 2

// Append appends the leaf's encoding.
func (e *Entry) Append(b []byte) []byte {
	if e.Kind == KindRegister {
		b = append(b, leafVersion)
		b = binary.BigEndian.AppendUint64(b, e.Version)
		b = binary.BigEndian.AppendUint64(b, e.ModifiedHeight)
		return appendShort(b, e.Value)
	}
	b = append(b, kindsVersion, byte(e.Kind))
	switch e.Kind {
	case KindCounter:
		return e.Sum.append(b)
	case KindLast:
		b = binary.BigEndian.AppendUint64(b, e.Depth)
		return appendShort(e.Tag.append(b), e.Value)
	default:
		return appendObserved(b, e.Items, e.Removed)
	}
}

// DecodeEntry reads an entry's leaf.
func DecodeEntry(b []byte) (Entry, error) {
	r := leafReader{rest: b}
	var e Entry
	switch version := r.u8(); {
	case r.fault != "":
	case version == leafVersion:
		e.readRegister(&r)
	case version == kindsVersion:
		e.readKind(&r)
	default:
		r.fail(fmt.Sprintf("version %d is not known", version))
	}
	return e, r.end("entry")
}

func (e *Entry) readRegister(r *leafReader) {
	e.Version, e.ModifiedHeight = r.u64(), r.u64()
	e.Value = r.short(1, EntryValueMax)
	if e.Version == 0 {
		r.fail("the version is zero")
	}
}

func (e *Entry) readKind(r *leafReader) {
	e.Kind = EntryKind(r.u8())
	switch e.Kind {
	case KindCounter:
		e.Sum.read(r)
	case KindLast:
		e.Depth = r.u64()
		e.Tag.read(r)
		e.Value = r.short(0, EntryValueMax)
		if e.Depth == 0 {
			r.fail("the depth is zero")
		}
	case KindMulti:
		e.readObserved(r, MultiItemsMax, MultiValueMax)
	case KindSet:
		e.readObserved(r, SetItemsMax, SetElementMax)
	default:
		r.fail(fmt.Sprintf("kind %d is not known", uint8(e.Kind)))
	}
}

// appendShort appends bytes after their length of two bytes.
func appendShort(b, value []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}

// short reads bytes after their length of two bytes, and refuses a length that is out of bounds.
func (r *leafReader) short(least, most int) []byte {
	n := int(r.u16())
	if r.fault == "" && (n < least || n > most) {
		r.fail(fmt.Sprintf("a value of %d bytes, must have %d to %d", n, least, most))
	}
	return bytes.Clone(r.take(n))
}

// entryOf finds the entry for an operation that merges, which is for one kind only. A path that holds nothing takes any.
func (s *state) entryOf(id entryID, kind EntryKind) (*entryCell, error) {
	if err := s.barred(id.namespace); err != nil {
		return nil, err
	}
	c, err := s.entries.get(s, id)
	if err == nil && c.exists && c.value.Kind != kind {
		err = reject(CodeKindMismatch, "%s is a %s, not a %s", id.path, c.value.Kind, kind)
	}
	return c, err
}

// checkPath accepts segments of letters, digits and a few signs, separated by slashes. What would mean
// something else in a URL (empty segments, dots alone) is refused, so that every path can be asked for.
func checkPath(path string) *Reject {
	if len(path) == 0 || len(path) > EntryPathMax {
		return reject(CodeBadField, "path has %d characters, must have 1 to %d", len(path), EntryPathMax)
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("._-~:@/", c) >= 0:
		default:
			return reject(CodeBadField, "path %q holds %q; allowed are letters, digits and . _ - ~ : @ /", path, c)
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return reject(CodeBadField, "path %q has the segment %q", path, segment)
		}
	}
	return nil
}
