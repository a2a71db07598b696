package node

import (
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
