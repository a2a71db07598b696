// Package sim runs a cluster of real apps on real stores in one process, from one seed.
//
// A script in place of the consensus engine decides everything: what clients send to which node, what gossip
// loses, who proposes, which rounds fail, which blocks are decided, and when a node is restarted, stays away,
// or crashes between Finalize and Commit, at any write of a commit or of a fold. The same seed gives the same
// run. Some of what is sent and proposed is wrong on purpose.
//
// An auditor keeps a model of its own: maps, big integers, and a copy of everything before each
// transaction. It shares no execution code with package ledger. After every block it demands that all nodes
// have one state root, that every receipt says what the model says, that balances, entries, assets, lanes and
// validators are the model's, that no supply was made or lost, and that nothing a node acknowledged is
// forgotten or done twice.
//
//	report, err := sim.Run(sim.Options{Seed: 7, Blocks: 200, Dir: t.TempDir()})
//
// Every error begins with the seed. To look at one:
//
//	go test ./internal/sim -run TestCluster -seed 7 -blocks 200 -v
package sim
