package client

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// ticking makes a block of the network's transactions every few milliseconds.
func (n *network) ticking(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			n.SealAfter(20)
		}
	}()
}

func (n *network) load(rate float64) BenchOptions {
	o := BenchOptions{
		Endpoints: n.urls(), ChainID: n.ChainID, Genesis: n.Genesis, Asset: "usd", Amount: "0.01", Rate: rate,
		Duration: 500 * time.Millisecond, BatchTxs: 5,
		Accounts: len(rpctest.Accounts), Key: func(i int) crypto.PrivateKey { return crypto.DevKey(rpctest.Accounts[i]) },
	}
	return o
}

func TestBenchAtRate(t *testing.T) {
	n := newNetwork(t, 4)
	n.ticking(t)
	o := n.load(400)
	var phases []string
	o.Progress = func(p BenchProgress) {
		if !slices.Contains(phases, p.Phase) {
			phases = append(phases, p.Phase)
		}
	}
	r, err := Bench(within(t, time.Minute), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Audit != "ok" || r.Failed+r.Lost != 0 || r.Committed != r.Accepted || r.Accepted+r.Refused+r.Unsent+r.Unsure != 200 {
		t.Errorf("%+v", r)
	}
	if r.TargetRate != 400 || r.Kind != ReportRun || r.Version != BenchReportVersion || r.AuditAccounts != 4 || r.Transfers != r.Committed {
		t.Errorf("%+v", r)
	}
	if r.P50MS <= 0 || r.P99MS < r.P50MS || r.MaxMS < r.P999MS || r.Rate <= 0 || r.Blocks < 1 || len(r.Latency) != len(quantilesShown) {
		t.Errorf("the figures do not fit together: %+v", r)
	}
	if !slices.Contains(phases, BenchSigning) || !slices.Contains(phases, BenchAudit) {
		t.Errorf("phases %v", phases)
	}
}

// TestBenchAtMost: without a rate no more than the bound is under way, and a full pool only slows it down.
func TestBenchAtMost(t *testing.T) {
	n := newNetwork(t, 2)
	n.ticking(t)
	for _, s := range n.servers {
		s.node.PoolMax(15)
	}
	o := n.load(0)
	o.Outstanding = 40
	r, err := Bench(within(t, time.Minute), o)
	if err != nil || r.Audit != "ok" || r.Committed < 1 || r.Committed != r.Accepted {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestBenchSurvivesANode: a node dies under load; nothing that was accepted is lost or done twice.
func TestBenchSurvivesANode(t *testing.T) {
	n := newNetwork(t, 4)
	n.ticking(t)
	dies := time.AfterFunc(200*time.Millisecond, n.servers[3].die)
	defer dies.Stop()
	r, err := Bench(within(t, time.Minute), n.load(400))
	if err != nil || r.Audit != "ok" || r.Committed < 1 || r.Lost != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestAuditFinds: the audit is worth nothing if it does not see what is wrong.
func TestAuditFinds(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(n *network)
		want string
	}{
		"a node with another state": {func(n *network) {
			block, err := n.client(t, Options{}).Block(context.Background(), 1, ReceiptsNone)
			if err != nil {
				t.Error(err)
			}
			n.servers[2].lies(block.AppHash.String(), crypto.Sum([]byte("other")).String())
		}, "nodes differ after block 1"},
		"a node that talks nonsense": {func(n *network) { n.servers[2].lies("app_hash", "app_hush\"\"") }, "cannot be asked for block 1"},
		"a wrong balance": {func(n *network) {
			for _, s := range n.servers { // whichever is asked
				s.lies(`"amount":"1000000.00"`, `"amount":"1000000.01"`)
			}
		}, "do not have what they should"},
		"a transfer done behind our back": {func(n *network) {
			tx, _ := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).
				Transfer(rpctest.Address("treasury"), "usd", ledger.Amount{Lo: 7}).Sign(crypto.DevKey("alice"))
			n.servers[1].node.Submit(context.Background(), [][]byte{tx.Raw})
			n.Seal()
		}, "the supply was"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, 3)
			b, err := newBench(n.load(100))
			if err != nil {
				t.Fatal(err)
			}
			n.Seal()
			ctx := within(t, time.Minute)
			if err := b.begin(ctx); err != nil {
				t.Fatal(err)
			}
			if got := b.audit(ctx); got != "ok" {
				t.Fatalf("before: %s", got)
			}
			c.harm(n)
			if got := b.audit(ctx); !strings.Contains(got, c.want) {
				t.Errorf("the audit says %q, want %q", got, c.want)
			}
		})
	}
}

func TestAuditCountsReceipts(t *testing.T) {
	n := newNetwork(t, 1)
	b, err := newBench(n.load(20))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.begin(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	l := &b.load.batches[0]
	l.sentAt.Store(1)
	l.refused = map[int]bool{1: true}
	b.follow.receipts = []uint8{1, 0, 2, 0, 0, 1, 0, 0, 0, 0}
	err = b.auditReceipts(context.Background())
	want := "2 accepted transactions have no receipt, 1 have more than one, 1 were never sent and have one"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestLoadsThatAreWrong(t *testing.T) {
	n := newNetwork(t, 1)
	for name, change := range map[string]func(*BenchOptions){
		"one account": func(o *BenchOptions) { o.Accounts = 1 },
		"no time":     func(o *BenchOptions) { o.Duration = 0 },
		"backwards":   func(o *BenchOptions) { o.Rate = -1 },
		"large batch": func(o *BenchOptions) { o.BatchTxs = rpc.BatchTxsMax + 1 },
		"no node":     func(o *BenchOptions) { o.Endpoints = nil },
		"no asset":    func(o *BenchOptions) { o.Asset = "eur" },
		"no amount":   func(o *BenchOptions) { o.Amount = "0.001" },
		"too much":    func(o *BenchOptions) { o.Rate = 2*benchTxsMax + 1 },
		"no skew":     func(o *BenchOptions) { o.Skew = skewMax + 0.1 },
		"many pay":    func(o *BenchOptions) { o.Accounts = benchAccountsMax + 1 },
		"large tx":    func(o *BenchOptions) { o.TransfersPerTx = ledger.OpsMax + 1 },
		"all warm":    func(o *BenchOptions) { o.Warmup = o.Duration },
		"presigned":   func(o *BenchOptions) { o.PresignBytes = benchPresignMax + 1 },
		"connections": func(o *BenchOptions) { o.Connections = benchSendersMax + 1 },
		"no path":     func(o *BenchOptions) { o.Path = "pigeon" },
		"no RPC":      func(o *BenchOptions) { o.Path = PathStock },
		"no arrivals": func(o *BenchOptions) { o.Arrivals = "bursts" },
	} {
		o := n.load(100)
		change(&o)
		if _, err := Bench(within(t, time.Minute), o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestLoadTransfersAreValid: the load does without the checks of Draft, so they are made here.
func TestLoadTransfersAreValid(t *testing.T) {
	n := newNetwork(t, 1)
	o := n.load(100)
	l, err := newLoad(o.withDefaults(), ledger.Amount{Lo: 1}, 600_000)
	if err != nil {
		t.Fatal(err)
	}
	raw, id := l.make(7)
	tx, err := Decode(raw)
	if err != nil || tx.TxID != id {
		t.Fatalf("%v", err)
	}
	again, err := Countersign(raw, n.Genesis, o.Key(l.payer(7)))
	if err != nil || !slices.Equal(again.Raw, raw) {
		t.Errorf("the payer's signature is not there: %v", err)
	}
	if r := n.servers[0].node.Submit(context.Background(), [][]byte{raw}); r[0].Code != ledger.CodeOK {
		t.Errorf("refused: %+v", r[0])
	}
}

func BenchmarkSignTransfer(b *testing.B) {
	n := newNetwork(b, 1)
	l, err := newLoad(n.load(100).withDefaults(), ledger.Amount{Lo: 1}, 600_000)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.make(i)
	}
}
