package crypto

import (
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// Characters of a 32-byte value in bech32m after the prefix and the separator: 52 of five bits each,
// the last four bits zero, and a checksum of six.
const (
	bech32mDataChars     = 52
	bech32mChecksumChars = 6
)

func encodeBech32m(prefix string, data [AddressSize]byte) string {
	groups, err := bech32.ConvertBits(data[:], 8, 5, true)
	if err != nil {
		panic("crypto: regrouping 32 bytes failed: " + err.Error())
	}
	text, err := bech32.EncodeM(prefix, groups)
	if err != nil {
		panic("crypto: bech32m of five-bit groups failed: " + err.Error())
	}
	return text
}

// decodeBech32m reads a 32-byte value. Faults are named from the outside in (letters, prefix,
// length, checksum, padding), so that the sentence tells what to mend: a wrong prefix is told as such
// and not as the bad checksum it also causes.
func decodeBech32m(text, prefix string) ([AddressSize]byte, error) {
	var out [AddressSize]byte
	if err := checkBech32mShape(text, prefix); err != nil {
		return out, err
	}
	_, groups, version, err := bech32.DecodeGeneric(text)
	if err != nil {
		return out, explainBech32m(text, prefix, err)
	}
	if version != bech32.VersionM {
		return out, fmt.Errorf("%s %q has a bech32 checksum: bech32m is needed", nounOf(prefix), text)
	}
	data, err := bech32.ConvertBits(groups, 5, 8, false)
	if err != nil || len(data) != AddressSize {
		return out, fmt.Errorf("%s %q does not end in four zero bits", nounOf(prefix), text)
	}
	copy(out[:], data)
	return out, nil
}

// checkBech32mShape looks at everything but the checksum.
func checkBech32mShape(text, prefix string) error {
	noun := nounOf(prefix)
	if text == "" {
		return fmt.Errorf("%s is empty", noun)
	}
	if at := strings.IndexFunc(text, func(r rune) bool { return r < 33 || r > 126 }); at >= 0 {
		return fmt.Errorf("%s %q has a character at position %d that is no letter or digit", noun, clip(text), at+1)
	}
	lower := strings.ToLower(text)
	if text != lower && text != strings.ToUpper(text) {
		return fmt.Errorf("%s %q mixes upper and lower case", noun, clip(text))
	}
	found, _, separated := cutLast(lower, '1')
	if !separated {
		return fmt.Errorf("%s %q does not begin with %s1", noun, clip(text), prefix)
	}
	if found != prefix {
		return fmt.Errorf("%s %q has the prefix %q: %q is needed%s", noun, clip(text), clip(found), prefix, hint(found))
	}
	if want := len(prefix) + 1 + bech32mDataChars + bech32mChecksumChars; len(text) != want {
		return fmt.Errorf("%s %q has %d characters: %d are needed", noun, clip(text), len(text), want)
	}
	return nil
}

func explainBech32m(text, prefix string, err error) error {
	noun := nounOf(prefix)
	var letter bech32.ErrNonCharsetChar
	var checksum bech32.ErrInvalidChecksum
	switch {
	case errors.As(err, &letter):
		return fmt.Errorf("%s %q has the character %q, which no address uses", noun, text, rune(letter))
	case errors.As(err, &checksum):
		return fmt.Errorf("%s %q has a bad checksum: a character is mistyped", noun, text)
	default:
		return fmt.Errorf("%s %q is not bech32m: %w", noun, text, err)
	}
}

// nounOf is what people call a value with this prefix.
func nounOf(prefix string) string {
	if prefix == ValidatorPrefix {
		return "validator id"
	}
	return "address"
}

// hint names the mistake of giving one kind of id for the other.
func hint(found string) string {
	switch found {
	case AddressPrefix:
		return " (this is an account's address)"
	case ValidatorPrefix:
		return " (this is a validator id)"
	default:
		return ""
	}
}

// cutLast splits text at its last separator; bech32 allows the separator inside the prefix.
func cutLast(text string, separator byte) (before, after string, found bool) {
	at := strings.LastIndexByte(text, separator)
	if at < 0 {
		return "", "", false
	}
	return text[:at], text[at+1:], true
}
