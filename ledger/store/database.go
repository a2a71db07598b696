package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// journalName is the directory of the journal, inside of the store's.
const journalName = "journal"

// database is what a store keeps on disk: keys that come in no order, and a journal, whose keys ascend with the
// height. They are two Badger databases, because Badger merges tables that overlap: beside accounts and transactions
// every change record would be copied again and again. A store from before there was a journal is one database, and
// stays so (ADR 0026).
type database struct {
	keys    *badger.DB
	journal *badger.DB // the same as keys in a store of one
}

// inJournal reports whether keys of a kind lie in the journal.
func inJournal(kind byte) bool {
	switch kind {
	case kindHead, kindRecord, kindMark, kindWritten, kindOrigin:
		return true
	}
	return false
}

// of is the database in which keys of a kind lie.
func (d *database) of(kind byte) *badger.DB {
	if inJournal(kind) {
		return d.journal
	}
	return d.keys
}

// split reports whether the journal is apart.
func (d *database) split() bool { return d.keys != d.journal }

// each calls fn for each of the two, or for the one.
func (d *database) each(fn func(*badger.DB)) {
	fn(d.journal)
	if d.split() {
		fn(d.keys)
	}
}

// at begins to read what was written at or before a time. The caller discards it.
func (d *database) at(time uint64) *reader {
	r := &reader{keys: d.keys.NewTransactionAt(time, false)}
	r.journal = r.keys
	if d.split() {
		r.journal = d.journal.NewTransactionAt(time, false)
	}
	return r
}

// close closes what is open, the keys last: they are what the journal speaks of.
func (d *database) close() (err error) {
	if d.journal != nil && d.split() {
		err = d.journal.Close()
	}
	if d.keys != nil {
		err = errors.Join(err, d.keys.Close())
	}
	return err
}

// reader reads from both databases.
type reader struct{ keys, journal *badger.Txn }

// of is the transaction that sees keys of a kind.
func (r *reader) of(kind byte) *badger.Txn {
	if inJournal(kind) {
		return r.journal
	}
	return r.keys
}

// discard ends the reading.
func (r *reader) discard() {
	r.keys.Discard()
	if r.journal != r.keys {
		r.journal.Discard()
	}
}

// dataDirs are the directories of the databases below that of a store: it alone, or the journal's before it; none of
// a store in memory. A directory that holds a database but no journal is a store of one.
func dataDirs(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	journal := filepath.Join(dir, journalName)
	_, err := os.Stat(journal)
	if err == nil {
		return []string{journal, dir}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return []string{dir}, nil
}

// openDatabase opens what there is, and makes what is missing in an empty directory, the journal first: with its
// directory the choice is made.
func openDatabase(o Options) (*database, error) {
	one, err := oneDatabase(o)
	if err != nil {
		return nil, err
	}
	d := &database{}
	if !one {
		if err := makeJournal(o); err != nil {
			return nil, err
		}
		if d.journal, err = openBadger(o, true); err != nil {
			return nil, err // what comes with an error is half closed
		}
	}
	if d.keys, err = openBadger(o, false); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if one {
		d.journal = d.keys
	}
	return d, nil
}

// makeJournal makes the journal's directory if there is none. Its name must outlive a crash before anything else does:
// without it the store would be taken for one of one database.
func makeJournal(o Options) error {
	if o.InMemory {
		return nil
	}
	err := os.Mkdir(filepath.Join(o.Dir, journalName), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(o.Dir)
}

// oneDatabase reports whether the store has no journal apart: because it was begun without, or because a test
// begins one like that.
func oneDatabase(o Options) (bool, error) {
	if o.InMemory {
		return o.oneDatabase, nil
	}
	dirs, err := dataDirs(o.Dir)
	if err != nil || len(dirs) > 1 {
		return false, err
	}
	_, err = os.Stat(filepath.Join(o.Dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return o.oneDatabase, nil
	}
	return err == nil, err
}
