// Command bench-peers measures other replicated systems next to Tetrad, on one machine and in one run:
//
//	kvstore         CometBFT's own example application, four validators: the engine alone, no signatures
//	cosmos          a minimal Cosmos SDK chain with bank sends, four validators, as it comes
//	cosmos-fast     the same with what makes it faster: no recheck, optimistic execution, less garbage collection
//	cosmos-stm      the same with the parallel executor (Block-STM)
//	etcd            three members, puts of 256 bytes; crash faults only, no signatures
//	tetrad          four validators, signed transfers, proofs of state, everything synced
//
// Rounds are interleaved (A-B-C-A-B-C), each with a network of its own that is thrown away after it, so that
// a machine that gets slower or faster in the meantime does so for everybody. The result is a JSON document
// and a table with the ratio of each system to Tetrad per round.
//
//	scripts/bench-peers/run --rounds 3 --seconds 20 --out DIR
//
// The program is a module of its own: what it measures must not become a dependency of Tetrad. etcd is a
// further module because its dependencies and those of the others exclude each other.
package main
