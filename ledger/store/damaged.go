package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// checkTableEnds looks at what Badger reads of each table when it opens it: the lengths at the end, the index and the
// last block. Of a length that points out of the file it would end the process, and of other damage it panics in a
// goroutine of its own, where nobody can catch it.
func checkTableEnds(dir string) error {
	paths, err := tablePaths(dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return ErrDamaged{path, "it is missing"}
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && !lengthsHold(f, info.Size()) {
			err = ErrDamaged{path, "a length at its end is wrong"}
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if err := endHolds(path); err != nil {
			return err
		}
	}
	return nil
}

// endHolds opens one table, whose lengths hold, as Badger does.
func endHolds(path string) (err error) {
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	damaged := ErrDamaged{path, "its index or its last block is wrong"}
	defer func() {
		if recover() != nil {
			err = damaged
		}
		err = errors.Join(err, f.Close(-1))
	}()
	if _, err := table.OpenTable(f, table.Options{BlockSize: 4 << 10, ChkMode: options.OnBlockRead}); err != nil {
		return damaged
	}
	return nil
}

// nameDamage adds the damaged tables to why a store could not be opened: Badger takes what it cannot read for
// what is not there, so the reason alone names what is missing and not where. It reads all tables.
func nameDamage(dir string, reason error) error {
	if dir == "" || errors.Is(reason, ErrHalfRestored) || errors.As(reason, new(ErrDamaged)) {
		return reason
	}
	paths, err := tablePaths(dir)
	if err != nil {
		return errors.Join(reason, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return errors.Join(reason, err)
		}
		if _, err := checkTable(data); err != nil {
			reason = fmt.Errorf("%w; %w", reason, ErrDamaged{path, err.Error()})
		}
	}
	return reason
}

// tablePaths lists the tables that a store consists of; none of a store in memory. Its directories may hold others:
// a process that dies while it writes a table leaves a part of it, which the next start removes.
func tablePaths(dir string) (paths []string, err error) {
	dirs, err := dataDirs(dir)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		tables, err := tablesOf(dir)
		if err != nil {
			return nil, err
		}
		paths = append(paths, tables...)
	}
	return paths, nil
}

// tablesOf lists the tables of one database.
func tablesOf(dir string) ([]string, error) {
	path := filepath.Join(dir, badger.ManifestFilename)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // there is no store yet
	}
	if err != nil {
		return nil, err
	}
	manifest, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, ErrDamaged{path, err.Error()}
	}
	var paths []string
	for id := range manifest.Tables {
		paths = append(paths, table.NewFilename(id, dir))
	}
	slices.Sort(paths)
	return paths, nil
}

// lengthsHold follows the two lengths at the end of a table: that of the index's checksum, and before it that
// of the index.
func lengthsHold(table io.ReaderAt, size int64) bool {
	rest := size
	for range 2 {
		var n [4]byte
		if rest < int64(len(n)) {
			return false
		}
		rest -= int64(len(n))
		if _, err := table.ReadAt(n[:], rest); err != nil {
			return false
		}
		length := int64(n[0])<<24 | int64(n[1])<<16 | int64(n[2])<<8 | int64(n[3])
		if length == 0 || length > rest { // of an index without a byte Badger makes a panic
			return false
		}
		rest -= length
	}
	return true
}
