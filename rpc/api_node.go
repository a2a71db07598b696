package rpc

import "github.com/tetradledger/tetrad/crypto"

// Status is what a node says about itself.
type Status struct {
	Node         string      `json:"node" doc:"The node's moniker"`
	ChainID      string      `json:"chain_id"`
	GenesisHash  crypto.Hash `json:"genesis_hash" doc:"Digest of the genesis document; signatures cover it"`
	Version      string      `json:"version"`
	Height       uint64      `json:"height" doc:"Newest height whose state the node serves"`
	AppHash      crypto.Hash `json:"app_hash" doc:"Root of the state after that height"`
	FirstHeight  uint64      `json:"first_height" doc:"Lowest height whose state the node serves"`
	FirstBlock   uint64      `json:"first_block" doc:"Lowest height whose block it keeps; 0: it has none yet"`
	Snapshot     uint64      `json:"snapshot_height" doc:"Height of its newest snapshot, which new nodes can begin from; 0: it has none"`
	BlockTime    string      `json:"block_time" doc:"Time of that block, RFC 3339"`
	BlockAgeMS   int64       `json:"block_age_ms" doc:"How long ago that was, by the node's clock"`
	CatchingUp   bool        `json:"catching_up" doc:"The node is fetching blocks that the others already have"`
	Lag          uint64      `json:"lag" doc:"How many blocks it knows itself to be behind"`
	Partition    string      `json:"partition" enum:"ok,suspect,minority,stalled" doc:"suspect: blocks are late or old; minority: too little voting power is reachable for new blocks; stalled: enough of it is, and no block comes"`
	Reachable    uint64      `json:"reachable_power" doc:"Voting power of the node itself and of the validators it hears from"`
	TotalPower   uint64      `json:"total_power" doc:"Voting power of all validators; more than two thirds of it make a block"`
	Peers        int         `json:"peers" doc:"How many nodes it is connected to"`
	Validators   int         `json:"validators" doc:"How many validators have power"`
	PoolTxs      int         `json:"pool_txs" doc:"Transactions waiting for a block"`
	PoolBytes    int64       `json:"pool_bytes"`
	OutboxTxs    int         `json:"outbox_txs" doc:"Transactions that the node keeps and passes on, taken in while too little voting power was reachable"`
	OutboxBytes  int64       `json:"outbox_bytes"`
	PlanePeers   int         `json:"plane_peers" doc:"How many validators' nodes it is connected to over the app plane"`
	NotAttesting string      `json:"not_attesting,omitempty" doc:"Why it serves no strong reads and takes no part in those of others"`
	Region       string      `json:"region,omitempty" doc:"Where the node stands, if validators with more than two thirds of the power agree"`
	NotReady     []string    `json:"not_ready,omitempty" doc:"Why the node should get no requests now: starting, disk low, stopping"`
	CPUSeconds   float64     `json:"cpu_seconds" doc:"Processor time the process has used since it started"`
	RSSBytes     int64       `json:"rss_bytes" doc:"Memory the process holds"`
	UptimeS      int64       `json:"uptime_s"`
}

// Block is a block and, if asked for, what it decided.
type Block struct {
	Height   uint64          `json:"height"`
	Hash     crypto.Hash     `json:"hash"`
	Time     string          `json:"time" doc:"RFC 3339"`
	TimeMS   uint64          `json:"time_ms"`
	Proposer string          `json:"proposer" doc:"The proposing validator's consensus address, in hexadecimal"`
	AppHash  crypto.Hash     `json:"app_hash" doc:"Root of the state after the block"`
	TxCount  int             `json:"tx_count" doc:"Signed transactions, those inside frames included"`
	Verified bool            `json:"verified" doc:"false: this is what the node says"`
	Receipts []BlockReceipt  `json:"receipts,omitzero" doc:"One for each transaction, in order (receipts=list)"`
	Packed   *PackedReceipts `json:"packed,omitzero" doc:"The same for programs in a hurry (receipts=packed)"`
	Proof    *BlockProof     `json:"proof,omitzero" doc:"With proof=true: what the block is computed from"`
}

// BlockProof is what a block and its receipts are computed from. The header of the block names the hash of the
// transactions, and that of the next block the hash of their results, so that nothing can be left out or changed.
type BlockProof struct {
	Txs    [][]byte        `json:"txs" doc:"The block's transactions as CometBFT carries them, frames whole, in standard base64; their hash is the header's data_hash"`
	Failed []FailedReceipt `json:"failed" doc:"The receipts whose code is not zero; the results they make are those of the next header's last_results_hash"`
}

// BlockReceipt is what became of one transaction of a block.
type BlockReceipt struct {
	TxID crypto.Hash `json:"txid"`
	Code uint32      `json:"code"`
	Op   uint32      `json:"op,omitempty"`
}

// PackedReceipts is a block's receipts at 43 bytes each instead of 90: nearly all codes are zero, so only
// the others are written out.
type PackedReceipts struct {
	TxIDs  []byte          `json:"txids" doc:"All ids one after another, 32 bytes each, in standard base64"`
	Failed []FailedReceipt `json:"failed"`
}

// FailedReceipt is a receipt whose code is not zero.
type FailedReceipt struct {
	Index int    `json:"index" doc:"Position among the block's transactions, from 0"`
	Code  uint32 `json:"code"`
	Op    uint32 `json:"op,omitempty"`
}

// Ready says whether the node should get requests, and if not, why.
type Ready struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// Live says that the process answers.
type Live struct {
	Live bool `json:"live"`
}

// ErrorCode is one row of the registry of codes.
type ErrorCode struct {
	Code      uint32 `json:"code"`
	Slug      string `json:"slug"`
	Class     string `json:"class"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable" doc:"Whether the same bytes may succeed later"`
	Status    int    `json:"http_status" doc:"The HTTP status it comes with, where a request as a whole fails with it"`
}

// ErrorCodes is the registry. The same numbers stand in receipts, in answers and in the CLI's output.
type ErrorCodes struct {
	Errors []ErrorCode `json:"errors"`
}
