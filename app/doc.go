// Package app carries the ledger through the lives of blocks and transactions, for any engine that orders them.
//
// A transaction comes in by Submit (clients of this node, in batches), CheckTx (the engine's RPC) or Insert
// (other validators). It is decoded, judged by the state, and its signatures are verified in batches by a
// worker; then it waits in the pool. Local ones are given to gossip by Reap. It leaves the pool when a block
// holds it or when its validity ends. Every queue is bounded, every signature is verified once per node, and
// nothing that consensus calls waits for a queue.
//
// A block goes through four calls, which the engine makes one after another:
//
//	Prepare   fill a proposal from the pool; wait a moment if there is nothing in it
//	Process   judge a proposal: refuse only what is wrong in any state; begin to execute it ahead
//	Finalize  execute the decided block, or adopt what was executed ahead, and stage what it does
//	Commit    make it durable, let go of its transactions, wake those who wait
//
//	    Prepare, Process            Finalize
//	  ┌───────────┐   ┌──────────────────────────────┐
//	  │           v   │                              v
//	  └────────  idle ────────── Finalize ───────> staged ──┐
//	               ^                                 │  ^   │ Finalize again:
//	               └───────────── Commit ────────────┘  └───┘ the staged block is given up
//
// A query reads a version of the state that no block can change any more. A proof is of a version below the
// newest, since the header that holds a block's root is the next one's; it is an ics23 proof of the stock spec for
// a sparse Merkle tree (ics23.go).
//
// What the engine orders is either one signed transaction or a frame of them. A frame's result is the Merkle
// root of the receipts inside; a single transaction's result is its receipt. How transactions are spread over
// frames changes nothing but these results.
//
//	a, err := app.New(app.Options{Genesis: doc, Store: st})
//	...
//	admissions := a.Submit(ctx, raws)
//	outcome, err := a.Wait(ctx, admissions[0].ID)
package app
