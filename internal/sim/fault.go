package sim

import (
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
)

// befall takes a node through a decided block, or lets something happen to it.
func (c *cluster) befall(n *node, d *decided) error {
	if n.app == nil {
		if n.away--; n.away > 0 {
			return nil
		}
		return n.start(c.order)
	}
	fault := c.rng.IntN(60)
	if len(c.up()) == 1 && fault == 0 {
		fault = 1 // somebody has to stay
	}
	switch fault {
	case 0: // it leaves, and comes back some blocks later
		c.report.Away++
		n.away = 1 + c.rng.IntN(6)
		return n.stop()
	case 1, 2: // it crashes with the block executed and nothing of it on disk
		c.report.Crashes++
		if err := n.finalize(d); err != nil {
			return err
		}
		return n.restart(c.order)
	case 3, 4: // it crashes at some write of the commit: before it, or after it
		return c.crashWhile(n, c.rng.IntN(4), func() error { return n.apply(d) })
	case 5: // it is restarted between two blocks
		c.report.Restarts++
		if err := n.apply(d); err != nil {
			return err
		}
		return n.restart(c.order)
	case 6: // it is asked to execute the block twice
		if err := n.finalize(d); err != nil {
			return err
		}
	case 7: // it folds, and may crash at any write of that
		if err := n.apply(d); err != nil {
			return err
		}
		return c.crashWhile(n, c.rng.IntN(40), n.store.FoldOnce)
	}
	return n.apply(d)
}

// crashWhile lets a node crash at one of the writes that work makes, if it makes so many.
func (c *cluster) crashWhile(n *node, writes int, work func() error) error {
	n.crashIn = writes
	err := work()
	n.crashIn = -1
	if err == nil {
		return nil
	}
	if !errors.Is(err, errCrash) {
		return err
	}
	c.report.Crashes++
	return n.restart(c.order)
}

// drain ends a run: nothing new is sent, everybody comes back, and blocks go on until nothing waits or what
// waits has expired. Then nothing that was acknowledged may be open, and all nodes must say the same.
func (c *cluster) drain() error {
	for _, n := range c.nodes {
		if n.app == nil {
			if err := n.start(c.order); err != nil {
				return err
			}
		}
	}
	for range 12 {
		c.timeMS += 70_000
		c.load.timeMS = c.timeMS
		for _, n := range c.nodes { // each looks at its own pool
			if _, err := c.prepare(n); err != nil {
				return err
			}
		}
		b, err := c.prepare(c.nodes[int(c.height())%len(c.nodes)])
		if err != nil {
			return err
		}
		d := &decided{block: b}
		want, err := c.audit.block(b)
		if err != nil {
			return err
		}
		c.order = append(c.order, d)
		for _, n := range c.nodes {
			if err := n.apply(d); err != nil {
				return err
			}
		}
		if err := c.examine(d, want); err != nil {
			return err
		}
	}
	return c.conclude()
}

// conclude compares all nodes at the end.
func (c *cluster) conclude() error {
	for _, n := range c.nodes {
		if err := c.audit.compareState(n.app); err != nil {
			return fmt.Errorf("%s, at the end: %w", n.name, err)
		}
		if s := n.app.PoolStats(); s != (app.PoolStats{}) {
			return fmt.Errorf("%s, at the end: %+v in the pool", n.name, s)
		}
		for id, want := range c.audit.decided {
			o, err := n.app.Outcome(id)
			if err != nil {
				return err
			}
			if !o.Status.Decided() || ledger.Code(o.Receipt.Code) != want.code || o.Receipt.Height != want.height {
				return fmt.Errorf("%s, at the end, says of transaction %s: %s %+v, should say %+v", n.name, id, o.Status, o.Receipt, want)
			}
		}
	}
	for id, acks := range c.acked {
		for _, a := range acks {
			if a.life != a.node.life {
				continue // it forgot what it held in memory; others may have it
			}
			o, err := a.node.app.Outcome(id)
			if err != nil {
				return err
			}
			if !o.Status.Decided() && len(o.Receipt.Txid) == 0 {
				return fmt.Errorf("%s took transaction %s and does not know what became of it", a.node.name, id)
			}
		}
	}
	return nil
}
