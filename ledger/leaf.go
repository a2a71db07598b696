package ledger

import (
	"encoding/binary"
	"fmt"
)

// leafVersion is the first byte of every leaf. A new layout gets a new number and its own decoder.
const leafVersion = 1

// LeafError says that the bytes of a leaf are not what this package writes: the state is damaged, or of
// another version of the program.
type LeafError struct {
	Kind   string
	Reason string
}

func (e *LeafError) Error() string { return fmt.Sprintf("decode %s leaf: %s", e.Kind, e.Reason) }

// leafReader takes fixed-size fields off a leaf. The first fault sticks, so that a decoder reads all
// fields and asks once.
type leafReader struct {
	rest  []byte
	fault string
}

// readLeaf starts reading a leaf and takes the version byte off.
func readLeaf(b []byte) leafReader { return readVersion(b, leafVersion) }

// readVersion starts reading a leaf of a later layout.
func readVersion(b []byte, version uint8) leafReader {
	r := leafReader{rest: b}
	if v := r.u8(); r.fault == "" && v != version {
		r.fault = fmt.Sprintf("version %d is not known", v)
	}
	return r
}

// take returns the next n bytes, aliasing the leaf; nil once something was wrong.
func (r *leafReader) take(n int) []byte {
	if r.fault != "" {
		return nil
	}
	if len(r.rest) < n {
		r.fail("ends early")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *leafReader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *leafReader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *leafReader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *leafReader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *leafReader) b32() [32]byte {
	if b := r.take(32); b != nil {
		return [32]byte(b)
	}
	return [32]byte{}
}

func (r *leafReader) amount() Amount {
	if b := r.take(16); b != nil {
		return Amount{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
	}
	return Amount{}
}

// count reads a list's length of one byte and refuses more than max.
func (r *leafReader) count(what string, max int) int {
	n := int(r.u8())
	if n > max {
		r.fail(fmt.Sprintf("%d %s, at most %d allowed", n, what, max))
		return 0
	}
	return n
}

// fail records the first fault.
func (r *leafReader) fail(reason string) {
	if r.fault == "" {
		r.fault = reason
	}
}

// end reports the first fault, or bytes left over.
func (r *leafReader) end(kind string) error {
	if r.fault == "" && len(r.rest) > 0 {
		r.fault = fmt.Sprintf("%d bytes left over", len(r.rest))
	}
	if r.fault != "" {
		return &LeafError{Kind: kind, Reason: r.fault}
	}
	return nil
}

func appendAmount(b []byte, a Amount) []byte {
	b = binary.BigEndian.AppendUint64(b, a.Hi)
	return binary.BigEndian.AppendUint64(b, a.Lo)
}
