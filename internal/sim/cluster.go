package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// Options say what to run.
type Options struct {
	Seed   uint64
	Blocks int
	Nodes  int    // four if zero
	Dir    string // an empty directory, for the stores
}

// Report says what happened.
type Report struct {
	Height    uint64
	Executed  map[string]int // transactions in blocks, by what became of them
	Refused   int            // proposals
	Abandoned int            // rounds that failed after a good proposal
	Rogue     int            // decided blocks that held what no proposal may
	Crashes   int
	Restarts  int
	Away      int
	// Trace is a digest of all results: the same seed gives the same.
	Trace crypto.Hash
}

// cluster is a run.
type cluster struct {
	options Options
	rng     *rand.Rand
	timeMS  uint64
	nodes   []*node
	load    *workload
	audit   *auditor
	order   []*decided
	report  Report
	// acked are the transactions that nodes took, and in which of their lives.
	acked map[ledger.TxID][]ack

	// sabotage, if set, is called after each block: tests of the auditor break something in it.
	sabotage func(*cluster)
}

type ack struct {
	node *node
	life int
}

const beginMS = 1_800_000_000_000

// document is a genesis with small bounds, so that all of them are met.
func document() (*genesis.Doc, error) {
	var validators []genesis.Validator
	for i := range 6 { // two more than the least number, so that two can lose their power
		var node genesis.Node
		if i%2 == 0 {
			node = genesis.Node{ServiceKey: crypto.DevKey(fmt.Sprintf("sim/service/%d", i)).Public().Bytes, Region: simRegions[i/2]}
		}
		validators = append(validators, genesis.Validator{
			Node: node,
			Name: fmt.Sprintf("validator%d", i), Key: crypto.DevKey(fmt.Sprintf("sim/validator/%d", i)).Public(), Power: 10,
			Operator: crypto.DevKey(people[i%4]).Public().Address(), // two of them operate two
		})
	}
	s := genesis.DevSpec("tetrad-sim", time.UnixMilli(beginMS), validators, people...)
	s.Params = &ledger.Params{
		ValidForMaxMS: 60_000, ReplayBucketMS: 2_000, ReplayGraceMS: 20_000, ReplayBucketMax: 15,
		ValidatorsMin: 4, ValidatorsMax: 10,
	}
	data, err := genesis.Build(s)
	if err != nil {
		return nil, err
	}
	return genesis.Parse(data)
}

// Run runs a cluster from a seed. The error begins with the seed and the height.
func Run(o Options) (Report, error) {
	c, err := newCluster(o)
	if err != nil {
		return Report{}, err
	}
	err = c.run()
	for _, n := range c.nodes {
		if n.app != nil {
			_ = n.stop()
		}
	}
	if err != nil {
		err = fmt.Errorf("seed %d, height %d: %w", o.Seed, c.height(), err)
	}
	return c.report, err
}

func newCluster(o Options) (*cluster, error) {
	if o.Nodes == 0 {
		o.Nodes = 4
	}
	doc, err := document()
	if err != nil {
		return nil, err
	}
	c := &cluster{
		options: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), timeMS: beginMS,
		audit: newAuditor(doc), acked: map[ledger.TxID][]ack{},
		report: Report{Executed: map[string]int{}},
	}
	c.load = newWorkload(c.rng, c.audit, doc)
	for i := range o.Nodes {
		c.nodes = append(c.nodes, &node{name: fmt.Sprintf("node%d", i), dir: o.Dir, doc: doc, clock: &c.timeMS, crashIn: -1})
	}
	return c, nil
}

func (c *cluster) height() uint64 { return uint64(len(c.order)) }

func (c *cluster) run() error {
	for _, n := range c.nodes {
		if err := n.start(nil); err != nil {
			return err
		}
	}
	for range c.options.Blocks {
		c.advance()
		for _, step := range []func() error{c.offer, c.gossip, c.badProposal, c.failedRound, c.decide} {
			if err := step(); err != nil {
				return err
			}
		}
		if c.sabotage != nil {
			c.sabotage(c)
		}
	}
	return c.drain()
}

// up lists the nodes that are running.
func (c *cluster) up() []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return n.app == nil })
}

// advance moves the clock: mostly a block's time, sometimes long enough for things to expire.
func (c *cluster) advance() {
	step := 200 + c.rng.Uint64N(1300)
	switch n := c.rng.IntN(100); {
	case n < 10:
		step = 2_000 + c.rng.Uint64N(6_000)
	case n < 14:
		step = 15_000 + c.rng.Uint64N(45_000)
	case n < 15:
		step = 200_000
	}
	c.timeMS += step
	c.load.timeMS = c.timeMS
}

// offer sends transactions to nodes, in each of the ways there are, some to several nodes.
func (c *cluster) offer() error {
	up := c.up()
	for range c.rng.IntN(25) {
		t := c.load.next()
		to := pick(c.rng, up)
		var err error
		switch c.rng.IntN(5) {
		case 0:
			err = c.admitted(t, to, to.app.CheckTx(t.raw), false)
			to.settle()
		case 1:
			to.app.Insert(t.raw)
			to.settle()
		default:
			err = c.admitted(t, to, to.app.Submit(context.Background(), [][]byte{t.raw})[0], true)
		}
		if err != nil {
			return err
		}
		if c.rng.IntN(5) == 0 {
			other := pick(c.rng, up)
			if err := c.admitted(t, other, other.app.Submit(context.Background(), [][]byte{t.raw})[0], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// admitted compares what a node said of a transaction with what the auditor says of it.
func (c *cluster) admitted(t *tx, n *node, a app.Admission, verified bool) error {
	want := c.audit.admit(t, c.timeMS)
	ok := a.Code == want
	switch {
	case a.Known && a.Code == 0: // its body waits here already, whatever this copy is worth
		ok = !t.anyFault
	case t.anyFault:
		ok = a.Code != 0
	case want == ledger.CodeLaneGap:
		ok = a.Code == 0
	case want == ledger.CodeBadSignature && !verified:
		ok = true // it goes into the queue, or is refused for its body
	case want == ledger.CodeBadSignature:
		ok = a.Code != 0
	}
	if !ok {
		return fmt.Errorf("%s answers %s (%s, known %t) to transaction %s, should answer %s", n.name, a.Code, a.Detail, a.Known, t.id, want)
	}
	if a.Code == 0 && !a.Known && verified {
		c.acked[t.id] = append(c.acked[t.id], ack{n, n.life})
	}
	return nil
}

// gossip carries what nodes offer to the others, and loses some of it.
func (c *cluster) gossip() error {
	for _, from := range c.up() {
		for _, raw := range from.app.Reap(1 + c.rng.IntN(1<<20)) {
			for _, to := range c.up() {
				if to == from || c.rng.IntN(4) == 0 {
					continue
				}
				if code := to.app.Insert(raw); code != 0 {
					return fmt.Errorf("%s refuses what %s offers: %s", to.name, from.name, code)
				}
				to.settle()
			}
		}
	}
	return nil
}

// prepare lets a node make a proposal for the next block.
func (c *cluster) prepare(n *node) (app.Block, error) {
	maxBytes := int64(1 << 20)
	if c.rng.IntN(4) == 0 {
		maxBytes = c.rng.Int64N(5_000)
	}
	txs, err := n.app.Prepare(context.Background(), app.Proposal{Height: c.height() + 1, TimeMS: c.timeMS, MaxBytes: maxBytes})
	if err != nil {
		return app.Block{}, fmt.Errorf("%s: prepare: %w", n.name, err)
	}
	total := int64(0)
	for _, raw := range txs {
		total += 1 + int64(len(binary.AppendUvarint(nil, uint64(len(raw))))+len(raw))
	}
	if total > maxBytes {
		return app.Block{}, fmt.Errorf("%s: a proposal of %d bytes, at most %d allowed", n.name, total, maxBytes)
	}
	return c.block(n.name, txs), nil
}

func (c *cluster) block(proposer string, txs [][]byte) app.Block {
	b := app.Block{Height: c.height() + 1, TimeMS: c.timeMS, Proposer: []byte(proposer), Txs: txs}
	if c.rng.IntN(20) == 0 {
		key := crypto.DevKey(fmt.Sprintf("sim/validator/%d", c.rng.IntN(8))).Public() // 6 and 7 are unknown
		b.Misbehaviour = []ledger.Misbehaviour{{
			Validator: crypto.ValidatorIDOf(key.Type, key.Bytes), Kind: "duplicate_vote", Height: 1 + c.rng.Uint64N(b.Height),
		}}
	}
	hash := crypto.Sum(append([][]byte{binary.BigEndian.AppendUint64(nil, b.Height), binary.BigEndian.AppendUint64(nil, c.rng.Uint64())}, txs...)...)
	b.Hash = hash[:]
	return b
}

func process(n *node, b app.Block) (bool, string) {
	return n.app.Process(app.Proposal{
		Height: b.Height, TimeMS: b.TimeMS, Hash: b.Hash, Proposer: b.Proposer, Txs: b.Txs, Misbehaviour: b.Misbehaviour,
	})
}

// badProposal lets a proposer lie now and then. Every node must refuse, and nothing comes of it.
func (c *cluster) badProposal() error {
	if c.rng.IntN(8) > 0 {
		return nil
	}
	b, err := c.prepare(pick(c.rng, c.up()))
	if err != nil {
		return err
	}
	b.Proposer = []byte("liar")
	bad := c.load.garbage().raw
	switch c.rng.IntN(4) {
	case 0:
		if len(b.Txs) > 0 {
			bad = pick(c.rng, b.Txs) // twice
		}
	case 1:
		bad = ledger.EncodeFrame([][]byte{c.load.sensible().raw, bad})
	case 2:
		expired := c.load.signed(c.load.body(), 0, func(body *ledger.Body) { body.ValidUntilMs = c.timeMS })
		bad = expired.raw
	case 3:
		bad = []byte{0, 1, 200, 1}
	}
	b.Txs = slices.Insert(slices.Clone(b.Txs), c.rng.IntN(len(b.Txs)+1), bad)
	c.report.Refused++
	for _, n := range c.up() {
		if ok, _ := process(n, b); ok {
			return fmt.Errorf("%s accepts a proposal that is wrong in any state", n.name)
		}
	}
	return nil
}

// failedRound is a good proposal that reaches only some nodes and is not decided.
func (c *cluster) failedRound() error {
	for c.rng.IntN(6) == 0 {
		proposer := pick(c.rng, c.up())
		b, err := c.prepare(proposer)
		if err != nil {
			return err
		}
		c.report.Abandoned++
		if err := c.proposed(proposer, b, 2); err != nil {
			return err
		}
	}
	return nil
}

// proposed shows a good proposal to one in some of the nodes, its proposer included; each must accept.
func (c *cluster) proposed(proposer *node, b app.Block, oneIn int) error {
	for _, n := range c.up() {
		if n != proposer && c.rng.IntN(oneIn) > 0 {
			continue
		}
		if ok, reason := process(n, b); !ok {
			return fmt.Errorf("%s refuses what %s proposes: %s", n.name, b.Proposer, reason)
		}
	}
	return nil
}

// decide makes the next block and takes every node through it, with what befalls it on the way.
func (c *cluster) decide() error {
	d := &decided{}
	if c.rng.IntN(25) == 0 {
		// More than a third of the power lies: a block is decided that holds anything. The rest must stay
		// together all the same.
		d.block = c.block("liars", c.anything())
		c.report.Rogue++
	} else {
		proposer := pick(c.rng, c.up())
		b, err := c.prepare(proposer)
		if err != nil {
			return err
		}
		if err := c.proposed(proposer, b, 1+c.rng.IntN(2)); err != nil {
			return err
		}
		d.block = b
	}
	want, err := c.audit.block(d.block)
	if err != nil {
		return err
	}
	c.order = append(c.order, d)
	for _, n := range c.nodes {
		if err := c.befall(n, d); err != nil {
			return err
		}
	}
	return c.examine(d, want)
}

// anything is a list of transactions that were made before, of all sorts, alone and in frames.
func (c *cluster) anything() (txs [][]byte) {
	for range c.rng.IntN(6) {
		var raws [][]byte
		for range 1 + c.rng.IntN(5) {
			raws = append(raws, c.load.next().raw)
		}
		if c.rng.IntN(2) == 0 {
			txs = append(txs, ledger.EncodeFrame(raws))
		} else {
			txs = append(txs, raws...)
		}
	}
	return txs
}

// examine audits a block that all running nodes have committed.
func (c *cluster) examine(d *decided, want []verdict) error {
	if d.result == nil {
		return fmt.Errorf("no node executed the block")
	}
	if err := compareReceipts(want, d.receipts); err != nil {
		return err
	}
	for _, v := range want {
		c.report.Executed[v.code.String()]++
	}
	sum := crypto.Sum(c.report.Trace[:], fmt.Append(nil, *d.result))
	c.report.Trace, c.report.Height = sum, c.height()
	n := pick(c.rng, c.up())
	if err := c.audit.compareState(n.app); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return c.examineOutcomes(n, want)
}

// examineOutcomes asks a node what became of the transactions of a block.
func (c *cluster) examineOutcomes(n *node, want []verdict) error {
	for _, v := range want {
		if v.anyFault {
			continue
		}
		first, ok := c.audit.decided[v.id]
		if !ok && !v.final() {
			continue
		}
		if !ok {
			first = v // of a lane
		}
		o, err := n.app.Outcome(v.id)
		if err != nil {
			return err
		}
		if !o.Status.Decided() || ledger.Code(o.Receipt.Code) != first.code || o.Receipt.Height != first.height || o.Receipt.Index != first.index {
			return fmt.Errorf("%s says of transaction %s: %s %+v, should say %+v", n.name, v.id, o.Status, o.Receipt, first)
		}
	}
	return nil
}
