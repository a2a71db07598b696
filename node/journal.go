package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/journal"
)

// syncedKeys are written to each of CometBFT's databases at every height, and the record they are in is synced
// before anything else is written.
var syncedKeys = map[string]string{"blockstore": "blockStore", "state": "stateKey"}

// checkJournals looks for damage in the journals of a database before goleveldb reads them: it leaves out what it
// cannot read without a word and removes the journal, so that later nobody can tell what was lost or that anything
// was. What a crash leaves is no damage: a record at the end that is torn, or was not synced.
func checkJournals(context *cmtcfg.DBContext) error {
	key, ok := syncedKeys[context.ID]
	if !ok || context.Config.DBBackend != string(cmtdb.GoLevelDBBackend) {
		return nil
	}
	dir := filepath.Join(context.Config.DBDir(), context.ID+".db")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing has run here yet
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".log" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path) // some megabytes: goleveldb begins a new one then
		if err == nil {
			err = checkJournal(data, key)
		}
		if err != nil {
			return &databaseError{"read", path, err}
		}
	}
	return nil
}

// checkJournal reports a record that cannot be read although it was on the disk for certain: one that was synced
// follows, which writes the key, and yet another, which was written only after that.
func checkJournal(data []byte, key string) error {
	var (
		lost    drops
		durable bool // what was lost had been synced
		record  bytes.Buffer
		reader  = journal.NewReader(bytes.NewReader(data), &lost, false, true)
	)
	for {
		next, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			record.Reset()
			_, err = record.ReadFrom(next)
		}
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			continue // a part of this one is lost
		case err != nil:
			return err
		case durable:
			return fmt.Errorf("it is damaged, and what was on the disk is lost: %w", lost[0])
		}
		durable = len(lost) > 0 && writes(record.Bytes(), key)
	}
}

// drops are what a journal's reader leaves out.
type drops []error

// Drop is called by the reader.
func (d *drops) Drop(err error) { *d = append(*d, err) }

// writes tells whether a record writes a key. It begins with twelve bytes that say how many entries there are.
func writes(record []byte, key string) bool {
	const header = 12
	var batch leveldb.Batch
	if len(record) < header || batch.Load(record[header:]) != nil {
		return false
	}
	var keys writtenKeys
	return batch.Replay(&keys) == nil && slices.Contains(keys, key)
}

// writtenKeys are the keys that a batch writes.
type writtenKeys []string

// Put is called for each entry that is written.
func (k *writtenKeys) Put(key, _ []byte) { *k = append(*k, string(key)) }

// Delete is called for each entry that is deleted.
func (k *writtenKeys) Delete([]byte) {}
