// Command bench-failover compares Tetrad, in which four validators are active at once, with systems of which one
// node is active and the others stand by, under the same load and the same faults:
//
//	aa          Tetrad, four validators, lan profile, the balancing client
//	ap          the same binary as one validator with three followers, and an operator who promotes one of them
//	raft        the same ledger on hashicorp/raft, three nodes, default timeouts
//	raft-tuned  the same with elections after 300 ms
//	etcd        three members with etcd's defaults; the bytes of the same requests as values
//
// One repetition is a new network, an open loop of signed writes and of reads at a constant rate, one fault, its
// end, and an audit of the state: is every write there that was acknowledged, and is none there twice?
//
//	bench-failover run --reps 10 --out docs/failover     measure; keeps what it has after each repetition
//	bench-failover page --out docs/failover              charts, CSV, and the tables of docs/FAILOVER.md
//
// Nodes are processes. With root they live in network namespaces, each with one interface for its peers and one
// for clients, so that a partition cuts nodes off from each other while clients reach all of them. Without root they
// share the loopback interface, and partitions are left out.
//
// The program is a module of its own: what it measures must not become a dependency of Tetrad.
package main
