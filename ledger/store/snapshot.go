package store

import (
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// SnapshotFormat numbers the layout of manifests and chunks. Others are refused.
const SnapshotFormat = 1

var (
	// ErrBadChunk says that a chunk is not the one the manifest names: another peer may have that.
	ErrBadChunk = errors.New("the chunk is not the one that the manifest names")
	// ErrBadSnapshot says that what the manifest names is not of the trusted state: whoever made the manifest
	// lied, and no peer can have better chunks for it.
	ErrBadSnapshot = errors.New("the snapshot is not of the trusted state")
	// ErrNoSnapshot says that there is no such snapshot in the directory.
	ErrNoSnapshot = errors.New("there is no such snapshot")
	// ErrHalfRestored says that a restore into a store was begun and not ended. Another NewRestore overwrites it.
	ErrHalfRestored = errors.New("a restore from a snapshot was begun here and did not end: restore again, or empty the directory and let the node catch up from nothing")
)

// ErrDamaged says that a file of a snapshot is not what was written.
type ErrDamaged struct {
	Path string
	What string
}

func (e ErrDamaged) Error() string { return fmt.Sprintf("file %s is damaged: %s", e.Path, e.What) }

// Trust is what a restorer knows of a height from elsewhere, for example from a light client.
type Trust struct {
	// Root is the state's root: the app hash, which the header of the next height carries.
	Root crypto.Hash
	// TimeMS is the time of the height's block; 0 if it is not known. Then the manifest's is used where nothing
	// depends on it, and some more replay records stay in memory until the first block.
	TimeMS uint64
}

// believe compares a manifest with what is known. What it says of its chunks is compared as they come.
func (t Trust) believe(m Manifest, genesis crypto.Hash) error {
	if _, err := DecodeManifest(m.Append(nil)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSnapshot, err)
	}
	switch {
	case m.Root != t.Root:
		return fmt.Errorf("%w: its manifest says root %s at height %d, trusted is %s", ErrBadSnapshot, m.Root, m.Height, t.Root)
	case t.TimeMS != 0 && m.TimeMS != t.TimeMS:
		return fmt.Errorf("%w: its manifest says time %d at height %d, trusted is %d", ErrBadSnapshot, m.TimeMS, m.Height, t.TimeMS)
	case !genesis.IsZero() && m.Genesis != genesis:
		return fmt.Errorf("%w: it belongs to the chain of genesis %s, not to that of genesis %s", ErrBadSnapshot, m.Genesis, genesis)
	}
	return nil
}
