package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// The history of an account is the list of transactions that are in its log, by number. It is written in the
// background from change records, in groups of consecutive transactions, some minutes' worth of records at a
// time: an account that many blocks touch costs few keys. What is not written yet is read from the records
// themselves, which are kept until then.

const (
	// historyGroupMax is how many transactions make a group, 4 KiB: a reader decodes a whole one to find a
	// page's beginning. A block that touches an account more often than that is cut as well.
	historyGroupMax = 128
	// historyStepBytes bounds the change records that are worked on at once, and thereby memory, to about half
	// as much again. It also bounds what a reader must look through for what is not written yet.
	historyStepBytes = 32 << 20
	// historyHeightsMax does the same for a chain without transactions.
	historyHeightsMax = 4096
	// historyPageMax bounds what one call returns.
	historyPageMax = 1000
)

// histories say how far the histories of accounts are written. Guarded by Store.mu.
type histories struct {
	from    uint64 // heights below this are written
	base    uint64 // nothing is known of the heights below this
	horizon uint64 // what is below this height may be dropped
	pending uint64 // bytes of the change records from there on
	marks   []historyMark
}

// historyMark is a durable note of how far histories are written; the highest counts. What it says is in the key
// alone, so that no key is ever written with two values.
type historyMark struct{ from, base, horizon uint64 }

func (m historyMark) key() []byte {
	b := heightKey(kindWritten, m.from)
	b = binary.BigEndian.AppendUint64(b, m.base)
	return binary.BigEndian.AppendUint64(b, m.horizon)
}

func decodeHistoryMark(key []byte) historyMark {
	return historyMark{numberOf(key), binary.BigEndian.Uint64(key[9:]), binary.BigEndian.Uint64(key[17:])}
}

func historyKey(account crypto.Address, seq uint64) []byte {
	b := append(append(make([]byte, 0, 1+len(account)+8), kindHistory), account[:]...)
	return binary.BigEndian.AppendUint64(b, seq)
}

// readHistories finds out how far histories are written. Without a mark they begin with the lowest record that
// says which accounts it touched and that all later ones follow: on a state that came from elsewhere, above it.
func (l *loader) readHistories() error {
	h := histories{}
	err := eachKey(l.txn, []byte{kindWritten}, func(item *badger.Item) (bool, error) {
		m := decodeHistoryMark(item.Key())
		h.marks = append(h.marks, m)
		h.from, h.base, h.horizon = m.from, m.base, m.horizon // marks are in order of from
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read history marks: %w", err)
	}
	if lowest := l.s.lowest; len(h.marks) > 0 && lowest > h.from {
		// The records between went while no histories were kept. It is the state before a log's first entry that
		// shows it to be true.
		h.base = max(lowest, l.s.first()+1)
		h.from = h.base
	}
	heads, err := l.s.heads(l.txn, h.from, newest, math.MaxInt)
	if err != nil {
		return err
	}
	if len(h.marks) == 0 {
		for i, e := range heads {
			if i == 0 || e.Format == FormatFirst {
				h.base = e.Height + 1
			}
		}
		h.from = h.base
	}
	for _, e := range heads {
		if e.Height >= h.from {
			h.pending += e.Bytes
		}
	}
	l.s.histories = h
	return nil
}

// historyDue reports whether there is enough to write, or it has waited long enough. It needs tidying.
func (s *Store) historyDue() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.histories.pending >= min(historyStepBytes, s.options.FoldBytes/4) || time.Since(s.folding.history) >= s.options.FoldInterval
}

// writeHistories writes, step by step, what there is.
func (s *Store) writeHistories() error {
	for {
		if more, err := s.historyStep(); err != nil || !more {
			return err
		}
	}
}

// historyStep brings some heights into the histories. Groups are written first, in any number of transactions, then
// the seal, and the mark last. A crash in between leaves groups; the next step begins at the same height and writes them
// again, the same or longer ones, at a later time.
func (s *Store) historyStep() (more bool, err error) {
	s.mu.RLock()
	h, head, durable := s.histories, s.current().Height, s.durable
	s.mu.RUnlock()
	if !durable || h.from > head {
		return false, nil
	}
	if s.options.NoHistory {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.histories.from, s.histories.base, s.histories.pending = head+1, head+1, 0
		return false, nil
	}
	w := &historyWriter{s: s, h: h}
	if err := w.gather(head); err != nil {
		return false, fmt.Errorf("write histories from height %d: %w", h.from, err)
	}
	if err := w.write(); err != nil {
		return false, fmt.Errorf("write histories of heights %d to %d: %w", h.from, w.to, err)
	}
	mark := historyMark{from: w.to + 1, base: h.base, horizon: s.nextHorizon(h, head)}
	err = s.commitOne("history.mark", putTime, []*badger.Entry{badger.NewEntry(mark.key(), nil)})
	if err != nil {
		return false, fmt.Errorf("write histories of heights %d to %d: %w", h.from, w.to, err)
	}
	s.mu.Lock()
	s.histories.from, s.histories.horizon = mark.from, mark.horizon
	s.histories.pending -= w.size
	s.histories.marks = []historyMark{mark}
	s.mu.Unlock()
	if err := s.dropMarks(h.marks); err != nil {
		return false, err
	}
	return w.to < head, nil
}

// dropMarks drops marks that a higher one has replaced. A crash before leaves them for the next time.
func (s *Store) dropMarks(marks []historyMark) error {
	if len(marks) == 0 {
		return nil
	}
	var keys [][]byte
	for _, m := range marks {
		keys = append(keys, m.key())
	}
	return s.dropAll("history.unmark", dropTime, keys)
}

// historyWriter turns change records into groups.
type historyWriter struct {
	s      *Store
	h      histories
	to     uint64 // the last height
	size   uint64 // of the records
	blocks []*blockTouches
	order  []placedTouch
}

// placedTouch is a touch with what it is sorted by.
type placedTouch struct {
	head    uint64 // the beginning of the account's id
	block   int    // place in blocks
	touch   touch
	account *crypto.Address
}

// gather reads the records of as many heights as one step takes.
func (w *historyWriter) gather(head uint64) error {
	return w.s.read(newest, func(txn *reader) error {
		heads, err := w.s.heads(txn, w.h.from, head, historyHeightsMax)
		if err != nil {
			return err
		}
		if len(heads) == 0 {
			return fmt.Errorf("there is no head from %d to %d", w.h.from, head)
		}
		for _, e := range heads {
			if w.size > 0 && w.size+e.Bytes > historyStepBytes {
				break
			}
			b, err := readTouches(txn, e)
			if err != nil {
				return err
			}
			w.to = e.Height
			w.size += e.Bytes
			if len(b.touches) > 0 {
				w.blocks = append(w.blocks, b)
			}
		}
		return nil
	})
}

// write sorts the touches by account and writes each account's groups.
func (w *historyWriter) write() error {
	for i, b := range w.blocks {
		for _, t := range b.touches {
			id := &b.ends[t.account].id
			w.order = append(w.order, placedTouch{binary.BigEndian.Uint64(id[:]), i, t, id})
		}
	}
	slices.SortFunc(w.order, func(a, b placedTouch) int {
		switch {
		case a.head != b.head:
			return cmp.Compare(a.head, b.head)
		case *a.account != *b.account:
			return bytes.Compare(a.account[:], b.account[:])
		case a.block != b.block:
			return a.block - b.block
		}
		return a.touch.tx - b.touch.tx
	})
	out := &groupWriter{batch: w.s.newBatch("history", flatTime(w.to))}
	for from := 0; from < len(w.order); {
		to := from + 1
		for to < len(w.order) && *w.order[to].account == *w.order[from].account {
			to++
		}
		if err := w.account(out, w.order[from:to]); err != nil {
			return err
		}
		from = to
	}
	return out.batch.seal(kindWritten)
}

// account writes the groups of one account. A group ends where a block does, so that its head is known; only
// what one block alone makes too long is cut inside of it.
func (w *historyWriter) account(out *groupWriter, touches []placedTouch) error {
	id := *touches[0].account
	for from := 0; from < len(touches); {
		to := from + 1
		for to < len(touches) && touches[to].block == touches[from].block {
			to++
		}
		b := w.blocks[touches[from].block]
		end, n := b.ends[touches[from].touch.account], uint64(to-from)
		if end.count < n {
			return fmt.Errorf("account %s: %d transactions of height %d are in a log of %d", id, n, b.Height, end.count)
		}
		if from == 0 {
			if err := w.anchor(out, id, end.count-n); err != nil {
				return err
			}
			out.begin(id, end.count-n+1)
		}
		if want := out.first + uint64(len(out.entries)) + n - 1; end.count != want {
			return fmt.Errorf("account %s: its log has %d transactions after height %d, the records before say %d", id, end.count, b.Height, want)
		}
		if len(out.entries) > 0 && len(out.entries)+to-from > historyGroupMax {
			if err := out.close(true); err != nil {
				return err
			}
		}
		for _, t := range touches[from:to] {
			if len(out.entries) == historyGroupMax {
				if err := out.close(false); err != nil {
					return err
				}
			}
			out.add(ledger.LogEntry{Height: b.Height, TimeMS: b.TimeMS, TxID: b.ids[t.touch.tx]})
		}
		out.head = end.head
		from = to
	}
	return out.close(true)
}

// anchor notes the head of a log before its next group, where the histories do not begin with the chain and the
// group before is not there: without it nobody could tell whether the next one is true.
func (w *historyWriter) anchor(out *groupWriter, id crypto.Address, count uint64) error {
	if w.h.base <= 1 || count == 0 {
		return nil
	}
	last, err := w.s.lastWritten(id, count)
	if err != nil || last >= count {
		return err
	}
	head, ok, err := w.s.logAt(id, w.h.from-1, count)
	if err != nil || !ok {
		return err
	}
	return out.batch.add(kindHistory, historyKey(id, count)[1:], appendGroup(nil, groupAnchor, head, nil), true)
}

// lastWritten is the number of the last transaction in an account's history that is not far above seq; zero if
// there is none.
func (s *Store) lastWritten(id crypto.Address, seq uint64) (last uint64, err error) {
	err = s.read(newest, func(txn *reader) error {
		return eachGroup(txn, id, seq, func(g group) (bool, error) {
			last = g.last()
			return false, nil
		})
	})
	return last, err
}

// logAt is the head of an account's log at a height, if that can be read and the log has so many transactions.
func (s *Store) logAt(id crypto.Address, height, count uint64) (crypto.Hash, bool, error) {
	value, err := s.valueAt(height, ledger.KeyAccount(id))
	switch {
	case err != nil && isPruned(err):
		return crypto.Hash{}, false, nil
	case err != nil || value == nil:
		return crypto.Hash{}, false, err
	}
	a, err := ledger.DecodeAccount(value)
	return a.LogHead, err == nil && a.LogCount == count, err
}
