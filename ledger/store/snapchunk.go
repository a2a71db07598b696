package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tetradledger/tetrad/crypto/merkle"
)

// A chunk of a snapshot is a list of parts, integers big-endian:
//
//	format u8 = 1 | number of parts u16 | parts: kind u8 | bucket u64 | length of range u32 | range
//
// The parts of a snapshot, over all its chunks, are the state tree, from its first leaf to its last, and then
// each replay bucket that has a leaf, by number. The bucket is zero where the part is of the state tree.
const (
	chunkFormat    = 1
	chunkHeadBytes = 1 + 2
	partHeadBytes  = 1 + 8 + 4

	partState  = 0
	partReplay = 1
)

// part is a run of leaves in a chunk.
type part struct {
	kind   byte
	bucket uint64 // of partReplay
	leaves *merkle.Range
}

// chunkWriter cuts trees into chunks.
type chunkWriter struct {
	max   int    // bytes of a chunk
	open  []byte // the chunk that is being filled
	parts uint16
	emit  func(chunk []byte) error // the chunk is valid during the call
	step  func(leaves int) error   // hears of leaves that were added
}

// addTree appends the leaves of a tree, with their proofs.
func (w *chunkWriter) addTree(kind byte, bucket uint64, tree *merkle.View) error {
	var from [32]byte
	for more := tree.Len() > 0; more; {
		room := w.max - len(w.open) - partHeadBytes - merkle.RangeOverheadMax
		r, next, rest := tree.ProveRange(from, room)
		if w.parts == math.MaxUint16 || w.parts > 0 && rangeLeafBytes(r) > room {
			if err := w.flush(); err != nil {
				return err
			}
			continue // a leaf always fits in an empty chunk
		}
		w.add(kind, bucket, r)
		if err := w.step(len(r.Leaves)); err != nil {
			return err
		}
		from, more = next, rest
	}
	return nil
}

// add appends a part, for which there is room.
func (w *chunkWriter) add(kind byte, bucket uint64, r *merkle.Range) {
	if w.open == nil {
		w.open = make([]byte, 0, w.max)
	}
	if w.parts == 0 {
		w.open = append(w.open[:0], chunkFormat, 0, 0)
	}
	w.parts++
	w.open = binary.BigEndian.AppendUint64(append(w.open, kind), bucket)
	at := len(w.open)
	w.open = r.Append(append(w.open, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(w.open[at:], uint32(len(w.open)-at-4))
}

// flush ends the open chunk, if there is one.
func (w *chunkWriter) flush() error {
	if w.parts == 0 {
		return nil
	}
	binary.BigEndian.PutUint16(w.open[1:], w.parts)
	err := w.emit(w.open)
	w.open, w.parts = w.open[:0], 0
	return err
}

// rangeLeafBytes is what the leaves of a range take in its encoding.
func rangeLeafBytes(r *merkle.Range) int {
	n := 0
	for i := range r.Leaves {
		n += merkle.LeafBytes(r.Leaves[i].Key, r.Leaves[i].Value)
	}
	return n
}

var errChunkShort = errors.New("decode chunk: it ends too early")

// decodeChunk decodes a chunk from anywhere; the parts alias it. It checks the form alone.
func decodeChunk(b []byte) ([]part, error) {
	switch {
	case len(b) > SnapshotChunkBytesMax:
		return nil, fmt.Errorf("decode chunk: more than %d bytes", SnapshotChunkBytesMax)
	case len(b) < chunkHeadBytes:
		return nil, errChunkShort
	case b[0] != chunkFormat:
		return nil, fmt.Errorf("decode chunk: unknown format %d", b[0])
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	b = b[chunkHeadBytes:]
	if n == 0 {
		return nil, errors.New("decode chunk: it has no parts")
	}
	if n*partHeadBytes > len(b) {
		return nil, errChunkShort
	}
	parts := make([]part, n)
	for i := range parts {
		var err error
		if b, err = parts[i].decode(b); err != nil {
			return nil, err
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("decode chunk: %d bytes behind its end", len(b))
	}
	return parts, nil
}

// decode reads a part, and returns what follows.
func (p *part) decode(b []byte) (rest []byte, err error) {
	if len(b) < partHeadBytes {
		return nil, errChunkShort
	}
	p.kind, p.bucket = b[0], binary.BigEndian.Uint64(b[1:])
	size := binary.BigEndian.Uint32(b[9:])
	b = b[partHeadBytes:]
	switch {
	case p.kind > partReplay:
		return nil, fmt.Errorf("decode chunk: unknown kind of part %d", p.kind)
	case p.kind == partState && p.bucket != 0:
		return nil, fmt.Errorf("decode chunk: a part of the state names bucket %d", p.bucket)
	case uint64(size) > uint64(len(b)):
		return nil, errChunkShort
	}
	p.leaves, err = merkle.UnmarshalRange(b[:size])
	return b[size:], err
}
