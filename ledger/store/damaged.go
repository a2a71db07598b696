package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// checkTableEnds looks at the lengths at the end of each table: of one that points out of the file Badger would
// end the process.
func checkTableEnds(dir string) error {
	paths, err := tablePaths(dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		f, err := os.Open(path)
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

// tablePaths lists the tables in a directory; none of a store in memory.
func tablePaths(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	slices.Sort(paths)
	return paths, err
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
