package rpctest

import (
	"fmt"
	"maps"
	"sync"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// blockStepMS is the time between blocks.
const blockStepMS = 1000

// Accounts are funded in every test ledger, with 1,000,000.00 usd each that the treasury issued. Their keys are
// crypto.DevKey of their names.
var Accounts = []string{"alice", "bob", "carol", "dave"}

// Ledger is what all nodes of a test agree on.
type Ledger struct {
	ChainID string
	Genesis crypto.Hash

	mu      sync.Mutex // guards everything below
	blocks  []block    // by height; 0 is the genesis
	trees   trees      // of the newest height
	pool    []*ledger.Transaction
	pooled  map[crypto.Hash]bool
	decided map[crypto.Hash]ledger.Receipt
	instant bool
	genesis []byte
	light   func(Header) Light
	lit     uint64        // headers up to here are made
	changed chan struct{} // closed, and replaced, when there is a block
}

// block is a height with the state after it.
type block struct {
	height   uint64
	timeMS   uint64
	root     crypto.Hash
	state    map[string][]byte
	proofs   proofs
	txs      [][]byte
	receipts []ledger.Receipt
	logs     logs

	historyFrom uint64 // guarded by the ledger's mu
}

// Get makes a block's state a ledger.Reader.
func (b *block) Get(key []byte) ([]byte, error) { return b.state[string(key)], nil }

// NewLedger begins at the block time with four validators and funded accounts, and then with what else a test wants of
// its genesis.
func NewLedger(chainID string, timeMS uint64, more ...ledger.GenesisOp) *Ledger {
	l := &Ledger{
		ChainID: chainID, Genesis: crypto.Sum([]byte(chainID)), pooled: map[crypto.Hash]bool{},
		decided: map[crypto.Hash]ledger.Receipt{}, changed: make(chan struct{}), trees: newTrees(),
	}
	out, err := ledger.ExecuteGenesis(ledger.DefaultParams(), append(genesisOps(), more...), timeMS)
	if err != nil {
		panic("rpctest: the genesis is wrong: " + err.Error())
	}
	l.append(timeMS, map[string][]byte{}, nil, out)
	return l
}

func genesisOps() []ledger.GenesisOp {
	treasury := Address("treasury")
	usd := ledger.AssetIDOf("usd")
	ops := []ledger.GenesisOp{
		{Actor: treasury, Op: ledger.Op{Kind: &ledger.Op_SetAsset{SetAsset: &ledger.SetAsset{Code: "usd", Scale: 2}}}},
	}
	for _, name := range Accounts {
		to := Address(name)
		ops = append(ops, ledger.GenesisOp{Actor: treasury, Op: ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
			To: to[:], Asset: usd[:], Amount: ledger.Amount{Lo: 100_000_000}.Bytes(),
		}}}})
	}
	var nodes []ledger.GenesisOp
	for i := range 4 {
		name := fmt.Sprintf("node%d", i)
		key := crypto.DevKey("validator-" + name).Public()
		ops = append(ops, ledger.GenesisOp{Actor: ledger.GovAddress, Op: ledger.Op{Kind: &ledger.Op_SetValidator{SetValidator: &ledger.SetValidator{
			KeyType: uint32(key.Type), PublicKey: key.Bytes, Power: 10, Name: name, Operator: operator(i),
		}}}})
		id := crypto.ValidatorIDOf(key.Type, key.Bytes)
		nodes = append(nodes, ledger.GenesisOp{Actor: ledger.GovAddress, Op: ledger.Op{Kind: &ledger.Op_SetNode{SetNode: &ledger.SetNode{
			Validator: id[:], ServiceKey: crypto.DevKey("service-" + name).Public().Bytes,
		}}}})
	}
	nodes[0].Op.GetSetNode().Region, nodes[0].Op.GetSetNode().Plane = "eu/de", "/ip4/127.0.0.1/tcp/26659"
	return append(ops, nodes...)
}

// operator is the account that operates a validator: operator0 and so on.
func operator(i int) []byte {
	a := Address(fmt.Sprintf("operator%d", i))
	return a[:]
}

// ValidatorID is the id of a validator of the genesis, by its name.
func ValidatorID(name string) crypto.ValidatorID {
	key := crypto.DevKey("validator-" + name).Public()
	return crypto.ValidatorIDOf(key.Type, key.Bytes)
}

// Address is the account of a name.
func Address(name string) crypto.Address { return crypto.DevKey(name).Public().Address() }

// Instant makes a block for every transaction as soon as it is submitted.
func (l *Ledger) Instant() *Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.instant = true
	return l
}

// Seal makes a block of all transactions that wait, and returns its height.
func (l *Ledger) Seal() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seal(blockStepMS)
}

// SealAfter is Seal with a block time so much later than the block before.
func (l *Ledger) SealAfter(stepMS uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seal(stepMS)
}

// Forget drops the transactions that wait, as a node does that dies.
func (l *Ledger) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pool, l.pooled = nil, map[crypto.Hash]bool{}
}

// Height is the newest height.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head().height
}

func (l *Ledger) head() *block { return &l.blocks[len(l.blocks)-1] }

func (l *Ledger) seal(stepMS uint64) uint64 {
	head := l.head()
	next := ledger.Block{Height: head.height + 1, TimeMS: head.timeMS + stepMS, Txs: l.pool}
	out, err := ledger.Execute(head, next)
	if err != nil {
		panic("rpctest: a block does not execute: " + err.Error())
	}
	l.append(next.TimeMS, head.state, pack(l.pool), out)
	for _, r := range out.Receipts {
		if _, before := l.decided[r.ID()]; !before {
			l.decided[r.ID()] = r
		}
		delete(l.pooled, r.ID())
	}
	l.pool = nil
	return next.Height
}

// append adds a block and wakes everybody who waits for one.
func (l *Ledger) append(timeMS uint64, parent map[string][]byte, txs [][]byte, out ledger.Outcome) {
	b := block{height: uint64(len(l.blocks)), timeMS: timeMS, state: maps.Clone(parent), txs: txs, receipts: out.Receipts}
	for _, c := range out.Changes {
		if c.Value == nil {
			delete(b.state, string(c.Key))
		} else {
			b.state[string(c.Key)] = c.Value
		}
	}
	if b.height > 0 {
		b.logs = l.head().logs.next(b.height, timeMS, out)
		b.historyFrom = l.head().historyFrom
	}
	b.proofs = l.trees.next(b.height, b.state, out.Changes)
	b.root = b.proofs.state.Root()
	l.blocks = append(l.blocks, b)
	close(l.changed)
	l.changed = make(chan struct{})
}
