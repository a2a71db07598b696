package client

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// clockSlackMS is how far this machine's clock may be ahead of block time before nodes take a transfer for
// one that is valid for too long.
const clockSlackMS = 10_000

// load is the transactions of a run: made from their numbers, signed ahead of being sent, and found again by
// their ids.
type load struct {
	picker
	schedule
	accounts *loadAccounts
	asset    crypto.Hash
	amount   []byte
	chainID  string
	genesis  crypto.Hash
	perTx    int // transfers of a transaction
	total    int
	timed    bool // the rate is the caller's: transactions have a time at which they should be sent
	batches  []loadBatch
	perSend  int
	prefill  int // transactions that are signed before the run
	validMS  uint64

	started atomic.Int64 // unix nanoseconds

	mu     sync.Mutex // guards index and signed
	wake   *sync.Cond // somebody may go on: a batch was signed, or sent
	index  map[uint64]uint32
	signed int // batches that are signed, all of them up to here
	sentTo int // batches that were taken for sending
	closed bool
}

// loadBatch is what goes into one request.
type loadBatch struct {
	body   []byte       // length-delimited; nil before it is signed and after it was sent
	ready  bool         // guarded by load.mu
	sentAt atomic.Int64 // nanoseconds after the start
	// refused holds what was not taken in. Its one writer is whoever sends the batch; it is read when all are done.
	refused map[int]bool
	unsure  bool // a node may have taken it in without saying so
}

func newLoad(o BenchOptions, amount ledger.Amount, validForMaxMS uint64) (*load, error) {
	l := &load{
		picker: newPicker(o.Seed, o.Accounts, o.Skew), accounts: newLoadAccounts(o.Accounts, o.Key),
		chainID: o.ChainID, genesis: o.Genesis, asset: ledger.AssetIDOf(o.Asset), amount: amount.Bytes(),
		perTx: o.TransfersPerTx, timed: o.Rate > 0, perSend: o.BatchTxs, index: map[uint64]uint32{},
	}
	l.wake = sync.NewCond(&l.mu)
	rate := o.Rate
	if !l.timed {
		rate = min(benchTopTxs*float64(o.TransfersPerTx), benchTopTransfers)
	}
	if total := rate / float64(o.TransfersPerTx) * o.Duration.Seconds(); total > benchTxsMax {
		return nil, fmt.Errorf("%.0f transactions are more than the %d a run keeps track of: choose a lower rate or a shorter duration", total, benchTxsMax)
	}
	var err error
	if l.schedule, l.total, err = newSchedule(o.Arrivals, rate/float64(o.TransfersPerTx), o.Duration, o.Seed); err != nil {
		return nil, err
	}
	switch {
	case o.Path != PathBatch:
		l.perSend = 1
	case l.perSend == 0 && l.timed:
		l.perSend = max(1, min(benchBatchTxs, int(l.rate*benchBatchTime.Seconds())))
	case l.perSend == 0:
		l.perSend = max(1, benchBatchTxs/max(1, l.perTx/4))
	}
	l.batches = make([]loadBatch, (l.total+l.perSend-1)/l.perSend)
	l.prefill = int(min(int64(l.total), o.PresignBytes/int64(txBytesAbout+transferBytesAbout*l.perTx)))
	// A transaction that is sent late must still be valid: it can be late by as much as the run takes.
	l.validMS = uint64((o.Duration + time.Minute).Milliseconds())
	l.validMS = min(l.validMS, validForMaxMS-min(validForMaxMS/2, clockSlackMS))
	return l, nil
}

// What a transaction takes encoded, with room to spare.
const (
	txBytesAbout       = 180
	transferBytesAbout = 90
)

// span is the transactions of a batch.
func (l *load) span(batch int) (from, to int) {
	return batch * l.perSend, min((batch+1)*l.perSend, l.total)
}

// begun is when the latency of transaction i begins: at its intended time if it has one, so that a generator
// that is held up does not make the network look fast, and else when it was sent.
func (l *load) begun(i int) time.Duration {
	if l.timed {
		return l.due(i)
	}
	return time.Duration(l.batches[i/l.perSend].sentAt.Load())
}

// sign signs what is sent first and returns; the rest is signed while the run goes on, by one goroutine that
// stays as far ahead of the senders. The returned function ends that.
func (l *load) sign(progress func(BenchProgress)) (stop func()) {
	first := min(len(l.batches), max(1, l.prefill/l.perSend))
	progress(BenchProgress{Phase: BenchSigning}) // the first signer may come too late to sign anything
	var next atomic.Int64
	var signers sync.WaitGroup
	for signer := range runtime.GOMAXPROCS(0) {
		signers.Go(func() {
			for {
				batch := int(next.Add(1)) - 1
				if batch >= first {
					return
				}
				l.signBatch(batch)
				if signer == 0 {
					progress(BenchProgress{Phase: BenchSigning, Done: float64(batch) / float64(first)})
				}
			}
		})
	}
	signers.Wait()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for batch := first; batch < len(l.batches) && l.mayGoOn(batch-first); batch++ {
			l.signBatch(batch)
		}
	}()
	return func() {
		l.mu.Lock()
		l.closed = true
		l.wake.Broadcast()
		l.mu.Unlock()
		<-done
	}
}

// mayGoOn waits until the senders have come to a batch; false means that the run is over.
func (l *load) mayGoOn(batch int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.sentTo < batch && !l.closed {
		l.wake.Wait()
	}
	return !l.closed
}

// signBatch makes the transactions of a batch.
func (l *load) signBatch(batch int) {
	from, to := l.span(batch)
	body := make([]byte, 0, (to-from)*(txBytesAbout+transferBytesAbout*l.perTx))
	ids := make([]uint64, 0, to-from)
	for i := from; i < to; i++ {
		raw, id := l.make(i)
		body = ledger.AppendDelimited(body, raw)
		ids = append(ids, short(id))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range ids {
		l.index[id] = uint32(from + i)
	}
	l.batches[batch].body, l.batches[batch].ready = body, true
	for l.signed < len(l.batches) && l.batches[l.signed].ready {
		l.signed++
	}
	l.wake.Broadcast()
}

// make signs transaction i. It does without Draft, which checks more than is needed half a million times.
func (l *load) make(i int) ([]byte, crypto.Hash) {
	untilMS := uint64(time.Now().UnixMilli()) + l.validMS
	if i < l.prefill {
		untilMS += uint64(l.due(i).Milliseconds()) // signed all at once, sent one after another
	}
	payer := l.accounts.at(l.payer(i))
	nonce := crypto.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)), binary.BigEndian.AppendUint64(nil, untilMS))
	body := ledger.Body{
		Version: 1, ChainId: l.chainID, Actor: payer.address[:], Nonce: nonce[:ledger.NonceLen], ValidUntilMs: untilMS,
		Ops: make([]ledger.Op, l.perTx),
	}
	for k := range body.Ops {
		to := l.accounts.at(l.payee(i, k))
		body.Ops[k].Kind = &ledger.Op_Transfer{Transfer: &ledger.Transfer{To: to.address[:], Asset: l.asset[:], Amount: l.amount}}
	}
	text := mustMarshal(&body)
	message := crypto.SignBytes(crypto.TagTx, l.genesis, crypto.Sum(text))
	public := payer.key.Public()
	raw := mustMarshal(&ledger.Tx{Body: text, Sigs: []ledger.Sig{{
		KeyType: uint32(public.Type), PublicKey: public.Bytes, Signature: payer.key.Sign(message[:]),
	}}})
	return raw, crypto.SumTagged(crypto.TagTxID, text)
}

func mustMarshal(m interface{ Marshal() ([]byte, error) }) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic("client: encoding a transfer failed: " + err.Error())
	}
	return b
}

// take waits until a batch is signed and hands its bytes out; nil means that the run is over.
func (l *load) take(batch int) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.batches[batch].ready && !l.closed {
		l.wake.Wait()
	}
	if l.sentTo < batch {
		l.sentTo = batch
		l.wake.Broadcast()
	}
	return l.batches[batch].body
}

// find tells which transaction has the id, if one has. 64 of an id's bits tell millions apart.
func (l *load) find(id []byte) (int, bool) {
	i, ok := l.index[binary.BigEndian.Uint64(id)]
	return int(i), ok
}

func short(id crypto.Hash) uint64 { return binary.BigEndian.Uint64(id[:8]) }
