package outbox

import (
	"encoding/binary"
	"errors"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Keys begin with what they are of; those of transactions go on with the transaction's id.
const (
	kindChain   byte = 'c' // the genesis hash of the network
	kindWaiting byte = 'q' // a transaction that waits
	kindFinal   byte = 's' // how one ended
)

// formatVersion begins every value. A value of another version is refused, not guessed at.
const formatVersion byte = 1

// keyLen is the kind and an id.
const keyLen = 1 + crypto.HashSize

var errFormat = errors.New("not in the form this version writes")

// Status is how the promise for a transaction stands.
type Status uint8

const (
	Waiting   Status = iota // it is to be passed on
	Committed               // in a block, and it did what it says
	Failed                  // in a block, and it did nothing
	NeverWill               // in no block, and its validity has ended
	Lost                    // its validity has ended, so long ago that this node cannot tell any more how
)

// Final says how a transaction ended. Height and what follows are of the block that holds it, if one does.
type Final struct {
	ID     ledger.TxID
	Status Status
	AtMS   uint64 // when it was found out, by this node's clock
	Height uint64
	Index  uint32
	Code   uint32
	Op     uint32
}

// finalLen is the length of an encoded Final without its id, which is in the key.
const finalLen = 1 + 1 + 8 + 8 + 4 + 4 + 4

func key(kind byte, id ledger.TxID) []byte { return append([]byte{kind}, id[:]...) }

// appendWaiting encodes a transaction and when it was accepted.
func appendWaiting(b []byte, receivedMS uint64, raw []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, formatVersion), receivedMS)
	return append(b, raw...)
}

// decodeWaiting is the reverse. The transaction aliases b.
func decodeWaiting(b []byte) (receivedMS uint64, tx *ledger.Transaction, err error) {
	if len(b) < 9 || b[0] != formatVersion {
		return 0, nil, errFormat
	}
	tx, err = ledger.DecodeTransaction(b[9:])
	return binary.BigEndian.Uint64(b[1:]), tx, err
}

func (f *Final) append(b []byte) []byte {
	b = append(b, formatVersion, byte(f.Status))
	b = binary.BigEndian.AppendUint64(b, f.AtMS)
	b = binary.BigEndian.AppendUint64(b, f.Height)
	b = binary.BigEndian.AppendUint32(b, f.Index)
	b = binary.BigEndian.AppendUint32(b, f.Code)
	return binary.BigEndian.AppendUint32(b, f.Op)
}

func decodeFinal(id ledger.TxID, b []byte) (Final, error) {
	if len(b) != finalLen || b[0] != formatVersion || Status(b[1]) == Waiting || Status(b[1]) > Lost {
		return Final{}, errFormat
	}
	return Final{
		ID: id, Status: Status(b[1]), AtMS: binary.BigEndian.Uint64(b[2:]), Height: binary.BigEndian.Uint64(b[10:]),
		Index: binary.BigEndian.Uint32(b[18:]), Code: binary.BigEndian.Uint32(b[22:]), Op: binary.BigEndian.Uint32(b[26:]),
	}, nil
}

// decodeKey takes a key apart.
func decodeKey(b []byte) (kind byte, id ledger.TxID, err error) {
	if len(b) != keyLen {
		return 0, id, errFormat
	}
	copy(id[:], b[1:])
	return b[0], id, nil
}
