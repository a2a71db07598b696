// Package merkle is the authenticated map: keys and values under one root hash, with proofs of what
// is in it and of what is not.
//
// # Purpose
//
// Map is a compact binary sparse Merkle tree over SHA-256. The path of a key is the hash of the key;
// a leaf sits where its path first differs from every other, and a subtree of one leaf is that leaf:
//
//	leaf  = SHA-256(0x00 || SHA-256(key) || SHA-256(value))
//	inner = SHA-256(0x01 || left || right)
//	empty = 32 zero bytes
//
// This is the layout of the stock ics23.SmtSpec, so that a verifier written by strangers accepts our
// proofs as they are.
//
// # Promise
//
// The root depends on the contents alone: not on the order of changes, on how they were cut into
// versions, or on what was staged and discarded between. The package has no clock, goroutine or
// randomness.
//
// A View is one committed version and never changes. Taking and closing one costs a moment under a
// mutex that the writer holds only to publish; reading takes no lock at all. One goroutine at a time
// writes (Stage, Commit, Discard); any number read.
//
// Proof.Verify believes nothing but the root and the key its caller passes in. It shares no code with
// the tree. Neither do Range and Sequence, which verify leaves by the thousand: a tree cut into runs of
// leaves that stand side by side, each with the hashes around it, so that a run holds by itself, and
// nothing is missing between two.
//
// # Memory
//
// Nodes and records (a key and its value) lie in arenas addressed by 32-bit numbers, in memory that
// holds no Go pointers, so that the garbage collector passes over millions of leaves at no cost. An
// update writes new nodes beside the old ones. What version V replaced is used again when no version
// before V can be read any more: they left the window set by Keep, and nobody pins them. So a slice
// that a View hands out is valid until that View is closed, and not a moment longer.
//
// A map of many thousand keys has an index beside the tree, some 20 bytes per key: Get then waits for memory
// twice instead of once for every level. The index is of the newest version; a View of an older one uses it for
// what did not change since, and walks down its tree for the rest.
//
// # Example
//
//	m := merkle.New()
//	staged := m.Stage(1, []merkle.Change{{Key: key, Value: value}})
//	root := staged.Root()
//	m.Commit(staged)
//
//	view := m.Current()
//	defer view.Close()
//	proof, err := view.Prove(key)
//	if err != nil {
//		return err
//	}
//	got, exists, err := proof.Verify(root, key) // value, true, nil
package merkle
