// Package rpctest is an honest network in memory: a real ledger over maps, and nodes that serve it through
// rpc.Backend. It is for tests of what talks to a node; whatever can go wrong between the two is made by the
// test itself, on the real HTTP connection.
//
// Blocks are made when the test says so, with Seal, or at once for every transaction, with Instant. Time is
// block time; nothing here reads a clock.
//
//	l := rpctest.NewLedger("tetrad-test", 1_700_000_000_000)
//	node := l.Node("node0")
//	server := httptest.NewServer(rpc.NewHandler(node, rpc.Options{Node: "node0"}))
//	...
//	l.Seal()
package rpctest
