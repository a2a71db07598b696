package ledger

import (
	"bytes"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// CheckLeaf says whether the bytes are what this package would write under the key. It is for those who
// read a state that they have reason to doubt.
func CheckLeaf(key, value []byte) error {
	if err := checkKeyShape(key); err != nil {
		return err
	}
	again, err := encodeAgain(key[0], value)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, value) {
		return fmt.Errorf("leaf %x is not encoded as this version would", key)
	}
	return nil
}

// checkKeyShape accepts a known prefix and the length that goes with it.
func checkKeyShape(key []byte) error {
	if len(key) == 0 {
		return fmt.Errorf("the key is empty")
	}
	const id = 1 + crypto.HashSize
	var least, most int
	switch key[0] {
	case PrefixAccount, PrefixAsset, PrefixValidator, PrefixNamespace, PrefixNode:
		least, most = id, id
	case PrefixPage:
		least, most = id+4, id+4
	case PrefixEntry:
		least, most = id+1, id+EntryPathMax
	case PrefixParams, PrefixChain, PrefixValidators:
		least, most = 1, 1
	case PrefixRecord:
		least, most = id+8, id+8
	case PrefixBucket:
		least, most = 1+8, 1+8
	default:
		return fmt.Errorf("key %x has an unknown prefix", key)
	}
	if len(key) < least || len(key) > most {
		return fmt.Errorf("key %x has %d bytes, must have %d to %d", key, len(key), least, most)
	}
	return nil
}

// encodeAgain decodes a leaf and encodes what it says.
func encodeAgain(prefix byte, value []byte) ([]byte, error) {
	switch prefix {
	case PrefixAccount:
		v, err := DecodeAccount(value)
		return v.Append(nil), err
	case PrefixPage:
		v, err := DecodePage(value)
		return AppendPage(nil, v), err
	case PrefixAsset:
		v, err := DecodeAsset(value)
		return v.Append(nil), err
	case PrefixEntry:
		v, err := DecodeEntry(value)
		return v.Append(nil), err
	case PrefixNamespace:
		v, err := DecodeNamespace(value)
		return v.Append(nil), err
	case PrefixValidator:
		v, err := DecodeValidator(value)
		return v.Append(nil), err
	case PrefixNode:
		v, err := DecodeNode(value)
		return v.Append(nil), err
	case PrefixParams:
		v, err := DecodeParams(value)
		return v.Append(nil), err
	case PrefixChain:
		v, err := DecodeChain(value)
		return v.Append(nil), err
	case PrefixValidators:
		v, err := DecodeValidators(value)
		return AppendValidators(nil, v), err
	case PrefixRecord:
		v, err := DecodeRecord(value)
		return v.Append(nil), err
	default:
		v, err := DecodeBucket(value)
		return v.Append(nil), err
	}
}

// mustHold panics unless the changes are ascending and hold only leaves that can be read again. It runs
// with the invariants tag.
func mustHold(changes []Change) {
	for i, c := range changes {
		if i > 0 && bytes.Compare(changes[i-1].Key, c.Key) >= 0 {
			panic(fmt.Sprintf("ledger: changes %x and %x are not ascending", changes[i-1].Key, c.Key))
		}
		if c.Value == nil {
			continue
		}
		if err := CheckLeaf(c.Key, c.Value); err != nil {
			panic("ledger: a change writes a bad leaf: " + err.Error())
		}
	}
}
