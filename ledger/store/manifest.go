package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// Manifest describes a snapshot: the state at one height, cut into chunks. Any two replicas that export a height
// write the same manifest, byte for byte, so that chunks can come from several of them.
//
// Nothing in it is proven but by what is restored from it: chunks are verified against a root that the restorer
// knows from elsewhere.
type Manifest struct {
	Format  uint32
	Height  uint64
	TimeMS  uint64      // of the block that made the state
	Root    crypto.Hash // of the state: the app hash of the height
	Genesis crypto.Hash
	Leaves  uint64 // of the state tree
	Records uint64 // replay records, over all buckets
	Chunks  []ChunkInfo
}

// ChunkInfo describes a chunk.
type ChunkInfo struct {
	Bytes uint32
	Hash  crypto.Hash // SHA-256 of the chunk
}

// Bytes is the size of all chunks.
func (m Manifest) Bytes() uint64 {
	var n uint64
	for _, c := range m.Chunks {
		n += uint64(c.Bytes)
	}
	return n
}

// Hash identifies the snapshot.
func (m Manifest) Hash() crypto.Hash { return crypto.Sum(m.Append(nil)) }

const (
	manifestHeadBytes = 4 + 8 + 8 + 32 + 32 + 8 + 8 + 4
	chunkInfoBytes    = 4 + 32
)

// Append appends the encoding: all fields in order, numbers big-endian, the chunks behind their count.
func (m Manifest) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, m.Format)
	b = binary.BigEndian.AppendUint64(b, m.Height)
	b = binary.BigEndian.AppendUint64(b, m.TimeMS)
	b = append(b, m.Root[:]...)
	b = append(b, m.Genesis[:]...)
	b = binary.BigEndian.AppendUint64(b, m.Leaves)
	b = binary.BigEndian.AppendUint64(b, m.Records)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Chunks)))
	for _, c := range m.Chunks {
		b = binary.BigEndian.AppendUint32(b, c.Bytes)
		b = append(b, c.Hash[:]...)
	}
	return b
}

// DecodeManifest decodes a manifest from anywhere. What it accepts, Append gives back byte for byte.
func DecodeManifest(b []byte) (Manifest, error) {
	if len(b) < 4 {
		return Manifest{}, fmt.Errorf("decode manifest: %d bytes", len(b))
	}
	var m Manifest
	m.Format = binary.BigEndian.Uint32(b)
	if m.Format != SnapshotFormat {
		return Manifest{}, fmt.Errorf("decode manifest: it has format %d, this program knows format %d only", m.Format, SnapshotFormat)
	}
	if len(b) < manifestHeadBytes {
		return Manifest{}, fmt.Errorf("decode manifest: %d bytes, expected %d at least", len(b), manifestHeadBytes)
	}
	m.Height = binary.BigEndian.Uint64(b[4:])
	m.TimeMS = binary.BigEndian.Uint64(b[12:])
	m.Root = crypto.Hash(b[20:52])
	m.Genesis = crypto.Hash(b[52:84])
	m.Leaves = binary.BigEndian.Uint64(b[84:])
	m.Records = binary.BigEndian.Uint64(b[92:])
	n := binary.BigEndian.Uint32(b[100:])
	b = b[manifestHeadBytes:]
	switch {
	case n == 0 || n > SnapshotChunksMax:
		return Manifest{}, fmt.Errorf("decode manifest: %d chunks, 1 to %d allowed", n, SnapshotChunksMax)
	case uint64(len(b)) != uint64(n)*chunkInfoBytes:
		return Manifest{}, fmt.Errorf("decode manifest: %d bytes for %d chunks, expected %d", len(b), n, n*chunkInfoBytes)
	case m.Height == 0 || m.Height >= maxHeight || m.Leaves == 0:
		return Manifest{}, errors.New("decode manifest: a snapshot has a height and leaves")
	}
	m.Chunks = make([]ChunkInfo, n)
	for i := range m.Chunks {
		c := b[i*chunkInfoBytes:]
		m.Chunks[i] = ChunkInfo{Bytes: binary.BigEndian.Uint32(c), Hash: crypto.Hash(c[4:chunkInfoBytes])}
		if size := m.Chunks[i].Bytes; size == 0 || size > SnapshotChunkBytesMax {
			return Manifest{}, fmt.Errorf("decode manifest: chunk %d has %d bytes, 1 to %d allowed", i, size, SnapshotChunkBytesMax)
		}
	}
	return m, nil
}
