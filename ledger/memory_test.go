package ledger

import (
	"maps"

	"github.com/tetradledger/tetrad/crypto"
)

// testTimeMS is the time of the genesis that tests begin with.
const testTimeMS = 1_700_000_000_000

// memory is a state in a map: what the store is to a replica. It keeps replay records and counts them in
// their buckets' leaves, as the store does.
type memory map[string][]byte

func (m memory) Get(key []byte) ([]byte, error) { return m[string(key)], nil }

func (m memory) apply(changes []Change) {
	counts := map[uint64]uint64{}
	for _, c := range changes {
		switch {
		case c.Value == nil:
			delete(m, string(c.Key))
		default:
			m[string(c.Key)] = c.Value
		}
		if c.Key[0] == PrefixRecord {
			counts[bucketOfKey(c.Key)]++
		}
	}
	for bucket, n := range counts {
		var b Bucket
		if leaf := m[string(KeyBucket(bucket))]; leaf != nil {
			b, _ = DecodeBucket(leaf)
		}
		b.Count += n
		m[string(KeyBucket(bucket))] = b.Append(nil)
	}
}

func (m memory) clone() memory { return maps.Clone(m) }

func bucketOfKey(key []byte) (bucket uint64) {
	for _, c := range key[1:9] {
		bucket = bucket<<8 | uint64(c)
	}
	return bucket
}

// party is somebody with a key that is derived from a name.
type party struct {
	name    string
	key     crypto.PrivateKey
	public  []byte
	address crypto.Address
}

func testKey(name string) party {
	key := crypto.DevKey(name)
	return party{name: name, key: key, public: key.Public().Bytes, address: key.Public().Address()}
}

func opTransfer(to crypto.Address, code string, amount uint64) Op {
	asset := AssetIDOf(code)
	return Op{Kind: &Op_Transfer{Transfer: &Transfer{To: to[:], Asset: asset[:], Amount: Amount{Lo: amount}.Bytes()}}}
}

func opSetAsset(code string, scale uint32) Op {
	return Op{Kind: &Op_SetAsset{SetAsset: &SetAsset{Code: code, Scale: scale}}}
}
