//go:build invariants

package merkle

// invariants turns on costly checks: memory given back is overwritten, so that a reader or a tree
// that still refers to it fails at once rather than when the slot happens to be used again.
const invariants = true
