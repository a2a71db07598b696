// Package ledger says what a transaction is and what it does to the state. It is the ledger as a
// function: Execute(state, block) gives an outcome, and nothing else happens.
//
// The package is pure. It reads no clock, disk, environment or randomness, starts no goroutine and lets
// no map order reach its output, so that every replica that executes the same blocks from the same
// genesis holds the same bytes. What it needs to know of the state it asks of a Reader, and what should
// become of the state it returns as Changes; who keeps them is not its business.
//
// Three kinds of failure are kept apart. A *Reject says that a transaction is wrong: its code is part of
// consensus and ends up in the receipt. Any other error comes from the Reader, that is, from the world,
// and stops the replica. A panic is a bug of ours.
//
// Signatures are verified outside: a caller passes transactions whose signatures hold, or sets Fault.
//
//	t, err := ledger.DecodeTransaction(raw)          // shape and bounds, no state needed
//	// verify t.Signed(genesisHash), or set t.Fault = ledger.CodeBadSignature
//	out, err := ledger.Execute(view, ledger.Block{Height: h, TimeMS: now, Txs: []*ledger.Transaction{t}})
//	// out.Receipts[0].Code == 0: committed; out.Changes: what to write
package ledger
