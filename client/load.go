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

// load is the transfers of a run: made from their numbers, signed ahead of being sent, and found again by
// their ids. Transfer i is paid by account i mod n, to all the others in turn, so that every account pays and
// gets about the same.
type load struct {
	keys    []crypto.PrivateKey
	ids     []crypto.Address
	asset   crypto.Hash
	amount  []byte
	chainID string
	genesis crypto.Hash
	total   int
	rate    float64 // for which transfers are spread over time
	timed   bool    // the rate is the caller's: transfers have a time at which they should be sent
	batches []loadBatch
	perSend int
	validMS uint64

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
		keys: o.Keys, chainID: o.ChainID, genesis: o.Genesis, asset: ledger.AssetIDOf(o.Asset), amount: amount.Bytes(),
		rate: o.Rate, timed: o.Rate > 0, perSend: o.BatchTxs, index: map[uint64]uint32{},
	}
	l.wake = sync.NewCond(&l.mu)
	if !l.timed {
		l.rate = benchTopRate
	}
	if l.perSend == 0 {
		l.perSend = benchBatchTxs
		if l.timed {
			l.perSend = max(1, min(benchBatchTxs, int(l.rate*benchBatchTime.Seconds())))
		}
	}
	total := l.rate * o.Duration.Seconds()
	if total > benchTxsMax {
		return nil, fmt.Errorf("%.0f transfers are more than the %d a run keeps track of: choose a lower rate or a shorter duration", total, benchTxsMax)
	}
	l.total = max(1, int(total))
	l.batches = make([]loadBatch, (l.total+l.perSend-1)/l.perSend)
	// A transfer that is sent late must still be valid: it can be late by as much as the run takes.
	l.validMS = uint64((o.Duration + time.Minute).Milliseconds())
	l.validMS = min(l.validMS, validForMaxMS-min(validForMaxMS/2, clockSlackMS))
	for i := range l.keys {
		l.ids = append(l.ids, l.keys[i].Public().Address())
	}
	return l, nil
}

// payer and payee are the accounts of transfer i.
func (l *load) payer(i int) int { return i % len(l.ids) }

func (l *load) payee(i int) int {
	n := len(l.ids)
	return (i + 1 + (i/n)%(n-1)) % n
}

// span is the transfers of a batch.
func (l *load) span(batch int) (from, to int) {
	return batch * l.perSend, min((batch+1)*l.perSend, l.total)
}

// due is when transfer i should be sent, after the start.
func (l *load) due(i int) time.Duration {
	return time.Duration(float64(i) / l.rate * float64(time.Second))
}

// begun is when the latency of transfer i begins: at its intended time if it has one, so that a generator
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
	first := min(len(l.batches), max(1, benchPrefill/l.perSend))
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

// signBatch makes the transfers of a batch.
func (l *load) signBatch(batch int) {
	from, to := l.span(batch)
	body := make([]byte, 0, (to-from)*256)
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

// make signs transfer i. It does without Draft, which checks more than is needed half a million times.
func (l *load) make(i int) ([]byte, crypto.Hash) {
	untilMS := uint64(time.Now().UnixMilli()) + l.validMS
	if i < benchPrefill {
		untilMS += uint64(l.due(i).Milliseconds()) // signed all at once, sent one after another
	}
	nonce := crypto.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)), binary.BigEndian.AppendUint64(nil, untilMS))
	body := ledger.Body{
		Version: 1, ChainId: l.chainID, Actor: l.ids[l.payer(i)][:], Nonce: nonce[:ledger.NonceLen], ValidUntilMs: untilMS,
		Ops: []ledger.Op{{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
			To: l.ids[l.payee(i)][:], Asset: l.asset[:], Amount: l.amount,
		}}}},
	}
	text := mustMarshal(&body)
	message := crypto.SignBytes(crypto.TagTx, l.genesis, crypto.Sum(text))
	key := l.keys[l.payer(i)]
	public := key.Public()
	raw := mustMarshal(&ledger.Tx{Body: text, Sigs: []ledger.Sig{{
		KeyType: uint32(public.Type), PublicKey: public.Bytes, Signature: key.Sign(message[:]),
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
	l.sentTo = max(l.sentTo, batch)
	l.wake.Broadcast()
	return l.batches[batch].body
}

// find tells which transfer has the id, if one has. 64 of an id's bits tell millions of transfers apart.
func (l *load) find(id []byte) (int, bool) {
	i, ok := l.index[binary.BigEndian.Uint64(id)]
	return int(i), ok
}

func short(id crypto.Hash) uint64 { return binary.BigEndian.Uint64(id[:8]) }
