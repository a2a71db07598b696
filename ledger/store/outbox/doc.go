// Package outbox keeps transactions that a node has promised to pass on, while it cannot reach enough of the others
// to commit them.
//
// It is a small Badger database of its own, apart from the state: nothing in it is part of consensus, and a node
// whose state is restored from others keeps its promises. The promise is made by Put: when it returns, what it
// accepted is on disk and survives kill -9 and a power cut. It is kept by whoever asks Due for what to pass on, and
// ended by Settle once a transaction is in a block or can no longer be in one; how it ended stays known for a while.
//
// What is kept is bounded in transactions, in bytes, and for each account. An index in memory answers everything but
// the bytes themselves, so that asking costs no disk.
//
//	box, err := outbox.Open(outbox.Options{Dir: dir, Genesis: hash})
//	verdicts, err := box.Put(nowMS, tx)       // durable
//	for _, item := range box.Due(nowMS, 512) { // to be passed on again
//		...
//	}
//	err = box.Settle(nowMS, outbox.Final{ID: id, Status: outbox.NeverWill})
package outbox
