package rpc

import (
	"encoding/base64"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// Everything that comes in over HTTP has a bound, and every bound is here with its reason.
const (
	// BatchTxsMax is some ten frames: enough that the cost of a request vanishes, little enough that one
	// request cannot fill a pool by itself.
	BatchTxsMax = 4096
	// BatchBytesMax lets a batch of BatchTxsMax ordinary transactions through four times over. The node
	// keeps the buffer until the last of its transactions is decided, so it bounds what a request pins.
	BatchBytesMax = 4 << 20

	// EntriesPageMax bounds the entries of one page of a list, and entriesPageDefault is a page where none is
	// asked for. With proofs a page of short entries takes about a kilobyte and a half for each.
	EntriesPageMax     = 500
	entriesPageDefault = 100
	// entriesPageBytes ends a page early whose entries are long. With the last of them, and their proofs, which
	// hold the leaf another two times, a page stays below 4 MiB.
	entriesPageBytes = 512 << 10
	// listsMax bounds the lists being read at once: one that looks for keys at an old height takes milliseconds
	// of a processor and megabytes of memory.
	listsMax = 8

	// pendingReadsMax bounds the looks at entries with what is pending that are worked on at once: each executes up
	// to ledger.PendingOpsMax operations.
	pendingReadsMax = 4

	// WaitMax is the longest a request may be kept waiting: less than what proxies give up at.
	WaitMax = 60 * time.Second
	// waitDefault is for requests that name no timeout of their own.
	waitDefault = 10 * time.Second
	// MaxAgeMax is the oldest answer that can be asked for by its age: whoever takes any names no age.
	MaxAgeMax = 24 * time.Hour
	// submitWait is how long a node may take to judge what a client hands in: seconds behind a long queue of
	// signatures, and no longer, since by then the caller is better off elsewhere.
	submitWait = 10 * time.Second
	// statusWait is how long a node may take to say how it is.
	statusWait = 2 * time.Second
	// neverWillPoll is how often a waiting request looks whether its transaction has run out of time; the
	// outcome itself needs no looking, it wakes the request up.
	neverWillPoll = 250 * time.Millisecond

	// requestsMax bounds the requests being worked on at once, each of which may hold a transaction's bytes.
	requestsMax = 256
	// batchesMax bounds the batches being taken in at once: 256 MiB if all are as large as can be.
	batchesMax = 64
	// waitersMax bounds the requests that wait, which hold little more than their connection.
	waitersMax = 4096

	// headerBytesMax is far above what the API needs.
	headerBytesMax = 16 << 10
	// urlBytesMax keeps messages that quote a path readable; the longest entry's path takes 400 bytes escaped.
	urlBytesMax = 1024

	readHeaderTimeout = 5 * time.Second
	// readTimeout is for a whole batch over a slow line.
	readTimeout = 30 * time.Second
	// writeTimeout covers the longest wait and the sending of its answer.
	writeTimeout = WaitMax + 30*time.Second
	idleTimeout  = 2 * time.Minute

	// statusFreshFor is how long one look at the node serves the X-Tetrad-Partition header.
	statusFreshFor = 250 * time.Millisecond

	// retryAfterDefault is what a caller that met a limit is told to wait: a few blocks.
	retryAfterDefault = time.Second
)

// txBodyMax bounds the JSON that carries one transaction: its base64 and some room for white space.
var txBodyMax = int64(base64.StdEncoding.EncodedLen(ledger.TxBytesMax) + 1024)
