package rpc

import (
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// The paths of the API. The client builds its requests from them, so that the two cannot drift apart.
const (
	PathTransactions = "/v1/transactions"
	PathBatch        = "/v1/transactions:batch"
	PathSimulate     = "/v1/transactions:simulate"
	PathAccounts     = "/v1/accounts"
	PathAssets       = "/v1/assets"
	PathEntries      = "/v1/entries"
	PathValidators   = "/v1/validators"
	PathParams       = "/v1/params"
	PathBlocks       = "/v1/blocks"
	PathLight        = "/v1/light"
	PathGenesis      = "/v1/genesis"
	PathStatus       = "/v1/status"
	PathReady        = "/v1/ready"
	PathLive         = "/v1/live"
	PathErrors       = "/v1/errors"

	PathEquivocations = "/v1/equivocations"
	PathEvents        = "/v1/events"
)

// The headers of the API. A read's request may say how fresh the answer must be, and every answer says who
// gave it and what it rests on.
const (
	HeaderConsistency = "X-Tetrad-Consistency" // request: eventual, session, bounded, strong, or several with + between them
	HeaderMinHeight   = "X-Tetrad-Min-Height"  // request: wait until the node has this height
	HeaderMaxAge      = "X-Tetrad-Max-Age"     // request: refuse a state older than this, such as 2s
	HeaderRequire     = "X-Tetrad-Require"     // request: ready, to be refused with 503 unless /v1/ready says 200
	HeaderNode        = "X-Tetrad-Node"        // the moniker of the node that answered
	HeaderHeight      = "X-Tetrad-Height"      // the height at which the answer holds
	HeaderAgeMS       = "X-Tetrad-Age-Ms"      // how long ago that height's block was made
	HeaderToken       = "X-Tetrad-Token"       // what to send as X-Tetrad-Min-Height to see at least as much elsewhere
	HeaderPartition   = "X-Tetrad-Partition"   // ok, suspect, minority or stalled
	HeaderTrust       = "X-Tetrad-Trust"       // what the answer rests on: node, or proof if it carries one
)

// requireReady is what HeaderRequire may say.
const requireReady = "ready"

// Consistency levels of reads.
const (
	ConsistencyEventual = "eventual" // some committed state, never a torn one
	ConsistencySession  = "session"  // not older than X-Tetrad-Min-Height
	ConsistencyBounded  = "bounded"  // not older than X-Tetrad-Max-Age
	ConsistencyStrong   = "strong"   // everything that was committed before the read began
)

// What may have become of a transaction.
const (
	StatusUnknown   = "unknown"    // this node has neither seen it nor a reason why it cannot come any more
	StatusPending   = "pending"    // accepted here, not in a block yet
	StatusQueued    = "queued"     // kept on disk here and passed on, while too little voting power is reachable for blocks
	StatusCommitted = "committed"  // in a block, and its operations are done
	StatusFailed    = "failed"     // in a block, and without effect: code says why
	StatusNeverWill = "never_will" // its time is over and no block holds it
	StatusRefused   = "refused"    // not taken in by this node: the error says why
)

// Partition states of a node, from its own point of view.
const (
	PartitionOK       = "ok"
	PartitionSuspect  = "suspect"
	PartitionMinority = "minority"
	PartitionStalled  = "stalled"
)

// What a node that is cut off does with a transaction: the query on_partition of a submission.
const (
	OnPartitionDefault = ""      // queue what can conflict with nothing (add, set_add, set_remove, write_last, write_multi), refuse the rest
	OnPartitionFail    = "fail"  // refuse it at once, with no_quorum
	OnPartitionQueue   = "queue" // keep it on disk and pass it on
)

// SubmitRequest carries one signed transaction.
type SubmitRequest struct {
	_  struct{} `additionalProperties:"false"`
	Tx []byte   `json:"tx" doc:"The signed transaction's bytes, in standard base64" minLength:"4"`
}

// SubmitResponse says that a transaction was taken in. Height and Code are there if it is decided already.
type SubmitResponse struct {
	TxID   crypto.Hash `json:"txid" doc:"The transaction's id: the hash of its body"`
	Status string      `json:"status" enum:"pending,queued,committed,failed" doc:"pending, unless the transaction was in a block before, or the node is cut off and has queued it"`
	Height uint64      `json:"height,omitempty" doc:"Height of the block that holds it"`
	Code   uint32      `json:"code" doc:"0, or why it failed in its block"`

	Partition string `json:"partition,omitempty" enum:"minority,stalled" doc:"Of a queued transaction: why, by the node's state"`
	QueuedAt  string `json:"queued_at,omitempty" doc:"Of a queued transaction: since when, by the node's clock, RFC 3339"`
	ExpiresAt string `json:"expires_at,omitempty" doc:"Of a queued transaction: the end of validity that its signer chose. It is judged by the time of blocks: the transaction is sure never to be committed once a block carries a later time"`
}

// TxStatus says what became of a transaction.
type TxStatus struct {
	TxID   crypto.Hash `json:"txid"`
	Status string      `json:"status" enum:"unknown,pending,queued,committed,failed,never_will"`
	Height uint64      `json:"height,omitempty" doc:"Height of the block that holds it"`
	Index  uint32      `json:"index,omitempty" doc:"Position among the block's transactions"`
	Code   uint32      `json:"code" doc:"0, or why it failed"`
	Op     uint32      `json:"op,omitempty" doc:"Which operation failed, counted from 1"`
	Error  *Error      `json:"error,omitempty" doc:"What the code means"`

	QueuedAt  string `json:"queued_at,omitempty" doc:"Of a queued transaction: since when"`
	ExpiresAt string `json:"expires_at,omitempty" doc:"Of a queued transaction: its end of validity, which is judged by the time of blocks"`
	Provable
}

// Decided tells whether waiting longer can change nothing.
func (s TxStatus) Decided() bool {
	return s.Status == StatusCommitted || s.Status == StatusFailed || s.Status == StatusNeverWill
}

// BatchResult is what became of one transaction of a batch.
type BatchResult struct {
	Index  int         `json:"index" doc:"Position in the batch, from 0"`
	TxID   crypto.Hash `json:"txid"`
	Status string      `json:"status" enum:"pending,queued,committed,failed,refused"`
	Error  *Error      `json:"error,omitempty" doc:"Why it was refused"`
}

// BatchResponse answers a batch. With the request header "Prefer: return=minimal", Results holds only the
// transactions that were refused.
type BatchResponse struct {
	Accepted int           `json:"accepted" doc:"How many were taken in"`
	Refused  int           `json:"refused" doc:"How many were not"`
	Results  []BatchResult `json:"results"`
}

// Holding is what an account has of one asset.
type Holding struct {
	Asset     string `json:"asset" doc:"The asset's code"`
	Amount    string `json:"amount" doc:"Decimal number at the asset's scale"`
	Available string `json:"available" doc:"What a transfer can move"`
}

// Member is one key that speaks for an account, with its weight.
type Member struct {
	Key    string `json:"key" doc:"The public key, as type:hex"`
	Weight uint32 `json:"weight"`
}

// Policy says whose signatures speak for an account: members' weights must reach the threshold. An account
// that never set one answers to the key its address was derived from, and has none here.
type Policy struct {
	Threshold uint32   `json:"threshold"`
	Members   []Member `json:"members"`
}

// Lane is a sequence of transactions that must come one after another.
type Lane struct {
	ID  uint64 `json:"id"`
	Seq uint64 `json:"seq" doc:"Sequence number used last"`
}

// Account is the state of an account. One that never took part in a transaction exists all the same, with
// nothing in it: it can receive at any time.
type Account struct {
	Account  string    `json:"account" doc:"The account, as it was asked for"`
	Address  string    `json:"address"`
	Exists   bool      `json:"exists" doc:"Whether the ledger holds anything about it"`
	Balances []Holding `json:"balances"`
	Policy   *Policy   `json:"policy,omitempty" doc:"Absent while the account answers to the key of its address"`
	Lanes    []Lane    `json:"lanes"`
	// Equivocation is absent for nearly everybody.
	Equivocation *Equivocation `json:"equivocation,omitempty" doc:"Absent unless it was proven that the account has signed two different things in one place"`
	LogCount     uint64        `json:"log_count" doc:"How many committed transactions touched it"`
	LogHead      crypto.Hash   `json:"log_head" doc:"Head of the hash chain over them"`
	Height       uint64        `json:"height"`
	Verified     bool          `json:"verified" doc:"false: this is what the node says"`
	Provable
}

// Equivocation is what was proven of an account that says different things in one place: under one nonce, or one
// sequence number of a lane.
type Equivocation struct {
	Proofs uint32 `json:"proofs" doc:"How often it was proven, each time of another key"`
	Height uint64 `json:"height" doc:"Height of the last proof"`
	Barred bool   `json:"barred" doc:"Its operations that merge are refused until it changes its key"`
}

// DescribeEquivocation says what an account's leaf says; nil for nothing.
func DescribeEquivocation(e ledger.Equivocation) *Equivocation {
	if e.Count == 0 {
		return nil
	}
	return &Equivocation{Proofs: e.Count, Height: e.Height, Barred: e.Barred}
}

// Balances are all holdings of an account.
type Balances struct {
	Account  string    `json:"account"`
	Address  string    `json:"address"`
	Balances []Holding `json:"balances"`
	Height   uint64    `json:"height"`
	Verified bool      `json:"verified"`
	Provable
}

// Balance is what an account has of one asset; zero if it never had any.
type Balance struct {
	Account     string `json:"account"`
	Address     string `json:"address"`
	Asset       string `json:"asset"`
	Amount      string `json:"amount"`
	Available   string `json:"available"`
	Height      uint64 `json:"height"`
	Verified    bool   `json:"verified"`
	Consistency string `json:"consistency" doc:"The level at which it was read"`
	Provable
}

// Asset is a kind of value, and how much of it there is.
type Asset struct {
	Asset     string      `json:"asset" doc:"The code people write"`
	ID        crypto.Hash `json:"id" doc:"What transactions carry"`
	Scale     uint8       `json:"scale" doc:"Digits after the point"`
	Issuer    string      `json:"issuer" doc:"Address of the account that mints and burns"`
	MaxSupply string      `json:"max_supply"`
	Supply    string      `json:"supply"`
	Height    uint64      `json:"height"`
	Verified  bool        `json:"verified"`
	Provable
}

// Validator is one of those who agree on blocks.
type Validator struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	Key             string `json:"key" doc:"The consensus key, as type:hex"`
	Power           uint64 `json:"power"`
	Faults          uint64 `json:"faults" doc:"How often it was caught misbehaving"`
	LastFaultHeight uint64 `json:"last_fault_height,omitempty"`

	Operator      string   `json:"operator,omitempty" doc:"The account that speaks for the validator's node"`
	ServiceKey    string   `json:"service_key,omitempty" doc:"The key for what its node signs outside consensus, as type:hex"`
	Region        string   `json:"region,omitempty" doc:"Where its node stands, by the word of validators with more than two thirds of the power"`
	RegionClaimed string   `json:"region_claimed,omitempty" doc:"Where its operator says it stands"`
	URLs          []string `json:"urls,omitempty" doc:"Where its node's HTTP API answers"`
	Plane         string   `json:"plane,omitempty" doc:"Multiaddr of its node's app plane"`
}

// Validators is the whole set, those without power included.
type Validators struct {
	Validators []Validator `json:"validators"`
	TotalPower uint64      `json:"total_power"`
	Height     uint64      `json:"height"`
	Verified   bool        `json:"verified"`
	Provable
}

// Params are the bounds and times that the network chose for itself in its genesis.
type Params struct {
	ledger.Params
	Height   uint64 `json:"height"`
	Verified bool   `json:"verified"`
	Provable
}
