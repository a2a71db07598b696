package ledger

import (
	"encoding/binary"

	"github.com/tetradledger/tetrad/crypto"
)

// The first byte of a key says what kind of leaf it names. Numbers are never reused.
const (
	PrefixAccount    = 0x01
	PrefixPage       = 0x02
	PrefixAsset      = 0x03
	PrefixEntry      = 0x04
	PrefixValidator  = 0x05
	PrefixParams     = 0x06
	PrefixChain      = 0x07
	PrefixValidators = 0x08
	PrefixNamespace  = 0x09
	PrefixNode       = 0x0a
	PrefixRecord     = 0x10
	PrefixBucket     = 0x11
)

// KeyAccount names an account's leaf.
func KeyAccount(a crypto.Address) []byte { return key32(PrefixAccount, a) }

// KeyPage names one page of the balances that do not fit into the account's leaf; pages count from 0.
func KeyPage(a crypto.Address, page uint32) []byte {
	return binary.BigEndian.AppendUint32(key32(PrefixPage, a), page)
}

// KeyAsset names an asset's leaf.
func KeyAsset(id crypto.Hash) []byte { return key32(PrefixAsset, id) }

// KeyEntry names an entry in an account's namespace.
func KeyEntry(namespace crypto.Address, path string) []byte {
	return append(key32(PrefixEntry, namespace), path...)
}

// KeyNamespace names the leaf that counts the entries of an account's namespace.
func KeyNamespace(a crypto.Address) []byte { return key32(PrefixNamespace, a) }

// KeyValidator names a validator's leaf.
func KeyValidator(id crypto.ValidatorID) []byte { return key32(PrefixValidator, id) }

// KeyNode names the leaf of a validator's node.
func KeyNode(id crypto.ValidatorID) []byte { return key32(PrefixNode, id) }

// KeyParams names the leaf of the network's parameters.
func KeyParams() []byte { return []byte{PrefixParams} }

// KeyChain names the leaf of the counters that belong to no object.
func KeyChain() []byte { return []byte{PrefixChain} }

// KeyValidators names the leaf that lists the ids of all validators.
func KeyValidators() []byte { return []byte{PrefixValidators} }

// KeyRecord names a transaction's replay record. Records are not leaves of the main tree: the store keeps a
// subtree for each bucket, whose root is the bucket's leaf.
func KeyRecord(bucket uint64, id TxID) []byte {
	return appendRecordKey(make([]byte, 0, 1+8+len(id)), bucket, id)
}

func appendRecordKey(dst []byte, bucket uint64, id TxID) []byte {
	return append(binary.BigEndian.AppendUint64(append(dst, PrefixRecord), bucket), id[:]...)
}

// KeyBucket names the leaf that holds a bucket's root and count. The store writes it; the ledger deletes it.
func KeyBucket(bucket uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), PrefixBucket), bucket)
}

// key32 is a prefix and 32 bytes, with room for what some keys append.
func key32(prefix byte, id [32]byte) []byte {
	return append(append(make([]byte, 0, 1+len(id)+4), prefix), id[:]...)
}
