package gateway

import (
	"encoding/base64"
	"time"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Everything that comes in, from clients and from nodes, has a bound, and every bound is here with its reason.
const (
	// connsMax bounds the connections of clients; more wait in the system's queue.
	connsMax = 4096
	// requestsMax bounds the requests being relayed at once that do not wait, waitersMax those that do, batchesMax
	// those that hold a whole batch, and streamsMax the streams of events.
	requestsMax = 1024
	waitersMax  = 2048
	batchesMax  = 32
	streamsMax  = 1024

	// headerBytesMax and urlBytesMax are a node's own bounds.
	headerBytesMax = 16 << 10
	urlBytesMax    = 1024
	// answerBytesMax is what the largest answer of the API takes: a full block's receipts.
	answerBytesMax = 16 << 20
	// answerHeaderBytesMax is many times what a node's headers take.
	answerHeaderBytesMax = 64 << 10
	// wholeBytesMax is up to where an answer is read before it is passed on, so that a node which dies in the
	// middle of it costs nothing. Nearly all answers are smaller.
	wholeBytesMax = 64 << 10

	readHeaderTimeout = 5 * time.Second
	// readTimeout is for a whole batch over a slow line.
	readTimeout = 30 * time.Second
	// writeTimeout covers the longest wait at several nodes and the sending of the answer.
	writeTimeout = rpc.WaitMax + time.Minute
	idleTimeout  = 2 * time.Minute
	dialTimeout  = time.Second
	// attemptMax is how long a node may take for one request, beyond what it was asked to wait.
	attemptMax = 3 * time.Second
	// strongMax is how long a node may ask others before it answers a strong read.
	strongMax = 2 * time.Second
	// waitDefault is how long a node waits that was asked to wait and not for how long.
	waitDefault = 10 * time.Second
	// patienceMax is after how long a second node is asked beside one that was asked to wait: it may be frozen.
	patienceMax = time.Second
	// behindMax is after how long a second node is asked beside one that has yet to reach the height asked for.
	behindMax = 100 * time.Millisecond
	// attemptsMin is how many nodes one request is asked of, at least; with more nodes it is two more than may
	// lie.
	attemptsMin = 3
	// viaMax is through how many proxies a request may have come: a gateway that is listed among its own nodes
	// would pass requests on to itself for ever.
	viaMax = 4

	// pieceStall is how long a reader of events may leave what was written to it.
	pieceStall = 10 * time.Second
	// streamPatience is for how long all nodes may be away before a stream ends.
	streamPatience = 10 * time.Second
	// drainMax is how long requests may take that are under way when the gateway stops.
	drainMax = 3 * time.Second

	// Requests that a node refused because it has too much to do are tried elsewhere up to one in five, and up to
	// retryBurst at once: more would make a network that has too much to do have three times as much.
	retryShare = 0.2
	retryBurst = 50

	// logInterval is how often changes of nodes are looked for, for the log.
	logInterval = 500 * time.Millisecond
)

// bodyBytesMax bounds what a request carries that is not a batch: a transaction in JSON and base64, and white space.
var bodyBytesMax = int64(base64.StdEncoding.EncodedLen(ledger.TxBytesMax) + 1024)
