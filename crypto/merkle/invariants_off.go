//go:build !invariants

package merkle

// invariants is off: see the build tag of the same name.
const invariants = false
