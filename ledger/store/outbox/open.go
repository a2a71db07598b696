package outbox

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Options say where an outbox is and how much it may hold. Dir and Genesis are needed; a zero bound takes its default.
type Options struct {
	Dir     string
	Genesis crypto.Hash
	// InMemory keeps nothing, for tests; Dir is then empty.
	InMemory bool
	// Logger gets what Badger has to say; nil is silent.
	Logger *slog.Logger

	TxsMax, BytesMax, AccountTxsMax int
}

// Outbox is the transactions that wait, and how others ended. It may be used by any number of goroutines.
type Outbox struct {
	options Options
	db      *badger.DB

	// writing is held by the one who writes, so that nobody hears of what is not yet on disk.
	writing sync.Mutex

	mu     sync.Mutex // guards everything below, and is never held during a write
	index  map[ledger.TxID]*waiting
	order  []*waiting // by when they were accepted; those that ended leave holes until it is tidied
	bytes  int
	held   map[crypto.Address]int
	finals map[ledger.TxID]Final
	ended  []Final // those of finals, by when they ended
	closed bool
}

// waiting is what is known in memory of a transaction that waits.
type waiting struct {
	id         ledger.TxID
	account    crypto.Address
	size       int
	receivedMS uint64
	untilMS    uint64

	tries  int    // in a row that were refused
	nextMS uint64 // when it is to be passed on again
	gone   bool   // it has ended
}

// ErrOtherChain says that an outbox holds transactions of another network.
var ErrOtherChain = errors.New("it holds transactions of another network")

var errClosed = errors.New("the outbox is closed")

// Open opens an outbox and reads what waits in it. A transaction that cannot be read is an error and not skipped:
// somebody was promised that it is kept.
func Open(o Options) (*Outbox, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.TxsMax, o.BytesMax = orDefault(o.TxsMax, TxsMax), orDefault(o.BytesMax, BytesMax)
	o.AccountTxsMax = orDefault(o.AccountTxsMax, AccountTxsMax)
	db, err := badger.Open(badger.DefaultOptions(o.Dir).
		WithInMemory(o.InMemory).
		WithLogger(badgerLog{o.Logger}).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithCompression(options.None).
		WithMetricsEnabled(false).
		WithMemTableSize(memTableBytes).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithBlockCacheSize(0).
		WithIndexCacheSize(indexCacheBytes).
		WithValueThreshold(memTableBytes / 10).
		WithValueLogFileSize(valueLogBytes))
	if err != nil {
		return nil, fmt.Errorf("open the outbox: %w", err)
	}
	b := &Outbox{
		options: o, db: db, index: map[ledger.TxID]*waiting{}, held: map[crypto.Address]int{}, finals: map[ledger.TxID]Final{},
	}
	if err := b.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the outbox %s: %w", o.Dir, err), db.Close())
	}
	return b, nil
}

// Close ends the use of the outbox. What waits is on disk already.
func (b *Outbox) Close() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.db.Close()
}

// load reads everything, and marks a new outbox as this network's.
func (b *Outbox) load() error {
	fresh := true
	err := b.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			fresh = false
			if err := b.loadItem(it.Item()); err != nil {
				return fmt.Errorf("key %x: %w", it.Item().Key(), err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(b.order, func(x, y *waiting) int {
		return cmp.Or(cmp.Compare(x.receivedMS, y.receivedMS), bytes.Compare(x.id[:], y.id[:]))
	})
	slices.SortFunc(b.ended, func(x, y Final) int { return cmp.Compare(x.AtMS, y.AtMS) })
	if !fresh {
		return nil
	}
	return b.db.Update(func(txn *badger.Txn) error {
		return txn.Set([]byte{kindChain}, append([]byte{formatVersion}, b.options.Genesis[:]...))
	})
}

// loadItem takes in one pair of key and value.
func (b *Outbox) loadItem(item *badger.Item) error {
	value, err := item.ValueCopy(nil)
	if err != nil {
		return err
	}
	if k := item.Key(); len(k) == 1 && k[0] == kindChain {
		if len(value) != 1+crypto.HashSize || value[0] != formatVersion {
			return errFormat
		}
		if !bytes.Equal(value[1:], b.options.Genesis[:]) {
			return ErrOtherChain
		}
		return nil
	}
	kind, id, err := decodeKey(item.Key())
	if err != nil {
		return err
	}
	switch kind {
	case kindWaiting:
		receivedMS, tx, err := decodeWaiting(value)
		if err != nil {
			return err
		}
		if tx.ID != id {
			return fmt.Errorf("it holds transaction %s", tx.ID)
		}
		b.insert(tx, receivedMS)
	case kindFinal:
		final, err := decodeFinal(id, value)
		if err != nil {
			return err
		}
		b.finals[id] = final
		b.ended = append(b.ended, final)
	default:
		return errFormat
	}
	return nil
}

func orDefault(value, otherwise int) int {
	if value <= 0 {
		return otherwise
	}
	return value
}

// badgerLog passes on what Badger has to say. Its routine messages are of no interest beside ours.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) say(level func(string, ...any), format string, args []any) {
	level("badger: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Errorf implements badger.Logger, as do the next three.
func (l badgerLog) Errorf(format string, args ...any)   { l.say(l.log.Error, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.say(l.log.Warn, format, args) }
func (l badgerLog) Infof(format string, args ...any)    { l.say(l.log.Debug, format, args) }
func (l badgerLog) Debugf(string, ...any)               {}
