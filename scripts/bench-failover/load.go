package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// payers is how many accounts pay, in turn.
const payers = 64

// validFor must outlast a repetition and stay below the ledger's ten minutes.
const validFor = 5 * time.Minute

// request is one write, signed once: a payment of one unit to an account that nobody else pays.
type request struct {
	number int
	to     crypto.Address
	tx     client.Signed
}

// payee is the account that write n pays. Nobody has its key, and nobody needs it.
func payee(n int) crypto.Address {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("bench-failover/payee/"), uint64(n)))
}

// chain is what a signature covers.
type chain struct {
	id      string
	genesis crypto.Hash
}

// sign makes the writes first to first+n-1.
func (c chain) sign(first, n int) ([]request, error) {
	keys := make([]crypto.PrivateKey, payers)
	for i := range keys {
		keys[i] = genesis.BenchKey(benchSeed, i)
	}
	out := make([]request, n)
	for i := range out {
		number := first + i
		key := keys[number%payers]
		tx, err := client.NewTx(c.id, c.genesis, key.Public().Address()).
			Transfer(payee(number), genesis.DevAsset, ledger.Amount{Lo: 1}).ValidFor(validFor).Sign(key)
		if err != nil {
			return nil, err
		}
		out[i] = request{number, payee(number), tx}
	}
	return out, nil
}

// load is an open loop: what is sent when is fixed beforehand, whatever becomes of what was sent earlier.
type load struct {
	sys      system
	requests []request // those of writes
	begun    time.Time
	patience time.Duration

	mu       sync.Mutex // guards what follows
	outcomes []outcome
	acked    []int // writes, in the order of their acknowledgement
}

// recent is how many of the last acknowledged writes a read picks from: one of them is what a stale node lacks.
const recent = 20

// run sends for so long: a write, a local read, a write, a strong read, and so on, at equal distances. It returns when the
// last request is answered or given up.
func (l *load) run(ctx context.Context, rate float64, span time.Duration) {
	var pending sync.WaitGroup
	step := time.Duration(float64(time.Second) / rate)
	order := [...]kind{write, local, write, strong}
	writes := 0
	for i := 0; ; i++ {
		due := time.Duration(i) * step
		if due >= span || !sleep(ctx, time.Until(l.begun.Add(due))) {
			break
		}
		o := outcome{number: i, kind: order[i%len(order)], due: due}
		if o.kind == write {
			o.number = writes
			writes++
		}
		pending.Go(func() { l.one(ctx, o) })
	}
	pending.Wait()
}

// one does a request and notes what became of it.
func (l *load) one(ctx context.Context, o outcome) {
	ctx, cancel := context.WithDeadline(ctx, l.begun.Add(o.due+l.patience))
	defer cancel()
	if o.kind == write {
		o.err = l.sys.write(ctx, l.requests[o.number])
	} else {
		o.stale, o.err = l.read(ctx, o)
	}
	o.done = time.Since(l.begun)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes = append(l.outcomes, o)
	if o.kind == write && o.err == nil {
		l.acked = append(l.acked, o.number)
	}
}

// read asks for what one of the last acknowledged writes paid; an answer of nothing is stale.
func (l *load) read(ctx context.Context, o outcome) (stale bool, err error) {
	l.mu.Lock()
	n := -1
	if len(l.acked) > 0 {
		back := min(recent, len(l.acked))
		n = l.acked[len(l.acked)-1-o.number%back]
	}
	l.mu.Unlock()
	if n < 0 {
		_, err = l.sys.read(ctx, o.kind, l.requests[0])
		return false, err
	}
	amount, err := l.sys.read(ctx, o.kind, l.requests[n])
	return err == nil && amount == 0, err
}

// audit reads what each write paid, from the state after recovery.
func audit(ctx context.Context, sys system, requests []request) (map[int]uint64, error) {
	const readers = 8
	amounts := make(map[int]uint64, len(requests))
	faults := make([]error, readers)
	var mu sync.Mutex // guards amounts
	var failed atomic.Bool
	var done sync.WaitGroup
	for w := range readers {
		done.Go(func() {
			for i := w; i < len(requests) && !failed.Load(); i += readers {
				amount, err := patiently(ctx, func(ctx context.Context) (uint64, error) { return sys.inspect(ctx, requests[i]) })
				if err != nil {
					failed.Store(true)
					faults[w] = fmt.Errorf("audit write %d: %w", requests[i].number, err)
					return
				}
				mu.Lock()
				amounts[requests[i].number] = amount
				mu.Unlock()
			}
		})
	}
	done.Wait()
	return amounts, errors.Join(faults...)
}

// patiently tries again for a while what failed.
func patiently[T any](ctx context.Context, try func(context.Context) (T, error)) (T, error) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		one, cancel := context.WithTimeout(ctx, 3*time.Second)
		out, err := try(one)
		cancel()
		if err == nil || time.Now().After(deadline) || !sleep(ctx, 200*time.Millisecond) {
			return out, err
		}
	}
}
