package merkle

// Limits of what a Map holds and of what a proof may claim. The ledger's own limits are far below;
// these bound memory when bytes come from outside, and keep lengths within their fields.
const (
	// KeyBytesMax bounds a key. A record spends two bytes on the length; the longest key of the
	// ledger is an entry's, below 256 bytes.
	KeyBytesMax = 1024

	// ValueBytesMax bounds a value. The largest state leaves are pages of 64 KiB; sixteen times that
	// leaves room for lists that grow with the network, and still lets a client buffer any proof.
	ValueBytesMax = 1 << 20

	// depthMax is the number of bits of a path, and with it the most inner nodes above any leaf.
	depthMax = 256

	// ProofBytesMax is the length of the longest proof UnmarshalProof accepts.
	ProofBytesMax = proofHeadBytes + depthMax/8 + depthMax*32 + 2 + KeyBytesMax + 4 + ValueBytesMax

	// RangeBytesMax is the length of the longest range UnmarshalRange accepts: what one network message
	// carries. Decoding takes up to seven times as much memory.
	RangeBytesMax = 16 << 20

	// RangeOverheadMax is what a range takes beside its leaves at most.
	RangeOverheadMax = 1 + 2*sideBytesMax + 4
)
