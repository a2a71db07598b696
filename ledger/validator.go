package ledger

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/tetradledger/tetrad/crypto"
)

// validatorVersion is the layout with an operator. Networks that began with the one before are not read.
const validatorVersion = 2

// Validator is the leaf of a validator: its consensus key, its power, who operates it, and its proven faults.
type Validator struct {
	KeyType         crypto.KeyType
	PublicKey       []byte
	Power           uint64
	Name            string
	Operator        crypto.Address // zero: nobody speaks for its node
	Faults          uint64
	LastFaultHeight uint64
}

// ID is the validator's id, the hash of its key.
func (v *Validator) ID() crypto.ValidatorID { return crypto.ValidatorIDOf(v.KeyType, v.PublicKey) }

// Append appends the leaf's encoding.
func (v *Validator) Append(b []byte) []byte {
	b = append(b, validatorVersion, byte(v.KeyType))
	b = binary.BigEndian.AppendUint16(b, uint16(len(v.PublicKey)))
	b = append(b, v.PublicKey...)
	b = binary.BigEndian.AppendUint64(b, v.Power)
	b = append(b, byte(len(v.Name)))
	b = append(b, v.Name...)
	b = append(b, v.Operator[:]...)
	b = binary.BigEndian.AppendUint64(b, v.Faults)
	return binary.BigEndian.AppendUint64(b, v.LastFaultHeight)
}

// DecodeValidator reads a validator's leaf.
func DecodeValidator(b []byte) (Validator, error) {
	r := readVersion(b, validatorVersion)
	v := Validator{KeyType: crypto.KeyType(r.u8())}
	v.PublicKey = bytes.Clone(r.take(int(r.u16())))
	v.Power = r.u64()
	v.Name = string(r.take(r.count("characters", ValidatorNameMax)))
	v.Operator = r.b32()
	v.Faults = r.u64()
	v.LastFaultHeight = r.u64()
	if r.fault == "" {
		switch {
		case checkKey(uint32(v.KeyType), v.PublicKey) != nil:
			r.fail("bad key")
		case v.Power > ValidatorPowerMax:
			r.fail("bad power")
		case checkName(v.Name) != nil:
			r.fail("bad name")
		}
	}
	return v, r.end("validator")
}

// AppendValidators appends the encoding of the list of validator ids.
func AppendValidators(b []byte, ids []crypto.ValidatorID) []byte {
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(len(ids)))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

// DecodeValidators reads the list of validator ids, which is ascending.
func DecodeValidators(b []byte) ([]crypto.ValidatorID, error) {
	r := readLeaf(b)
	ids := r.ids()
	return ids, r.end("validators")
}

// ids reads ascending validator ids after their number of two bytes.
func (r *leafReader) ids() (ids []crypto.ValidatorID) {
	n := int(r.u16())
	if n > ValidatorsLimit {
		r.fail("too many validators")
	}
	for range n {
		id := crypto.ValidatorID(r.b32())
		if r.fault != "" {
			break
		}
		if len(ids) > 0 && bytes.Compare(ids[len(ids)-1][:], id[:]) >= 0 {
			r.fail("ids are not ascending")
		}
		ids = append(ids, id)
	}
	return ids
}

// checkName accepts printable text of a moniker's length.
func checkName(name string) *Reject {
	if len(name) > ValidatorNameMax {
		return reject(CodeBadField, "name has %d bytes, at most %d allowed", len(name), ValidatorNameMax)
	}
	return checkText("name", name)
}

// checkText accepts UTF-8 without control characters, so that no terminal or log is harmed by showing it.
func checkText(field, text string) *Reject {
	if !utf8.ValidString(text) {
		return reject(CodeBadField, "%s is not UTF-8", field)
	}
	for _, c := range text {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return reject(CodeBadField, "%s holds the control character %U", field, c)
		}
	}
	return nil
}
