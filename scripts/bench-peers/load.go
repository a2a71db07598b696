package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// work is transactions by number.
type work interface {
	count() int
	tx(i int) []byte
	find(tx []byte) int // -1: not one of ours
}

// chainLoad drives a CometBFT network over its websockets, the fastest of its own ways in: one connection to
// each validator, broadcast_tx_async, and the blocks of the first validator.
type chainLoad struct {
	work  work
	conns []*websocket.Conn
	done  chan struct{}

	next atomic.Int64

	mu        sync.Mutex // guards everything below
	sentAt    []time.Time
	blocks    []seenBlock
	failed    int
	latencies []time.Duration
	fault     error
	room      chan struct{} // of the window; nil without one
}

// seenBlock is when a block was seen, and how many transactions of the load took effect in it.
type seenBlock struct {
	at        time.Time
	committed int
}

// steady is what was committed from the first block to the last one, and how long that took. The first block
// only marks the beginning: its transactions were made before it.
func steady(blocks []seenBlock) (committed int, seconds float64) {
	if len(blocks) < 2 {
		return 0, 0
	}
	for _, b := range blocks[1:] {
		committed += b.committed
	}
	return committed, blocks[len(blocks)-1].at.Sub(blocks[0].at).Seconds()
}

// dialChain connects to all validators as soon as they listen.
func dialChain(ctx context.Context, all []place, w work) (*chainLoad, error) {
	l := &chainLoad{work: w, done: make(chan struct{}), sentAt: make([]time.Time, w.count())}
	for _, p := range all {
		for {
			conn, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+p.rpc()+"/websocket", nil)
			if err == nil {
				l.conns = append(l.conns, conn)
				break
			}
			if !sleep(ctx, 100*time.Millisecond) {
				return nil, fmt.Errorf("connect to %s: %w", p.rpc(), err)
			}
		}
	}
	ask := `{"jsonrpc":"2.0","id":0,"method":"subscribe","params":{"query":"tm.event='NewBlock'"}}`
	if err := l.conns[0].WriteMessage(websocket.TextMessage, []byte(ask)); err != nil {
		return nil, err
	}
	go l.follow()
	for _, conn := range l.conns[1:] {
		go func() { // answers must be read, or the validator stops
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					return
				}
			}
		}()
	}
	return l, nil
}

func (l *chainLoad) close() {
	for _, conn := range l.conns {
		conn.Close()
	}
	<-l.done
}

// newBlock is what of an event is of interest.
type newBlock struct {
	Result struct {
		Data struct {
			Value struct {
				Block struct {
					Data struct {
						Txs [][]byte `json:"txs"`
					} `json:"data"`
				} `json:"block"`
				Finalized struct {
					Results []struct {
						Code uint32 `json:"code"`
					} `json:"tx_results"`
				} `json:"result_finalize_block"`
			} `json:"value"`
		} `json:"data"`
	} `json:"result"`
}

// follow notes the transactions of every block.
func (l *chainLoad) follow() {
	defer close(l.done)
	for {
		_, text, err := l.conns[0].ReadMessage()
		if err != nil {
			return
		}
		now := time.Now()
		if len(text) < 1000 {
			continue // an answer to something sent
		}
		var event newBlock
		if err := json.Unmarshal(text, &event); err != nil {
			l.mu.Lock()
			l.fault = err
			l.mu.Unlock()
			return
		}
		l.see(&event, now)
	}
}

func (l *chainLoad) see(event *newBlock, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	results := event.Result.Data.Value.Finalized.Results
	committed := 0
	for place, tx := range event.Result.Data.Value.Block.Data.Txs {
		i := l.work.find(tx)
		if i < 0 {
			continue
		}
		if place < len(results) && results[place].Code != 0 {
			l.failed++
		} else {
			committed++
			l.latencies = append(l.latencies, now.Sub(l.sentAt[i]))
		}
		if l.room != nil {
			select {
			case <-l.room:
			default:
			}
		}
	}
	l.blocks = append(l.blocks, seenBlock{now, committed})
}

// send hands transaction i to the validator of its turn. begun is when its latency begins.
func (l *chainLoad) send(i int, begun time.Time) error {
	l.mu.Lock()
	l.sentAt[i] = begun
	l.mu.Unlock()
	tx := l.work.tx(i)
	text := append(make([]byte, 0, 100+len(tx)*4/3), `{"jsonrpc":"2.0","id":1,"method":"broadcast_tx_async","params":{"tx":"`...)
	text = base64.StdEncoding.AppendEncode(text, tx)
	text = append(text, `"}}`...)
	return l.conns[i%len(l.conns)].WriteMessage(websocket.TextMessage, text)
}

// full sends as much as goes, with at most window transactions under way, until the context ends. Each
// connection has one sender, as websockets want it.
func (l *chainLoad) full(ctx context.Context, window int) error {
	l.mu.Lock()
	l.room = make(chan struct{}, window)
	l.mu.Unlock()
	first := int(l.next.Load())
	faults := make([]error, len(l.conns))
	var senders sync.WaitGroup
	for c := range l.conns {
		senders.Go(func() {
			for i := first + c; ; i += len(l.conns) {
				if i >= l.work.count() {
					faults[c] = errors.New("out of transactions: the run is longer than what was prepared for it")
					return
				}
				select {
				case l.room <- struct{}{}:
				case <-ctx.Done():
					return
				}
				if faults[c] = l.send(i, time.Now()); faults[c] != nil {
					return
				}
			}
		})
	}
	senders.Wait()
	return errors.Join(faults...)
}

// light sends at a rate with Poisson arrivals; latency begins at the intended time.
func (l *chainLoad) light(ctx context.Context, rate float64, seconds int) error {
	random := rand.New(rand.NewPCG(1, 2))
	due := time.Now()
	end := due.Add(time.Duration(seconds) * time.Second)
	for i := int(l.next.Load()); i < l.work.count(); i++ {
		due = due.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
		if due.After(end) {
			return nil
		}
		if !sleep(ctx, time.Until(due)) {
			return ctx.Err()
		}
		if err := l.send(i, due); err != nil {
			return err
		}
		l.next.Store(int64(i) + 1)
	}
	return nil
}

// blocksSeen is how many blocks there were since the last take.
func (l *chainLoad) blocksSeen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.blocks)
}

// decided is how many transactions were in blocks since the last take.
func (l *chainLoad) decided() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.latencies) + l.failed
}

// take returns what was seen since the last time.
func (l *chainLoad) take() (blocks []seenBlock, failed int, latencies []time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	blocks, failed, latencies, err = l.blocks, l.failed, l.latencies, l.fault
	l.blocks, l.failed, l.latencies = nil, 0, nil
	return blocks, failed, latencies, err
}

// sleep waits, unless the context ends.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// kvWork is key=value pairs of 250 bytes, each with a key of its own.
type kvWork int

const kvBytes = 250

func (w kvWork) count() int { return int(w) }

func (w kvWork) tx(i int) []byte {
	tx := fmt.Appendf(make([]byte, 0, kvBytes), "%010d=", i)
	for len(tx) < kvBytes {
		tx = append(tx, 'x')
	}
	return tx
}

func (w kvWork) find(tx []byte) int {
	if len(tx) != kvBytes || tx[10] != '=' {
		return -1
	}
	n := 0
	for _, c := range tx[:10] {
		n = n*10 + int(c-'0')
	}
	if n < 0 || n >= int(w) {
		return -1
	}
	return n
}
