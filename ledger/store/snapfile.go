package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tetradledger/tetrad/crypto"
)

// A snapshot in one file is:
//
//	fileMagic | length of the rest u32 | manifest | SHA-256 of the manifest | the chunks, one behind the other
const fileMagic = "tetrad snapshot\n"

// ExportFile writes the state at a height into one file, which appears when all of it is durable. A directory
// beside it holds the parts until then, so it takes twice the space for a while. Else it is as Export; progress
// counts leaves and replay records.
func (s *Store) ExportFile(ctx context.Context, height uint64, path string, progress func(done, total uint64)) (Manifest, error) {
	if _, err := os.Lstat(path); err == nil {
		return Manifest{}, fmt.Errorf("export snapshot: %s exists already", path)
	}
	parts := path + ".parts"
	m, err := s.Export(ctx, height, parts, progress)
	if err == nil {
		m, err = PackSnapshot(ctx, parts, m.Height, path, nil)
	}
	return m, errors.Join(err, os.RemoveAll(parts))
}

// PackSnapshot writes a snapshot of a directory into one file, which appears when all of it is durable. A file
// that is there already is not overwritten. progress counts bytes.
func PackSnapshot(ctx context.Context, dir string, height uint64, path string, progress func(done, total uint64)) (Manifest, error) {
	m, err := LoadManifest(dir, height)
	if err != nil {
		return Manifest{}, err
	}
	if _, err := os.Lstat(path); err == nil {
		return Manifest{}, fmt.Errorf("pack snapshot %d: %s exists already", height, path)
	}
	tmp := filepath.Join(filepath.Dir(path), tmpPrefix+filepath.Base(path))
	if err := os.RemoveAll(tmp); err != nil {
		return Manifest{}, fmt.Errorf("pack snapshot %d: %w", height, err)
	}
	err = pack(ctx, dir, m, tmp, progress)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("pack snapshot %d into %s: %w", height, path, errors.Join(err, os.RemoveAll(tmp)))
	}
	return m, nil
}

// pack writes and syncs a file.
func pack(ctx context.Context, dir string, m Manifest, path string, progress func(done, total uint64)) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = packInto(ctx, f, dir, m, progress)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func packInto(ctx context.Context, w io.Writer, dir string, m Manifest, progress func(done, total uint64)) error {
	sealed := sealManifest(m)
	head := binary.BigEndian.AppendUint32([]byte(fileMagic), uint32(len(sealed)))
	if _, err := w.Write(append(head, sealed...)); err != nil {
		return err
	}
	done, total := uint64(0), m.Bytes()
	for i := range m.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk, err := loadChunk(dir, m, i)
		if err != nil {
			return err
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		done += uint64(len(chunk))
		if progress != nil {
			progress(done, total)
		}
	}
	return nil
}

// FileManifest reads the manifest of a snapshot in one file.
func FileManifest(path string) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, fmt.Errorf("read snapshot: %w", err)
	}
	defer f.Close()
	m, err := readFileHead(f)
	if err != nil {
		return Manifest{}, ErrDamaged{path, err.Error()}
	}
	return m, nil
}

// readFileHead reads what stands before the chunks.
func readFileHead(r io.Reader) (Manifest, error) {
	head := make([]byte, len(fileMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return Manifest{}, errShortFile(err)
	}
	if !bytes.HasPrefix(head, []byte(fileMagic)) {
		return Manifest{}, errors.New("it is no snapshot")
	}
	size := binary.BigEndian.Uint32(head[len(fileMagic):])
	if size > ManifestBytesMax+crypto.HashSize {
		return Manifest{}, fmt.Errorf("its manifest has %d bytes, at most %d allowed", size, ManifestBytesMax+crypto.HashSize)
	}
	sealed := make([]byte, size)
	if _, err := io.ReadFull(r, sealed); err != nil {
		return Manifest{}, errShortFile(err)
	}
	return openManifest(sealed)
}

// errShortFile says in words that a file ended.
func errShortFile(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}

// RestoreFile restores an empty store from a snapshot in one file; see Restore. progress counts bytes. After an
// error the directory is as empty as before, unless the error says otherwise.
func RestoreFile(ctx context.Context, o Options, path string, trust Trust, progress func(done, total uint64)) (Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return Head{}, fmt.Errorf("restore store: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	m, err := readFileHead(in)
	if err != nil {
		return Head{}, ErrDamaged{path, err.Error()}
	}
	r, err := NewRestore(o, m, trust)
	if err != nil {
		return Head{}, err
	}
	err = r.applyAll(ctx, in, path, progress)
	var head Head
	if err == nil {
		head, err = r.Finish()
	}
	if err != nil {
		return Head{}, errors.Join(err, r.Abort())
	}
	return head, nil
}

// applyAll applies the chunks that follow the head of a file.
func (r *Restore) applyAll(ctx context.Context, in io.Reader, path string, progress func(done, total uint64)) error {
	chunk := make([]byte, SnapshotChunkBytesMax)
	done, total := uint64(0), r.manifest.Bytes()
	for i, c := range r.manifest.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, chunk[:c.Bytes]); err != nil {
			return ErrDamaged{path, errShortFile(err).Error()}
		}
		err := r.Apply(i, chunk[:c.Bytes])
		if errors.Is(err, ErrBadChunk) {
			return ErrDamaged{path, err.Error()}
		}
		if err != nil {
			return err
		}
		done += uint64(c.Bytes)
		if progress != nil {
			progress(done, total)
		}
	}
	if _, err := io.ReadFull(in, chunk[:1]); !errors.Is(err, io.EOF) {
		return ErrDamaged{path, "there is more behind its last chunk"}
	}
	return nil
}
