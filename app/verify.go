package app

import (
	"container/list"
	"runtime"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// verification checks signatures away from everything that must not wait: clients and peers put jobs into
// lanes, workers take batches out of them. A batch never mixes lanes, so that a bad signature, which makes
// its batch cost more, is paid for by the lane it came through.
//
// Consensus does not queue here: what a proposal holds is verified on its own goroutine (now), so however
// long the lanes are, no block waits for them. Their length is bounded by the room in the pool.
type verification struct {
	options  VerifyOptions
	verifier *crypto.Verifier
	genesis  crypto.Hash
	observer Observer
	// settle judges a batch whose signatures are being verified by verify.
	settle func(batch []*job, verify func([]*ledger.Transaction) []bool)

	mu    sync.Mutex
	lanes [laneCount]lane
	turn  int // the lane that is asked first

	wake   chan struct{} // there is work; holds at most one signal
	full   chan struct{} // there is enough work not to wait for more; likewise
	closed chan struct{}
	done   sync.WaitGroup
}

// The lanes.
const (
	// laneLocal is what our own clients sent in batches over HTTP.
	laneLocal = iota
	// lanePeer is what other validators gossip.
	lanePeer
	// laneEngine is what came by the engine's RPC, where a client has no name: all of them share it.
	laneEngine
	// laneSingle is verified one by one: what came from clients that sent a bad signature before.
	laneSingle

	laneCount
)

type lane struct {
	jobs *list.List // of *job, in order of arrival
	txs  int
	// batchTxs shrinks by half with every batch that held a bad signature and doubles with every good one: a
	// lane under attack is verified in small pieces, whose search costs little.
	batchTxs int
}

// job is transactions that came together.
type job struct {
	lane   int
	txs    []*candidate
	frame  [][]byte // what a peer sent, not decoded yet; txs is made of it by the worker
	framed bool     // it came as a frame
	room   claim
	local  bool
	done   chan struct{} // closed when all verdicts are there
	bad    bool          // a signature did not verify
}

func (j *job) size() int { return max(len(j.txs), len(j.frame)) }

// candidate is a transaction on its way into the pool.
type candidate struct {
	key     crypto.Hash // of all bytes
	tx      *ledger.Transaction
	local   bool
	single  bool
	verdict Admission
	merges  []ledger.EntryName // what its merging operations write
	at      time.Time          // when it was verified
}

func newVerification(o VerifyOptions, genesis crypto.Hash, observer Observer) *verification {
	v := &verification{
		options: o.withDefaults(), genesis: genesis, observer: observer,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	v.verifier = crypto.NewVerifier(v.options.KeysCached)
	for i := range v.lanes {
		v.lanes[i] = lane{jobs: list.New(), batchTxs: v.options.BatchTxs}
	}
	return v
}

func (v *verification) start() {
	for range v.options.Workers {
		v.done.Go(v.work)
	}
}

func (v *verification) close() {
	close(v.closed)
	v.done.Wait()
}

// enqueue puts a job into its lane; it is refused, and may be offered again, when the lane already holds
// more than txsMax transactions.
func (v *verification) enqueue(j *job, txsMax int) bool {
	v.mu.Lock()
	l := &v.lanes[j.lane]
	if l.txs+j.size() > txsMax {
		v.mu.Unlock()
		return false
	}
	l.jobs.PushBack(j)
	l.txs += j.size()
	enough := l.txs >= min(gatherTxs, v.options.BatchTxs)
	v.mu.Unlock()
	signal(v.wake)
	if enough {
		signal(v.full)
	}
	return true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// work verifies batches until the verification is closed.
func (v *verification) work() {
	for {
		select {
		case <-v.closed:
			return
		case <-v.wake:
		}
		v.gather()
		for batch := v.take(); len(batch) > 0; batch = v.take() {
			select {
			case <-v.closed:
				return
			default:
			}
			v.check(batch)
		}
	}
}

// gather waits a moment for a small batch to grow.
func (v *verification) gather() {
	if v.options.Gather < 0 {
		return
	}
	timer := time.NewTimer(v.options.Gather)
	defer timer.Stop()
	select {
	case <-v.full:
	case <-timer.C:
	case <-v.closed:
	}
}

// take removes a batch from the lane whose turn it is. With several workers it wakes the next one.
func (v *verification) take() []*job {
	v.mu.Lock()
	defer v.mu.Unlock()
	for range laneCount {
		l := &v.lanes[v.turn]
		most := l.batchTxs
		if v.turn == laneSingle {
			most = min(most, singleTurnTxs)
		}
		v.turn = (v.turn + 1) % laneCount
		if batch := l.take(most); len(batch) > 0 {
			if v.options.Workers > 1 {
				signal(v.wake)
			}
			return batch
		}
	}
	return nil
}

// take removes jobs of up to most transactions, but at least one job.
func (l *lane) take(most int) (batch []*job) {
	txs := 0
	for first := l.jobs.Front(); first != nil; first = l.jobs.Front() {
		j := first.Value.(*job)
		if len(batch) > 0 && txs+j.size() > most {
			break
		}
		l.jobs.Remove(first)
		txs += j.size()
		batch = append(batch, j)
	}
	l.txs -= txs
	return batch
}

// check verifies a batch and adapts its lane to what came out.
func (v *verification) check(batch []*job) {
	verify := v.background
	if batch[0].lane == laneSingle {
		verify = v.singly
	}
	v.settle(batch, verify)
	bad := false
	for _, j := range batch {
		bad = bad || j.bad
	}
	v.mu.Lock()
	l := &v.lanes[batch[0].lane]
	if bad {
		l.batchTxs = max(1, l.batchTxs/2)
	} else {
		l.batchTxs = min(v.options.BatchTxs, l.batchTxs*2)
	}
	v.mu.Unlock()
	for _, j := range batch {
		close(j.done)
	}
}

// background verifies in one batch, on the worker that calls it.
func (v *verification) background(txs []*ledger.Transaction) (good []bool) {
	started := time.Now()
	signed, owner := v.signed(txs)
	good = make([]bool, len(txs))
	for i := range good {
		good[i] = true
	}
	bad := v.verifier.Verify(signed)
	for _, i := range bad {
		good[owner[i]] = false
	}
	v.observer.Verified(len(signed), len(bad), time.Since(started))
	return good
}

// singly verifies one transaction after another, so that none of them can make another cost more.
func (v *verification) singly(txs []*ledger.Transaction) (good []bool) {
	good = make([]bool, 0, len(txs))
	for i := range txs {
		good = append(good, v.background(txs[i:i+1])...)
	}
	return good
}

// now verifies at once, for consensus, on all processors.
func (v *verification) now(txs []*ledger.Transaction) (good []bool) {
	workers := min(runtime.GOMAXPROCS(0), 1+len(txs)/gatherTxs)
	if workers <= 1 {
		return v.background(txs)
	}
	good = make([]bool, len(txs))
	var done sync.WaitGroup
	for w := range workers {
		from, to := len(txs)*w/workers, len(txs)*(w+1)/workers
		done.Go(func() { copy(good[from:to], v.background(txs[from:to])) })
	}
	done.Wait()
	return good
}

// signed lists what must verify, and for each signature the transaction it belongs to.
func (v *verification) signed(txs []*ledger.Transaction) (signed []crypto.Signed, owner []int) {
	signed, owner = make([]crypto.Signed, 0, len(txs)), make([]int, 0, len(txs))
	messages := make([][crypto.SignBytesSize]byte, len(txs))
	for i, t := range txs {
		messages[i] = t.SignBytes(v.genesis)
		signed = t.AppendSigned(signed, messages[i][:])
		for len(owner) < len(signed) {
			owner = append(owner, i)
		}
	}
	return signed, owner
}
