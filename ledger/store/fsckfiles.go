package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// checkTables reads every table of Badger and compares the checksums of its blocks. It reports whether Badger
// can open them: it ends the process when it meets a broken index, so such a table is as far as a check gets.
func (f *fsck) checkTables() (whole bool, err error) {
	paths, err := tablePaths(f.options.Dir)
	if err != nil {
		return false, fmt.Errorf("check store: %w", err)
	}
	whole = true
	for i, path := range paths {
		if err := f.step("files", uint64(i), uint64(len(paths))); err != nil {
			return false, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return false, fmt.Errorf("check store: %w", err)
		}
		f.Counts.Tables++
		where := "file " + relativeTo(f.options.Dir, path)
		opens, err := checkTable(data)
		switch {
		case !opens:
			f.fault(where, "%v; the store cannot be opened with it, and nothing else was checked", err)
			whole = false
		case err != nil:
			f.fault(where, "%v; what is in it is missing", err)
		}
	}
	return whole, f.step("files", uint64(len(paths)), uint64(len(paths)))
}

// relativeTo is a path as seen from a directory that it lies in.
func relativeTo(dir, path string) string {
	if name, err := filepath.Rel(dir, path); err == nil {
		return name
	}
	return path
}

// checkTable checks one table. Whether it opens is found out in two steps: of lengths that point outside of the
// file Badger would end the process, of everything else it complains.
func checkTable(data []byte) (opens bool, err error) {
	if !lengthsHold(bytes.NewReader(data), int64(len(data))) {
		return false, errors.New("a length at its end is damaged")
	}
	t, err := openTable(data)
	if err != nil {
		return false, errors.New("its index or its last block is damaged")
	}
	if verifyBlocks(t) != nil {
		return true, errors.New("a block differs from its checksum")
	}
	return true, nil
}

// openTable opens a table in memory. Badger panics where it would name a file that has no name here.
func openTable(data []byte) (t *table.Table, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("damaged")
		}
	}()
	return table.OpenInMemoryTable(data, 1, &table.Options{BlockSize: 4 << 10, ChkMode: options.OnBlockRead})
}

// verifyBlocks compares all blocks of a table with their checksums.
func verifyBlocks(t *table.Table) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("damaged")
		}
	}()
	return t.VerifyChecksum()
}

// readImage is a store's databases, open in a way that cannot change the store.
type readImage struct {
	db  *database
	dir string
}

// imageError says that Badger does not open the files of a directory, as opposed to that they could not be reached.
type imageError struct {
	dir string
	err error
}

func (e *imageError) Error() string { return e.err.Error() }

// openImage opens the databases of a store for reading.
func openImage(dir, scratch string) (*readImage, error) {
	to, err := os.MkdirTemp(scratch, "store-")
	if err != nil {
		return nil, err
	}
	image := &readImage{db: &database{}, dir: to}
	dirs, err := dataDirs(dir)
	if err == nil {
		image.db.keys, err = openFiles(dir, to)
	}
	if image.db.journal = image.db.keys; err == nil && len(dirs) > 1 {
		image.db.journal, err = openFiles(filepath.Join(dir, journalName), filepath.Join(to, journalName))
	}
	if err != nil {
		image.close()
		return nil, err
	}
	return image, nil
}

// openFiles opens a database for reading. Even for reading Badger removes files it does not know, so it gets a
// directory of links. A log that a crash left behind must be replayed, which Badger does only in files it may
// write: then it gets a copy.
func openFiles(dir, to string) (*badger.DB, error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return nil, err
	}
	replay, err := hasLog(dir)
	if err != nil {
		return nil, err
	}
	if err := mirror(dir, to, replay); err != nil {
		return nil, err
	}
	b := badger.DefaultOptions(to).
		WithReadOnly(!replay).
		WithLogger(badgerLog{silent}).
		WithNumVersionsToKeep(1 << 30).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithCompression(options.None).
		WithMetricsEnabled(false).
		WithMemTableSize(memTableBytes).
		WithNumCompactors(0).
		WithNumLevelZeroTablesStall(1 << 30). // nobody compacts
		WithBlockCacheSize(blockCacheBytes).
		WithIndexCacheSize(indexCacheBytes).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(valueLogBytes)
	db, err := openManaged(b)
	if err != nil {
		words := strings.ReplaceAll(err.Error(), to+string(filepath.Separator), "")
		return nil, &imageError{dir, errors.New(words)}
	}
	return db, nil
}

// openManaged makes an error of a panic, which is how Badger meets some kinds of damage.
func openManaged(o badger.Options) (db *badger.DB, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			words, _, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(cause)), "\n")
			err = errors.New(words)
		}
	}()
	return badger.OpenManaged(o)
}

// close ends an image. What fails here harms nobody: nothing was written that is needed.
func (i *readImage) close() {
	_ = i.db.close()
	_ = os.RemoveAll(i.dir)
}

// empty reports whether nothing was ever written to a directory, as far as its files tell.
func empty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !slices.Contains(notInImage, e.Name()) {
			return false, err
		}
	}
	return true, err
}

// hasLog reports whether Badger was not closed in order.
func hasLog(dir string) (bool, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	return slices.ContainsFunc(logs, func(path string) bool { return !emptyLog(path) }), err
}

// emptyLog reports whether a file is a log without a byte, which Badger refuses and Open removes.
func emptyLog(path string) bool {
	ext := filepath.Ext(path)
	info, err := os.Stat(path)
	return (ext == ".mem" || ext == ".vlog") && err == nil && info.Size() == 0
}

// notInImage are files that belong to a process, not to the data.
var notInImage = []string{"LOCK", "store.lock"}

// mirror makes links to the files of one directory, or copies of them, in another.
func mirror(from, to string, copies bool) error {
	from, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || slices.Contains(notInImage, e.Name()) {
			continue
		}
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if emptyLog(source) {
			continue
		}
		if copies {
			err = copyFile(source, target)
		} else {
			err = os.Symlink(source, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a file; where the file system can, without using space for it.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
