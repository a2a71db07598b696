package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// memberKey is the kind of a policy member that is a key. Accounts and the validators follow later.
const memberKey = 1

// SingleKey is the policy that one key satisfies.
func SingleKey(key crypto.PublicKey) *Policy {
	return &Policy{Threshold: 1, Members: []Member{{Weight: 1, KeyType: uint32(key.Type), PublicKey: key.Bytes}}}
}

// IsDefault reports whether the account answers to the key its address is derived from.
func (p *Policy) IsDefault() bool { return p == nil || p.Threshold == 0 && len(p.Members) == 0 }

// validate accepts the policies that are supported now: one ed25519 key that alone reaches the threshold.
// The encoding holds more, so that weighted policies need no new format.
func (p *Policy) validate() *Reject {
	if p == nil {
		return reject(CodeBadField, "policy is missing")
	}
	if len(p.Members) > PolicyMembersMax {
		return reject(CodeTooMany, "policy has %d members, at most %d allowed", len(p.Members), PolicyMembersMax)
	}
	if len(p.Members) != 1 || p.Threshold != 1 || p.Members[0].Weight != 1 {
		return reject(CodeUnsupportedPolicy, "policy must be one member of weight 1 and a threshold of 1")
	}
	return checkNewKey(p.Members[0].KeyType, p.Members[0].PublicKey).orNil("policy.members[0]")
}

// checkKey accepts the key types that are supported, at their exact length.
func checkKey(keyType uint32, key []byte) *Reject {
	if keyType != uint32(crypto.KeyEd25519) {
		return reject(CodeUnsupportedKey, "key type %d is not supported", keyType)
	}
	if len(key) != crypto.PublicKeySize {
		return reject(CodeBadField, "public key has %d bytes, must have %d", len(key), crypto.PublicKeySize)
	}
	return nil
}

// checkNewKey also refuses keys that would give authority to nobody, or to everybody.
func checkNewKey(keyType uint32, key []byte) *Reject {
	if r := checkKey(keyType, key); r != nil {
		return r
	}
	if err := (crypto.PublicKey{Type: crypto.KeyType(keyType), Bytes: key}).CheckPoint(); err != nil {
		return reject(CodeBadField, "%s", err)
	}
	return nil
}

// orNil is in for a fault that may not be there.
func (r *Reject) orNil(place string) *Reject {
	if r == nil {
		return nil
	}
	return r.in(place)
}

// Encode is the layout of a policy in an account's leaf and in the hash of a created account's id.
func (p *Policy) Encode() []byte { return p.append(nil) }

func (p *Policy) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, p.Threshold)
	b = append(b, byte(len(p.Members)))
	for i := range p.Members {
		m := &p.Members[i]
		b = append(b, memberKey)
		b = binary.BigEndian.AppendUint32(b, m.Weight)
		b = append(b, byte(m.KeyType))
		b = binary.BigEndian.AppendUint16(b, uint16(len(m.PublicKey)))
		b = append(b, m.PublicKey...)
	}
	return b
}

// read takes a policy off a leaf.
func (p *Policy) read(r *leafReader) {
	p.Threshold = r.u32()
	n := r.count("policy members", PolicyMembersMax)
	if n == 0 {
		if p.Threshold != 0 {
			r.fail("policy has a threshold and no members")
		}
		return
	}
	p.Members = make([]Member, 0, n)
	for range n {
		if kind := r.u8(); r.fault == "" && kind != memberKey {
			r.fail(fmt.Sprintf("policy member of unknown kind %d", kind))
		}
		m := Member{Weight: r.u32(), KeyType: uint32(r.u8())}
		m.PublicKey = bytes.Clone(r.take(int(r.u16())))
		p.Members = append(p.Members, m)
	}
}

// CreatedAddress is the id of an account that creator makes with the salt and policy. It can be computed,
// and paid to, before the account is created.
func CreatedAddress(creator crypto.Address, salt []byte, policy *Policy) crypto.Address {
	return crypto.Address(crypto.SumTagged(crypto.TagCreatedAccount, creator[:], salt, policy.Encode()))
}

// jsonPolicy is the JSON form of a policy.
type jsonPolicy struct {
	Threshold uint32       `json:"threshold"`
	Members   []jsonMember `json:"members"`
}

type jsonMember struct {
	Weight    uint32 `json:"weight"`
	KeyType   string `json:"key_type"`
	PublicKey string `json:"public_key"`
}

func (p *Policy) show() jsonPolicy {
	form := jsonPolicy{Members: []jsonMember{}}
	if p == nil {
		return form
	}
	form.Threshold = p.Threshold
	for i := range p.Members {
		m := &p.Members[i]
		form.Members = append(form.Members, jsonMember{
			Weight: m.Weight, KeyType: keyTypeName(m.KeyType), PublicKey: hex.EncodeToString(m.PublicKey),
		})
	}
	return form
}

func parsePolicy(o *jsonObject) *Policy {
	p := &Policy{Threshold: uint32(o.number("threshold", 1<<32-1))}
	list, path := o.list("members")
	for i, value := range list {
		if i == PolicyMembersMax {
			o.r.fail(path, "more than %d members", PolicyMembersMax)
			break
		}
		m := o.r.object(value, fmt.Sprintf("%s[%d]", path, i))
		p.Members = append(p.Members, Member{
			Weight: uint32(m.number("weight", 1<<32-1)), KeyType: m.keyType("key_type"), PublicKey: m.hex("public_key"),
		})
		m.end()
	}
	o.end()
	return p
}
