package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// The operator of a network with one validator is this program: it looks at the active node's health, and when that is
// gone it fences the node, moves its identity to the follower that is furthest, and starts that as the validator. A human
// would do the same, after having been woken, having looked, and having decided: minutes that are not in the figures.
const (
	// healthEvery, healthWait and healthFails decide that the active node is gone: three checks in a row.
	healthEvery = 200 * time.Millisecond
	healthWait  = 500 * time.Millisecond
	healthFails = 3
)

// watch is the operator at work, or the client's own probes, until the context ends.
func (t *tetrad) watch(ctx context.Context) {
	if t.strong != nil {
		go t.strong.Verified().Client().Run(ctx)
	}
	go t.clients.Run(ctx)
	if !t.passive {
		<-ctx.Done()
		return
	}
	fails := 0
	for sleep(ctx, healthEvery) {
		if t.healthy(ctx) {
			fails = 0
		} else if fails++; fails == healthFails && ctx.Err() == nil {
			if err := t.promote(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "operator:", err)
			}
			return // one promotion is what a repetition is about
		}
	}
}

// healthy asks the active node whether it lives and its blocks are young.
func (t *tetrad) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	var answer any
	return getJSON(ctx, "http://"+t.at(int(t.active.Load()), tetradAPI)+rpc.PathReady+"?max_age=3s", &answer) == nil
}

// promote makes a follower the validator. All followers are stopped for it: in their memory and in their logs of consensus
// are votes of the old validator for a block that nobody has, and with one of them they would hold the new validator to that
// block for ever.
func (t *tetrad) promote(ctx context.Context) error {
	old := int(t.active.Load())
	if err := t.lab.kill(old); err != nil { // the fence: from here on the old one signs nothing
		return fmt.Errorf("fence node %d: %w", old, err)
	}
	next, height, err := t.furthest(ctx, old)
	if err != nil {
		return err
	}
	if err := t.stopFollowers(old); err != nil {
		return err
	}
	if err := t.handOver(old, next, height); err != nil {
		return err
	}
	for k := range tetradNodes {
		if i := (next + k) % tetradNodes; i != old { // the new validator first
			if err := t.lab.again(i); err != nil {
				return err
			}
		}
	}
	if err := t.awaitHeight(ctx, next, height+1); err != nil {
		return err
	}
	return t.pointAt(next)
}

// stopFollowers stops them, all at once, and drops their logs of consensus, which are for blocks that are not decided.
func (t *tetrad) stopFollowers(old int) error {
	faults := make([]error, tetradNodes)
	var stopped sync.WaitGroup
	for i := range tetradNodes {
		if i == old {
			continue
		}
		stopped.Go(func() {
			if faults[i] = t.lab.terminate(i); faults[i] == nil {
				faults[i] = os.RemoveAll(filepath.Join(t.home(i), "data", "cs.wal"))
			}
		})
	}
	stopped.Wait()
	return errors.Join(faults...)
}

// furthest is the follower with the most blocks.
func (t *tetrad) furthest(ctx context.Context, old int) (node int, height uint64, err error) {
	node = -1
	for i := range tetradNodes {
		if i == old {
			continue
		}
		if s, err := t.status(ctx, i); err == nil && (node < 0 || s.Height > height) {
			node, height = i, s.Height
		}
	}
	if node < 0 {
		return 0, 0, fmt.Errorf("no follower answers")
	}
	return node, height, nil
}

// lastSign is what of CometBFT's record of the last signature decides whether it signs again. The height is a string
// there, as all 64-bit integers are.
type lastSign struct {
	Height string `json:"height"`
	Round  int32  `json:"round"`
	Step   int8   `json:"step"`
}

// handOver copies the validator's key and its record of what was signed. The record usually is ahead of the follower: the
// old node had signed the next height, and may have committed and acknowledged it without anybody knowing. With that
// record the new one would refuse to vote in that height for ever, so the operator sets it back to what the follower
// has. That height is then decided a second time. It is a fork which only the fence keeps from mattering, and whatever
// the old node had acknowledged in it is lost: the audit counts it.
func (t *tetrad) handOver(old, next int, height uint64) error {
	const key, record = "config/priv_validator_key.json", "data/priv_validator_state.json"
	text, err := os.ReadFile(filepath.Join(t.home(old), key))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(t.home(next), key), text, 0o600); err != nil {
		return err
	}
	if text, err = os.ReadFile(filepath.Join(t.home(old), record)); err != nil {
		return err
	}
	var signed lastSign
	if err := json.Unmarshal(text, &signed); err != nil {
		return err
	}
	var at uint64
	if _, err := fmt.Sscan(signed.Height, &at); err != nil {
		return err
	}
	if at > height {
		t.behind.Store(int64(at - height - 1)) // the last one it signed for may not have been committed
		if text, err = json.Marshal(lastSign{Height: fmt.Sprint(height), Step: 3}); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(t.home(next), record), text, 0o600)
}
