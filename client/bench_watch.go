package client

import (
	"context"
	"time"
)

// watch looks at the network once a second while a run goes on.
type watch struct {
	// Written by run alone, and read when it has ended.
	seconds []BenchSecond
	rssMax  int64
	poolMax int
}

// BenchSecond is one second of a run.
type BenchSecond struct {
	Second    int   `json:"second"`
	Sent      int   `json:"sent"`      // transactions, in this second
	Committed int   `json:"committed"` // likewise
	Backlog   int   `json:"backlog"`   // accepted and not decided, at its end
	PoolTxs   int   `json:"pool_txs"`  // of the fullest node
	RSSBytes  int64 `json:"rss_bytes"` // of the largest node
}

// watchTimeout keeps a node that is too busy to answer from holding up the others' figures.
const watchTimeout = 900 * time.Millisecond

// run notes a line per second until the context ends.
func (w *watch) run(ctx context.Context, b *bench) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var sent, committed int
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := BenchSecond{Second: len(w.seconds) + 1}
		s.Sent, s.Committed = int(b.sent.Load())-sent, int(b.follow.committed.Load())-committed
		sent, committed = sent+s.Sent, committed+s.Committed
		s.Backlog = int(b.accepted() - b.follow.decided.Load())
		asking, cancel := context.WithTimeout(ctx, watchTimeout)
		for _, node := range b.client.StatusAll(asking) {
			if node.Err == nil {
				s.PoolTxs = max(s.PoolTxs, node.Status.PoolTxs)
				s.RSSBytes = max(s.RSSBytes, node.Status.RSSBytes)
			}
		}
		cancel()
		w.seconds = append(w.seconds, s)
		w.rssMax, w.poolMax = max(w.rssMax, s.RSSBytes), max(w.poolMax, s.PoolTxs)
	}
}
