//go:build !invariants

package ledger

// invariants turns on the checks that cost too much for production.
const invariants = false
