package e2e

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// load is clients that pay one another all the time, one client for each of the given validators first and
// the others as a way out, and note what they were told.
type load struct {
	net    *network
	cancel context.CancelFunc
	done   sync.WaitGroup

	acks atomic.Int64

	mu           sync.Mutex // guards what follows
	acknowledged []crypto.Hash
	unknown      []client.Signed
}

// startLoad begins to send. senders is how many payments are in flight for each validator.
func (n *network) startLoad(senders int, indexes ...int) *load {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{net: n, cancel: cancel}
	for k, p := range n.pick(indexes) {
		// The client tries its own validator first and may then go to any other.
		urls := []string{n.url(p.index)}
		for _, q := range n.nodes {
			if q != p {
				urls = append(urls, n.url(q.index))
			}
		}
		c, err := client.New(client.Options{Endpoints: urls, Policy: balance.Listed})
		if err != nil {
			n.t.Fatal(err)
		}
		for s := range senders {
			l.done.Add(1)
			go l.send(ctx, c, funded[(k+s)%len(funded)], funded[(k+s+1)%len(funded)])
		}
	}
	return l
}

func (l *load) send(ctx context.Context, c *client.Client, from, to string) {
	defer l.done.Done()
	for cents := uint64(1); ctx.Err() == nil; cents++ {
		tx := l.net.transfer(from, to, cents%7+1)
		l.settle(c, tx)
	}
}

// settle submits one payment and notes the answer. It is not interrupted by the end of the load, so that as
// few payments as possible end in doubt.
func (l *load) settle(c *client.Client, tx client.Signed) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := c.Submit(ctx, tx.Raw)
	var status rpc.TxStatus
	if err == nil {
		status, err = c.WaitCommitted(ctx, tx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && status.Status == rpc.StatusCommitted {
		l.acknowledged = append(l.acknowledged, tx.TxID)
		l.acks.Add(1)
	} else {
		l.unknown = append(l.unknown, tx)
	}
}

// untilMore waits until so many further payments have been acknowledged.
func (l *load) untilMore(count int64) {
	l.net.t.Helper()
	want := l.acks.Load() + count
	l.net.until("payments are acknowledged", func() bool { return l.acks.Load() >= want })
}

// stop ends the load and returns what was acknowledged.
func (l *load) stop() []crypto.Hash {
	l.cancel()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.net.t.Logf("load: %d payments acknowledged, %d in doubt", len(l.acknowledged), len(l.unknown))
	return l.acknowledged
}
