package stream

import "time"

// What a node may do.
const (
	// frameBytesMax is many times what the event of the largest transaction takes: 64 operations name at most some
	// 200 accounts and assets.
	frameBytesMax = 64 << 10
	// refusalBytesMax is for the body of an error.
	refusalBytesMax = 64 << 10

	// connectMax is how long a node may take to begin a stream.
	connectMax = 3 * time.Second
	// silenceMax is how long it may send nothing at all: three heartbeats.
	silenceMax = 3 * time.Second
	// stillMax is how long it may send heartbeats and no event, nor say that it is further. Blocks come many times
	// as often; a node that has none may be cut off from the others, and going elsewhere costs nothing.
	stillMax = 10 * time.Second

	// pauseMin and pauseMax are between rounds in which no node had the stream.
	pauseMin = 100 * time.Millisecond
	pauseMax = time.Second
)
