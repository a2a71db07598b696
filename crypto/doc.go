// Package crypto holds every cryptographic primitive Tetrad uses; no other package names one.
//
// # Purpose
//
// Hashes with domain tags, ed25519 signatures (one at a time and in batches), addresses as people
// read them, mnemonics and key derivation, encrypted key files and the keyring that holds them.
//
// # Promise
//
// There is one accept set. A signature that verifies on one replica verifies on every other, whether
// it was checked alone, in a batch, against a cached key or after a batch failed, because every path
// applies the rules of ZIP-215 through the same library. Two replicas that disagreed on a crafted
// signature would fork the ledger; the vectors in testdata pin the agreement.
//
// A hash under one tag is never a hash under another, a private key does not print, marshal or
// log its bytes, and a key file is never overwritten nor read while other users can read it.
//
// # Example
//
//	key, err := crypto.GenerateKey(nil)
//	if err != nil {
//		return err
//	}
//	toSign := crypto.SignBytes(crypto.TagTx, genesis, crypto.Sum(body))
//	sig := key.Sign(toSign[:])
//	pub := key.Public()
//	ok := crypto.Verify(pub.Type, pub.Bytes, toSign[:], sig) // true
package crypto
