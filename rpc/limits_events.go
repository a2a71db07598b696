package rpc

import "time"

// Streams of events hold a connection and nothing else: what they carry is made once for all of them.
const (
	// streamsMax bounds the streams being read at once.
	streamsMax = 1024
	// streamPieceBytes is how much is written to a reader before the node looks how far the chain has moved on.
	streamPieceBytes = 32 << 10
	// streamStall is how long a reader may leave a piece unread.
	streamStall = 10 * time.Second
	// streamLagMax is by how many blocks the chain may move on while one piece is being written. A reader that is
	// slower than that will not catch up.
	streamLagMax = 64
	// streamAheadMax is how far beyond the newest block a stream may begin: the node that a reader comes from may
	// be ahead of this one. It waits, then. What is further is a mistake, and would wait for ever.
	streamAheadMax = 1000
	// streamEndWait is how long the last event of a stream may take.
	streamEndWait = time.Second

	// HeartbeatInterval is after how long without an event a stream says that it is alive.
	HeartbeatInterval = time.Second

	// eventBlocksMax and eventBlocksBytes bound the blocks that are kept for streams; a full block takes some 5 MiB.
	eventBlocksMax   = 64
	eventBlocksBytes = 32 << 20
	// eventBlocksMaking bounds the blocks being made at once: a full one takes a processor some 50 ms.
	eventBlocksMaking = 1
	// eventBlockWait is how long one may take.
	eventBlockWait = 10 * time.Second
	// eventBytesUsual is what the event of an ordinary transfer takes.
	eventBytesUsual = 420
)
