package store

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/tetradledger/tetrad/crypto"
)

// KeepAll as Options.KeepHeights keeps every height readable.
const KeepAll = math.MaxUint64

// Options say where a store lives and how much it keeps. Zero values stand for the defaults.
type Options struct {
	// Dir is the directory of the store; it is created if need be. One process at a time can have it open.
	Dir string
	// InMemory keeps everything in memory, for tests: nothing survives Close.
	InMemory bool
	// Genesis is the hash of the genesis document. Data of another one is refused; zero checks nothing.
	Genesis crypto.Hash
	// Logger hears of background work; nil is silent.
	Logger *slog.Logger

	// KeepVersions is how many of the newest heights stay in memory with their tree, for reads without disk
	// and for proofs; 32 by default, at least 2. Under load there may be fewer: a version costs about five
	// times the bytes of its change record, and KeepBytes (16 MiB by default) bounds the sum of the latter.
	KeepVersions int
	KeepBytes    uint64
	// KeepHeights is how many heights below the newest stay readable from disk; 1,000 by default. Each
	// costs its change record, about 400 bytes for a transfer. Older ones leave in steps of a fold.
	KeepHeights uint64
	// KeepHistory is how many heights back the histories of accounts go, at least; KeepAll by default. A
	// transaction costs about 120 bytes in the history of each account it touches, less where there are many.
	KeepHistory uint64
	// NoHistory keeps no histories, for who replays blocks and nothing else. Heights that pass while it is set are
	// missing in the histories for good.
	NoHistory bool

	// FoldInterval and FoldBytes say when change records are folded into flat keys: after that time (a
	// minute), or once they hold that much (128 MiB); as defaults, up to a quarter less. What is not folded is replayed by Open, at several
	// microseconds for each key. A negative interval leaves all background work to FoldOnce.
	FoldInterval time.Duration
	FoldBytes    uint64

	// DiskFreeMin is the free space below which DiskLow reports true (1 GiB), DiskStopMin that below which
	// Open and Commit refuse (256 MiB). Badger maps its files into memory: on a full disk it does not get
	// an error but dies of SIGBUS, so what it may need in the background must remain free.
	DiskFreeMin uint64
	DiskStopMin uint64

	// MemTableBytes is the write buffer of each of the two databases (32 MiB, or up to a quarter less).
	MemTableBytes int64

	oneDatabase bool // begin a store without a journal apart, as older programs did; for tests

	// FailPoint, if set, is called before and after every write with the write's name and ".before" or
	// ".after". An error ends the operation there: the write was lost, or was kept although it failed.
	FailPoint func(name string) error
}

// withDefaults fills in what was left zero.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.KeepVersions, 32)
	setDefault(&o.KeepBytes, 16<<20)
	setDefault(&o.KeepHeights, 1000)
	setDefault(&o.KeepHistory, KeepAll)
	setDefault(&o.FoldInterval, staggered(time.Minute))
	setDefault(&o.FoldBytes, staggered[uint64](128<<20))
	setDefault(&o.DiskFreeMin, 1<<30)
	setDefault(&o.DiskStopMin, 256<<20)
	setDefault(&o.MemTableBytes, staggered[int64](memTableBytes))
	return o
}

// staggered is n or up to a quarter less, by chance. Replicas get the same blocks: with the same limits all of them
// would fold and merge in the same seconds, and the network would be slow as a whole instead of one after the other.
func staggered[T ~int64 | ~uint64](n T) T { return n - rand.N(n/4+1) }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate lists every fault of options that have their defaults.
func (o Options) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.InMemory == (o.Dir != "") {
		fault("a store has either a directory or is in memory")
	}
	if o.KeepVersions < 2 {
		fault("keep versions is %d, must be at least 2: a reader of the newest height would lose it with the next block", o.KeepVersions)
	}
	if o.DiskStopMin > o.DiskFreeMin {
		fault("the store would stop at %d bytes of free disk before it is low at %d", o.DiskStopMin, o.DiskFreeMin)
	}
	if o.MemTableBytes < memTableBytesMin {
		fault("the memtable has %d bytes, must have at least %d", o.MemTableBytes, memTableBytesMin)
	}
	return errors.Join(faults...)
}
