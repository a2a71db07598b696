package ledger

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Entry is the leaf of a register in an account's namespace. Version is the ledger-wide revision number of
// the write that made it: it only grows and is never used twice, even when an entry is deleted and made
// again, so it can serve as a fencing token.
type Entry struct {
	Version        uint64
	ModifiedHeight uint64
	Value          []byte
}

// Append appends the leaf's encoding.
func (e *Entry) Append(b []byte) []byte {
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint64(b, e.Version)
	b = binary.BigEndian.AppendUint64(b, e.ModifiedHeight)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Value)))
	return append(b, e.Value...)
}

// DecodeEntry reads an entry's leaf.
func DecodeEntry(b []byte) (Entry, error) {
	r := readLeaf(b)
	e := Entry{Version: r.u64(), ModifiedHeight: r.u64()}
	n := int(r.u16())
	if r.fault == "" && (e.Version == 0 || n == 0 || n > EntryValueMax) {
		r.fail("version or length out of bounds")
	}
	e.Value = bytes.Clone(r.take(n))
	return e, r.end("entry")
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
