package node

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmtcfg "github.com/cometbft/cometbft/config"
)

// journalBlock is what goleveldb leaves out, at most, after a byte that it cannot read.
const journalBlock = 32 << 10

// journalOf writes to a database as CometBFT does, at each height a record that is not synced and one that is and
// holds the key, and returns what a crash leaves.
func journalOf(t *testing.T, id string, heights int) (config *cmtcfg.DBContext, path string, data []byte) {
	t.Helper()
	used := &cmtcfg.DBContext{ID: id, Config: engineDefaults(t.TempDir(), ProfileLAN)}
	left := &cmtcfg.DBContext{ID: id, Config: engineDefaults(t.TempDir(), ProfileLAN)}
	db, err := engineDB(used)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for h := range heights {
		height := binary.BigEndian.AppendUint32(nil, 0x01010101+uint32(h)) // no zeros
		batch := db.NewBatch()
		for _, err := range []error{
			db.Set(height, bytes.Repeat(height, 500)),
			batch.Set(append([]byte("validators"), height...), height),
			batch.Set([]byte(syncedKeys[id]), bytes.Repeat(height, 500)),
			batch.WriteSync(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := filepath.Join(left.Config.DBDir(), id+".db")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(used.Config.DBDir(), id+".db"))); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%s has the journals %q: %v", id, logs, err)
	}
	if data, err = os.ReadFile(logs[0]); err != nil {
		t.Fatal(err)
	}
	return left, logs[0], data
}

// TestDamagedJournal: what was on the disk for certain and cannot be read is found, and what a crash can leave is not
// taken for damage.
func TestDamagedJournal(t *testing.T) {
	_, _, good := journalOf(t, "state", 50)
	if len(good) < 5*journalBlock {
		t.Fatalf("the journal has only %d bytes", len(good))
	}
	check := func(what string, at int, data []byte, damaged bool) {
		t.Helper()
		if err := checkJournal(data, syncedKeys["state"]); (err != nil) != damaged {
			t.Errorf("%s at byte %d: %v", what, at, err)
		}
	}
	check("whole", 0, good, false)
	for at := 0; at < len(good); at += 499 {
		data := bytes.Clone(good)
		data[at] ^= 1
		if at < 2*journalBlock {
			check("flipped", at, data, true)
		}
		clear(data[at:min(len(data), at+512)])
		if at < 2*journalBlock {
			check("zeroed", at, data, true)
		}
		clear(data[at:])
		check("a tail of zeros", at, data, false)
		check("torn", at, good[:at], false)
	}
	// A power cut can take a record and leave later ones, as long as all were on their way to the disk: of the heights
	// from where it happened on, that is the first.
	first := bytes.LastIndex(good[:journalBlock], []byte("validators"))
	synced := journalBlock + bytes.Index(good[journalBlock:], []byte("validators"))
	next := synced + 1 + bytes.Index(good[synced+1:], []byte("validators"))
	lost := bytes.Clone(good)
	lost[first] ^= 1
	for end := journalBlock; end < next-2000; end++ { // a record of 2,000 bytes is before the one with the validators
		check("lost and not synced, cut off", end, lost[:end], false)
	}
	check("lost and synced, cut off", next, lost[:next+journalBlock], true)
}

// TestDamageIsFoundBeforeItIsOverwritten: a database whose journal is damaged is not opened, and the file is named,
// each time again.
func TestDamageIsFoundBeforeItIsOverwritten(t *testing.T) {
	for id := range syncedKeys {
		config, path, good := journalOf(t, id, 50)
		damaged := bytes.Clone(good)
		damaged[len(damaged)/4] ^= 1
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if db, err := engineDB(config); err == nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("opened with a damaged journal: %v, %v", db, err)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := engineDB(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
