package merkle

// What memory holds once it was given back, under the invariants tag. The refs lead out of any arena.
const poisonByte = 0xDB

func poison(b []byte) {
	for i := range b {
		b[i] = poisonByte
	}
}

var poisonNode = func() (n node) {
	for side := range n.child {
		poison(n.child[side].hash[:])
		n.child[side].ref = leafFlag - 1
	}
	return n
}()
