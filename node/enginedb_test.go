package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmtcfg "github.com/cometbft/cometbft/config"
)

// TestDatabaseAfterClose: readers find nothing, iterators and writers fail, and nobody panics.
func TestDatabaseAfterClose(t *testing.T) {
	config := engineDefaults(t.TempDir(), ProfileLAN)
	open := func() *closableDB {
		db, err := engineDB(&cmtcfg.DBContext{ID: "test", Config: config})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	key, value := []byte("key"), []byte("value")
	if err := db.SetSync(key, value); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Get(key); err != nil || string(got) != "value" {
		t.Errorf("get: %q, %v", got, err)
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := db.Get(key); got != nil || err != nil {
		t.Errorf("get after close: %q, %v", got, err)
	}
	if has, err := db.Has(key); has || err != nil {
		t.Errorf("has after close: %v, %v", has, err)
	}
	if _, err := db.Iterator(nil, nil); err == nil {
		t.Error("iterator after close")
	}
	if _, err := db.ReverseIterator(nil, nil); err == nil {
		t.Error("reverse iterator after close")
	}
	if err := db.SetSync(key, value); err == nil {
		t.Error("write after close")
	}
	again := open()
	if has, err := again.Has(key); !has || err != nil {
		t.Errorf("after opening again: %v, %v", has, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedDatabaseIsNamed: whatever of a database cannot be read, the error names its directory.
func TestDamagedDatabaseIsNamed(t *testing.T) {
	config := engineDefaults(t.TempDir(), ProfileLAN)
	config.SetRoot(t.TempDir())
	context := &cmtcfg.DBContext{ID: "test", Config: config}
	for i := range 3 { // opening it again turns its log into a table
		db, err := engineDB(context)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.SetSync([]byte{byte(i)}, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(config.DBDir(), "test.db")
	damage := func(pattern string) {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	damage("*.ldb")
	db, err := engineDB(context)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Get([]byte{0}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("get: %v", err)
	}
	if _, err := db.Has([]byte{0}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("has: %v", err)
	}
	_ = db.Close()
	damage("MANIFEST-*")
	if _, err := engineDB(context); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("open: %v", err)
	}
}
