package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// Format numbers the layout of this file and of record.go. A store written in another one is refused, but for
// FormatFirst: records of that format are read, and lack the section of touched accounts.
const (
	Format      = 2
	FormatFirst = 1
)

// The first byte of a Badger key says what it holds. Numbers in keys are big-endian, so that keys of one
// kind lie in numeric order.
const (
	kindHead    = 'h' // height                             -> Head and the sizes of its change record
	kindRecord  = 'c' // height, root[:8], section, chunk   -> part of a change record
	kindFlat    = 'k' // state key, at time flatTime(height) -> value; empty: deleted
	kindMark    = 'm' // boundary                           -> nothing; heights below it are in flat keys
	kindBucket  = 'b' // bucket                             -> sizes of a frozen bucket
	kindOrigin  = 's' // height                             -> hash of the snapshot that the store began with
	kindReplay  = 'r' // bucket, chunk                      -> part of a frozen bucket's records
	kindOutcome = 't' // transaction                        -> receipt that decided it
	kindRefusal = 'u' // transaction, at time flatTime      -> receipt that decided nothing
	kindHistory = 'a' // account, number, at time flatTime  -> transactions of the account's log from that number on
	kindWritten = 'i' // boundary, base, horizon            -> nothing; heights below it are in the histories
	kindSeal    = 'z' // kind of mark, at time flatTime      -> nothing; what marks up to that height speak of was written
)

// Badger keeps a key's values apart by time, and whichever table it finds first wins among equal times:
// merging tables of level 0 does not keep their order. So nothing is ever written under a key and a time
// that already has another value. What is written once and later dropped is put at putTime and deleted at
// dropTime, never to return; versioned keys are written at the time of their height, above both.
const (
	putTime  = 1
	dropTime = 2
)

// flatTime is the Badger time of a height.
func flatTime(height uint64) uint64 { return dropTime + 1 + height }

// flatHeight is the inverse of flatTime.
func flatHeight(time uint64) uint64 { return time - dropTime - 1 }

// A change record is stored as three streams of chunks, since each is read without the others.
const (
	sectionState    = 0 // changes of the state tree, in key order: the fold reads them
	sectionReplay   = 1 // new replay records, in key order: rebuilding buckets reads them
	sectionReceipts = 2 // receipts, in block order: the index reads them
	sectionTouched  = 3 // the accounts each transaction touched, in block order: the histories read them
	sections        = 4

	sectionsFirst = 3 // how many there were in FormatFirst
)

// sectionsOf is how many sections a record has.
func sectionsOf(format uint32) int {
	if format == FormatFirst {
		return sectionsFirst
	}
	return sections
}

func heightKey(kind byte, height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, height)
}

func headKey(height uint64) []byte { return heightKey(kindHead, height) }

func markKey(boundary uint64) []byte { return heightKey(kindMark, boundary) }

func originKey(height uint64) []byte { return heightKey(kindOrigin, height) }

func bucketKey(bucket uint64) []byte { return heightKey(kindBucket, bucket) }

// recordKey holds a part of the root, so that a record abandoned by a crash and one of the same height
// with other contents never share a key.
func recordKey(height uint64, root crypto.Hash, section byte, chunk uint32) []byte {
	k := append(heightKey(kindRecord, height), root[:8]...)
	return binary.BigEndian.AppendUint32(append(k, section), chunk)
}

func replayKey(bucket uint64, chunk uint32) []byte {
	return binary.BigEndian.AppendUint32(heightKey(kindReplay, bucket), chunk)
}

func flatKey(key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), kindFlat), key...)
}

func txKey(kind byte, id crypto.Hash) []byte { return append([]byte{kind}, id[:]...) }

// numberOf reads the number after a key's kind.
func numberOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// headEntry is what lies under a head key: the head, and what is needed to find its record.
type headEntry struct {
	Head
	Chunks [sections]uint32 // how many chunks each section has
	Bytes  uint64           // size of the record
	Firsts [][]byte         // the first key of each state chunk, so that a reader of one key reads one chunk
}

// headEntryLen is the length of a head entry without the first keys.
func headEntryLen(format uint32) int { return 4 + 8 + 8 + 32 + 32 + 4*sectionsOf(format) + 8 }

func (e headEntry) encode() []byte {
	b := make([]byte, 0, headEntryLen(e.Format)+len(e.Firsts)*48)
	b = binary.BigEndian.AppendUint32(b, e.Format)
	b = binary.BigEndian.AppendUint64(b, e.Height)
	b = binary.BigEndian.AppendUint64(b, e.TimeMS)
	b = append(b, e.Root[:]...)
	b = append(b, e.Genesis[:]...)
	for _, n := range e.Chunks[:sectionsOf(e.Format)] {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	b = binary.BigEndian.AppendUint64(b, e.Bytes)
	for _, key := range e.Firsts {
		b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	}
	return b
}

// decodeHeadEntry reads the format first: of another format not even the length is known.
func decodeHeadEntry(b []byte) (headEntry, error) {
	if len(b) < 4 {
		return headEntry{}, fmt.Errorf("a head of %d bytes", len(b))
	}
	var e headEntry
	e.Format = binary.BigEndian.Uint32(b)
	if e.Format < FormatFirst || e.Format > Format {
		return headEntry{}, fmt.Errorf("it has format %d, this program knows formats up to %d: use the program that wrote it", e.Format, Format)
	}
	if least := headEntryLen(e.Format); len(b) < least {
		return headEntry{}, fmt.Errorf("a head of %d bytes, expected %d at least", len(b), least)
	}
	e.Height = binary.BigEndian.Uint64(b[4:])
	e.TimeMS = binary.BigEndian.Uint64(b[12:])
	e.Root = crypto.Hash(b[20:52])
	e.Genesis = crypto.Hash(b[52:84])
	b = b[84:]
	for i := range sectionsOf(e.Format) {
		e.Chunks[i] = binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	e.Bytes = binary.BigEndian.Uint64(b)
	rest := b[8:]
	for range e.Chunks[sectionState] {
		first, after, err := nextBytes(rest)
		if err != nil {
			return headEntry{}, err
		}
		e.Firsts = append(e.Firsts, bytes.Clone(first))
		rest = after
	}
	if len(rest) > 0 {
		return headEntry{}, fmt.Errorf("a head with %d bytes left over", len(rest))
	}
	return e, nil
}

// bucketEntry is what lies under a bucket key.
type bucketEntry struct {
	Root   crypto.Hash
	Count  uint64
	Chunks uint32
}

const bucketEntryLen = 32 + 8 + 4

func (e bucketEntry) encode() []byte {
	b := append(make([]byte, 0, bucketEntryLen), e.Root[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Count)
	return binary.BigEndian.AppendUint32(b, e.Chunks)
}

func decodeBucketEntry(b []byte) (bucketEntry, error) {
	if len(b) != bucketEntryLen {
		return bucketEntry{}, fmt.Errorf("a bucket of %d bytes, expected %d", len(b), bucketEntryLen)
	}
	return bucketEntry{
		Root:   crypto.Hash(b[:32]),
		Count:  binary.BigEndian.Uint64(b[32:]),
		Chunks: binary.BigEndian.Uint32(b[40:]),
	}, nil
}
