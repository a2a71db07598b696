package node

import (
	"errors"
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
func engineDB(context *cmtcfg.DBContext) (*closableDB, error) {
	db, err := cmtcfg.DefaultDBProvider(context)
	if err != nil {
		return nil, err
	}
	return &closableDB{DB: db}, nil
}

type closableDB struct {
	cmtdb.DB
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
	return d.DB.Get(key)
}

// Has finds nothing after Close.
func (d *closableDB) Has(key []byte) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return false, nil
	}
	return d.DB.Has(key)
}

// Iterator fails after Close.
func (d *closableDB) Iterator(start, end []byte) (cmtdb.Iterator, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errDatabaseClosed
	}
	return d.DB.Iterator(start, end)
}

// ReverseIterator fails after Close.
func (d *closableDB) ReverseIterator(start, end []byte) (cmtdb.Iterator, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errDatabaseClosed
	}
	return d.DB.ReverseIterator(start, end)
}

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
