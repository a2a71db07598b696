package crypto

import "crypto/sha256"

// AddressSize is the length of account and validator ids in bytes.
const AddressSize = 32

// The prefixes people read. They differ so that an account cannot be pasted where a validator
// belongs; changing one would invalidate everything ever written down.
const (
	AddressPrefix   = "tet"
	ValidatorPrefix = "tetval"
)

// Address is an account's id. It stays the same when the account's keys rotate.
type Address [AddressSize]byte

// KeyAddress is the account that answers to a key without any creation step. The key type is hashed
// too: equal bytes of two schemes are two accounts.
func KeyAddress(t KeyType, pub []byte) Address {
	return Address(SumTagged(TagAccount, []byte{byte(t)}, pub))
}

// SystemAddress is the id of a system account by its name, as in "@gov". No key has it.
func SystemAddress(name string) Address {
	return Address(SumTagged(TagSystem, []byte(name)))
}

// ParseAddress reads what String writes; the error says exactly what is wrong with text.
func ParseAddress(text string) (Address, error) {
	data, err := decodeBech32m(text, AddressPrefix)
	return Address(data), err
}

// String returns the bech32m form, tet1....
func (a Address) String() string { return encodeBech32m(AddressPrefix, a) }

// IsZero reports whether a is the zero value, which is no account.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText makes addresses bech32m strings in JSON and TOML.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// ValidatorID names a validator. It is derived from the consensus key, which never rotates: a
// validator with a new key is a new validator.
type ValidatorID [AddressSize]byte

// ValidatorIDOf is the id of the validator with this consensus key.
func ValidatorIDOf(t KeyType, pub []byte) ValidatorID {
	return ValidatorID(SumTagged(TagValidator, []byte{byte(t)}, pub))
}

// ParseValidatorID reads what String writes; the error says exactly what is wrong with text.
func ParseValidatorID(text string) (ValidatorID, error) {
	data, err := decodeBech32m(text, ValidatorPrefix)
	return ValidatorID(data), err
}

// String returns the bech32m form, tetval1....
func (v ValidatorID) String() string { return encodeBech32m(ValidatorPrefix, v) }

// IsZero reports whether v is the zero value, which is no validator.
func (v ValidatorID) IsZero() bool { return v == ValidatorID{} }

// MarshalText makes validator ids bech32m strings in JSON and TOML.
func (v ValidatorID) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (v *ValidatorID) UnmarshalText(text []byte) error {
	parsed, err := ParseValidatorID(string(text))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// ConsensusAddressSize is the length of the engine's own validator addresses in bytes.
const ConsensusAddressSize = 20

// ConsensusAddress is how the consensus engine names the validator with this ed25519 key in votes,
// proposals and evidence: the first 20 bytes of the key's SHA-256, untagged.
func ConsensusAddress(pub []byte) [ConsensusAddressSize]byte {
	sum := sha256.Sum256(pub)
	return [ConsensusAddressSize]byte(sum[:ConsensusAddressSize])
}
