package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
)

// engineDB opens one of CometBFT's databases with its own default backend, so that its offline tools can read
// them, and makes closing safe.
//
// CometBFT closes its databases while routines that serve peers are still asleep. One that wakes up and reads
// a closed database panics, which would turn an orderly end of the process into a crash. After Close such a
// reader finds nothing instead, which all of them can live with. Writers do not exist any more by then, and
// one that did would get the error.
//
// What cannot be read is named: CometBFT passes the error on, or panics with it.
func engineDB(context *cmtcfg.DBContext) (*closableDB, error) {
	path := filepath.Join(context.Config.DBDir(), context.ID+".db")
	if err := checkJournals(context); err != nil {
		return nil, err
	}
	db, err := cmtcfg.DefaultDBProvider(context)
	if err != nil {
		return nil, &databaseError{"open", path, err}
	}
	return &closableDB{DB: db, path: path}, nil
}

type closableDB struct {
	cmtdb.DB
	path   string
	mu     sync.RWMutex // held for reading by readers, so that Close waits for them
	closed bool
}

var errDatabaseClosed = errors.New("the database is closed")

// Get finds nothing after Close.
func (d *closableDB) Get(key []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, nil
	}
	value, err := d.DB.Get(key)
	return value, d.named(err)
}

// Has finds nothing after Close.
func (d *closableDB) Has(key []byte) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return false, nil
	}
	has, err := d.DB.Has(key)
	return has, d.named(err)
}

// Iterator fails after Close.
func (d *closableDB) Iterator(start, end []byte) (cmtdb.Iterator, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errDatabaseClosed
	}
	it, err := d.DB.Iterator(start, end)
	return d.namedIterator(it, err)
}

// ReverseIterator fails after Close.
func (d *closableDB) ReverseIterator(start, end []byte) (cmtdb.Iterator, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errDatabaseClosed
	}
	it, err := d.DB.ReverseIterator(start, end)
	return d.namedIterator(it, err)
}

// Set names the database in its error, as all that write do: goleveldb writes no more after it has found damage.
func (d *closableDB) Set(key, value []byte) error { return d.unwritten(d.DB.Set(key, value)) }

// SetSync is Set that waits for the disk.
func (d *closableDB) SetSync(key, value []byte) error { return d.unwritten(d.DB.SetSync(key, value)) }

// Delete names the database in its error.
func (d *closableDB) Delete(key []byte) error { return d.unwritten(d.DB.Delete(key)) }

// DeleteSync is Delete that waits for the disk.
func (d *closableDB) DeleteSync(key []byte) error { return d.unwritten(d.DB.DeleteSync(key)) }

// NewBatch makes a batch that names the database in its errors.
func (d *closableDB) NewBatch() cmtdb.Batch { return namedBatch{d.DB.NewBatch(), d} }

type namedBatch struct {
	cmtdb.Batch
	db *closableDB
}

func (b namedBatch) Write() error { return b.db.unwritten(b.Batch.Write()) }

func (b namedBatch) WriteSync() error { return b.db.unwritten(b.Batch.WriteSync()) }

type namedIterator struct {
	cmtdb.Iterator
	db *closableDB
}

func (i namedIterator) Error() error { return i.db.named(i.Iterator.Error()) }

func (d *closableDB) namedIterator(it cmtdb.Iterator, err error) (cmtdb.Iterator, error) {
	if err != nil {
		return nil, d.named(err)
	}
	return namedIterator{it, d}, nil
}

func (d *closableDB) named(err error) error {
	if err == nil {
		return nil
	}
	return &databaseError{"read", d.path, err}
}

func (d *closableDB) unwritten(err error) error {
	if err == nil {
		return nil
	}
	return &databaseError{"write", d.path, err}
}

// databaseError names the database that could not be used.
type databaseError struct {
	what, path string
	err        error
}

func (e *databaseError) Error() string { return fmt.Sprintf("%s %s: %v", e.what, e.path, e.err) }

func (e *databaseError) Unwrap() error { return e.err }

// Close waits for readers, and may be called again.
func (d *closableDB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.DB.Close()
}
