package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
)

// A directory of snapshots holds DIR/HEIGHT/manifest and DIR/HEIGHT/NNNNNN.chunk. A snapshot is written under a
// name that begins with tmpPrefix, and renamed when every file and the directory are synced: what has a height
// for its name is whole, unless the disk damaged it.
const (
	manifestName = "manifest"
	tmpPrefix    = ".tmp-"
	exportLock   = ".lock"
)

func snapshotDir(dir string, height uint64) string {
	return filepath.Join(dir, strconv.FormatUint(height, 10))
}

func chunkName(i int) string { return fmt.Sprintf("%06d.chunk", i) }

// Snapshots lists the snapshots in a directory, the lowest height first; one that is not wholly there does not
// count. An error names the damaged files of others; the list holds without them. What is in the chunks is looked
// at by LoadChunk.
func Snapshots(dir string) ([]Manifest, error) {
	heights, err := snapshotHeights(dir)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var out []Manifest
	var damaged []error
	for _, height := range heights {
		m, err := LoadManifest(dir, height)
		if err == nil {
			err = checkSizes(dir, m)
		}
		switch {
		case errors.Is(err, ErrNoSnapshot): // dropped at this moment
		case err != nil:
			damaged = append(damaged, err)
		default:
			out = append(out, m)
		}
	}
	return out, errors.Join(damaged...)
}

// snapshotHeights lists the directories that have a height for a name, in order. No directory holds none.
func snapshotHeights(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var heights []uint64
	for _, e := range entries {
		height, err := strconv.ParseUint(e.Name(), 10, 64)
		if err == nil && e.IsDir() && e.Name() == strconv.FormatUint(height, 10) {
			heights = append(heights, height)
		}
	}
	slices.Sort(heights)
	return heights, nil
}

// checkSizes compares the sizes of the chunks with the manifest.
func checkSizes(dir string, m Manifest) error {
	for i, c := range m.Chunks {
		path := filepath.Join(snapshotDir(dir, m.Height), chunkName(i))
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return missing(dir, m.Height, path)
		case err != nil:
			return fmt.Errorf("look at snapshot %d: %w", m.Height, err)
		case info.Size() != int64(c.Bytes):
			return ErrDamaged{path, fmt.Sprintf("it has %d bytes, the manifest says %d", info.Size(), c.Bytes)}
		}
	}
	return nil
}

// missing says why a file of a snapshot is not there: the snapshot is gone, or damaged.
func missing(dir string, height uint64, path string) error {
	if _, err := os.Stat(snapshotDir(dir, height)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("snapshot %d in %s: %w", height, dir, ErrNoSnapshot)
	}
	return ErrDamaged{path, "it is missing"}
}

// LoadManifest reads a snapshot's manifest.
func LoadManifest(dir string, height uint64) (Manifest, error) {
	path := filepath.Join(snapshotDir(dir, height), manifestName)
	data, err := readBounded(path, ManifestBytesMax+crypto.HashSize)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, missing(dir, height, path)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("read snapshot %d: %w", height, err)
	}
	m, err := openManifest(data)
	if err == nil && m.Height != height {
		err = fmt.Errorf("it is of height %d", m.Height)
	}
	if err != nil {
		return Manifest{}, ErrDamaged{path, err.Error()}
	}
	return m, nil
}

// sealManifest is a manifest as it lies in files, with its hash behind it.
func sealManifest(m Manifest) []byte {
	b := m.Append(nil)
	hash := crypto.Sum(b)
	return append(b, hash[:]...)
}

// openManifest is the inverse of sealManifest.
func openManifest(data []byte) (Manifest, error) {
	if len(data) < crypto.HashSize {
		return Manifest{}, fmt.Errorf("it has %d bytes", len(data))
	}
	body, hash := data[:len(data)-crypto.HashSize], data[len(data)-crypto.HashSize:]
	if want := crypto.Sum(body); !bytes.Equal(hash, want[:]) {
		return Manifest{}, errors.New("it differs from the hash at its end")
	}
	return DecodeManifest(body)
}

// LoadChunk reads a chunk and compares its hash with the manifest.
func LoadChunk(dir string, height uint64, i int) ([]byte, error) {
	m, err := LoadManifest(dir, height)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= len(m.Chunks) {
		return nil, fmt.Errorf("snapshot %d has no chunk %d: %w", height, i, ErrNoSnapshot)
	}
	return loadChunk(dir, m, i)
}

// loadChunk is LoadChunk for who has the manifest.
func loadChunk(dir string, m Manifest, i int) ([]byte, error) {
	path := filepath.Join(snapshotDir(dir, m.Height), chunkName(i))
	chunk, err := readBounded(path, SnapshotChunkBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(dir, m.Height, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot %d: %w", m.Height, err)
	}
	if err := m.Chunks[i].check(chunk); err != nil {
		return nil, ErrDamaged{path, err.Error()}
	}
	return chunk, nil
}

// check compares a chunk with what the manifest says of it.
func (c ChunkInfo) check(chunk []byte) error {
	if len(chunk) != int(c.Bytes) {
		return fmt.Errorf("it has %d bytes, the manifest says %d", len(chunk), c.Bytes)
	}
	if hash := crypto.Sum(chunk); hash != c.Hash {
		return fmt.Errorf("its hash is %s, the manifest says %s", hash, c.Hash)
	}
	return nil
}

// readBounded reads a file; of a longer one than allowed no more than one byte too many.
func readBounded(path string, bytesMax int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(info.Size(), int64(bytesMax)+1))
	_, err = readFull(f, data)
	return data, err
}

// readFull is io.ReadFull for a file that may have become shorter.
func readFull(f *os.File, data []byte) (int, error) {
	n := 0
	for n < len(data) {
		read, err := f.Read(data[n:])
		n += read
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// DropSnapshots deletes all snapshots but the newest, as many as keep says. Who reads a chunk of one at this
// moment gets it or ErrNoSnapshot.
func DropSnapshots(dir string, keep int) error {
	heights, err := snapshotHeights(dir)
	if err != nil {
		return fmt.Errorf("drop snapshots: %w", err)
	}
	for _, height := range heights[:max(len(heights)-max(keep, 0), 0)] {
		if err := dropSnapshot(dir, height); err != nil {
			return fmt.Errorf("drop snapshot %d: %w", height, err)
		}
	}
	return nil
}

// dropSnapshot takes the name away first, so that a crash in between leaves nothing that looks whole.
func dropSnapshot(dir string, height uint64) error {
	gone := filepath.Join(dir, fmt.Sprintf("%sdropped-%d", tmpPrefix, height))
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	if err := os.Rename(snapshotDir(dir, height), gone); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// dropLeftovers deletes what exports and drops that did not end left behind.
func dropLeftovers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tmpPrefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeSynced writes a new file that is on disk when this returns, but for its name: see syncDir.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
