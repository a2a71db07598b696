package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

var (
	// ErrBadChunk says that a chunk is not the one the manifest names: another peer may have that.
	ErrBadChunk = errors.New("the chunk is not the one that the manifest names")
	// ErrBadSnapshot says that a chunk is what the manifest names and is not of the trusted state: whoever made
	// the manifest lied, and no peer can have better chunks for it.
	ErrBadSnapshot = errors.New("the snapshot is not of the trusted state")
	// ErrNoSnapshot says that there is no such snapshot in the directory.
	ErrNoSnapshot = errors.New("there is no such snapshot")
	// ErrHalfRestored says that a restore into a store was begun and not ended. Another NewRestore overwrites it.
	ErrHalfRestored = errors.New("a restore from a snapshot was begun here and not ended")
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

// errSkeleton goes when the work behind it is there.
var errSkeleton = errors.New("not built yet")

// Export writes the state at a height as a snapshot into a directory of snapshots, as DIR/HEIGHT, which appears
// when all of it is durable. Height 0 chooses the newest; others must be in memory with their tree. It holds up
// no commit; to go slowly, progress may take its time. One export at a time writes to a directory.
func (s *Store) Export(ctx context.Context, height uint64, dir string, progress func(done, total uint64)) (Manifest, error) {
	return Manifest{}, errSkeleton
}

// Export is Store.Export for a view that the caller holds: taken when the height is committed, it cannot leave
// memory before the work begins. The view must have a tree.
func (v *View) Export(ctx context.Context, dir string, progress func(done, total uint64)) (Manifest, error) {
	return Manifest{}, errSkeleton
}

// Snapshots lists the snapshots in a directory, the lowest height first; one that is not wholly there does not
// count. An error names the damaged files of others; the list holds without them.
func Snapshots(dir string) ([]Manifest, error) { return nil, errSkeleton }

// LoadManifest reads a snapshot's manifest.
func LoadManifest(dir string, height uint64) (Manifest, error) { return Manifest{}, errSkeleton }

// LoadChunk reads a chunk and compares its hash with the manifest.
func LoadChunk(dir string, height uint64, i int) ([]byte, error) { return nil, errSkeleton }

// DropSnapshots deletes all snapshots but the newest.
func DropSnapshots(dir string, keep int) error { return errSkeleton }

// Restore fills an empty store from the chunks of a snapshot. One goroutine uses it.
type Restore struct{}

// NewRestore begins a restore into o.Dir, which must be empty or half restored. Until Finish, Open refuses the
// directory with ErrHalfRestored.
func NewRestore(o Options, m Manifest, trust Trust) (*Restore, error) { return nil, errSkeleton }

// Next is the chunk to apply next.
func (r *Restore) Next() int { return 0 }

// Apply verifies a chunk against the trusted root and writes it. Chunks come in order: chunk i is refused with
// an error of neither kind unless i is Next. After ErrBadChunk nothing has happened, and the chunk may come
// again; after any other error only Abort is left.
func (r *Restore) Apply(i int, chunk []byte) error { return errSkeleton }

// Finish reads back what was written, compares its root, and makes the height durable. The store can be opened
// afterwards.
func (r *Restore) Finish() (Head, error) { return Head{}, errSkeleton }

// Abort gives the restore up and empties the directory. After Finish it does nothing.
func (r *Restore) Abort() error { return errSkeleton }

// ExportFile writes the state at a height into one file, which appears when all of it is durable. A directory
// beside it holds the parts until then.
func (s *Store) ExportFile(ctx context.Context, height uint64, path string, progress func(done, total uint64)) (Manifest, error) {
	return Manifest{}, errSkeleton
}

// PackSnapshot writes a snapshot of a directory into one file, which appears when all of it is durable.
func PackSnapshot(ctx context.Context, dir string, height uint64, path string, progress func(done, total uint64)) (Manifest, error) {
	return Manifest{}, errSkeleton
}

// FileManifest reads the manifest of a snapshot in one file.
func FileManifest(path string) (Manifest, error) { return Manifest{}, errSkeleton }

// RestoreFile restores an empty store from a snapshot in one file.
func RestoreFile(ctx context.Context, o Options, path string, trust Trust, progress func(done, total uint64)) (Head, error) {
	return Head{}, errSkeleton
}
