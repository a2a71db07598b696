package crypto

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"pgregory.net/rapid"
)

// TestAddressesPinned pins derivations that live in people's notes and in state. The expected texts
// come from an independent script (SHA-256 and bech32m in Python).
func TestAddressesPinned(t *testing.T) {
	pub := KeyFromSeed([SeedSize]byte{}).Public()
	for _, c := range []struct{ got, want string }{
		{KeyAddress(pub.Type, pub.Bytes).String(), "tet1cdnrvya6wzgrw9sec34xxp9cf7uw287te3vycfmdcr5cx7l348lsm03zx2"},
		{SystemAddress("@gov").String(), "tet153p6jmk4z0pa6f9d4jdj3ltfdmy57q67w2jqmj27ecuuy93z3mjsj2kae3"},
		{ValidatorIDOf(pub.Type, pub.Bytes).String(), "tetval100j9h76svvzxh60d9ydv9umjshrf8dwrl4wkuz7sg00nwlc6w8sslg9ts5"},
		{Address{}.String(), "tet1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq4xvs0l"},
		// The engine's address of the key of RFC 8032 TEST 1 and of all others is a cut SHA-256.
		{fmt.Sprintf("%x", ConsensusAddress([]byte("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a3"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
	if KeyAddress(1, pub.Bytes) == KeyAddress(2, pub.Bytes) {
		t.Error("one key under two types has one address")
	}
	if !(Address{}).IsZero() || !(ValidatorID{}).IsZero() || pub.Address().IsZero() || ValidatorIDOf(1, pub.Bytes).IsZero() {
		t.Error("IsZero is wrong")
	}
}

// TestAddressErrors: each mistake is told as what it is.
func TestAddressErrors(t *testing.T) {
	good := DevKey("alice").Public().Address()
	text := good.String()
	validator := ValidatorID(good).String()
	groups, err := bech32.ConvertBits(good[:], 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	old, err := bech32.Encode(AddressPrefix, groups)
	if err != nil {
		t.Fatal(err)
	}
	groups[51] |= 1 // the last four bits are padding
	padded, err := bech32.EncodeM(AddressPrefix, groups)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, says string }{
		{"", "address is empty"},
		{validator, `has the prefix "tetval": "tet" is needed (this is a validator id)`},
		{"cosmos1" + text[4:], `has the prefix "cosmos": "tet" is needed`},
		{"tet" + text[4:], "does not begin with tet1"},
		{good.hexText(), "has the prefix"},
		{"alice", "does not begin with tet1"},
		{text[:61], "has 61 characters: 62 are needed"},
		{text + "q", "has 63 characters: 62 are needed"},
		{text[:61] + "q", "bad checksum: a character is mistyped"},
		{text[:10] + "b" + text[11:], `has the character 'b', which no address uses`},
		{strings.ToUpper(text[:30]) + text[30:], "mixes upper and lower case"},
		{text[:10] + " " + text[11:], "character at position 11 that is no letter or digit"},
		{text[:10] + "é" + text[12:], "character at position 11 that is no letter or digit"},
		{old, "has a bech32 checksum: bech32m is needed"},
		{padded, "does not end in four zero bits"},
		{strings.Repeat("a1", 5000), "..."},
	} {
		got, err := ParseAddress(c.text)
		wantError(t, err, "address", c.says)
		if !got.IsZero() {
			t.Errorf("%s: an address is returned with the error", c.text)
		}
		if len(err.Error()) > 400 {
			t.Errorf("the error for a long text has %d bytes", len(err.Error()))
		}
	}
	_, err = ParseValidatorID(text)
	wantError(t, err, "validator id", `has the prefix "tet": "tetval" is needed (this is an account's address)`)
	_, err = ParseValidatorID(validator[:64])
	wantError(t, err, "has 64 characters: 65 are needed")
}

func (a Address) hexText() string { return Hash(a).String() }

// TestAddressRoundTrip covers both prefixes, and the all-capitals form that QR codes prefer.
func TestAddressRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a Address
		copy(a[:], rapid.SliceOfN(rapid.Byte(), AddressSize, AddressSize).Draw(t, "address"))
		for _, text := range []string{a.String(), strings.ToUpper(a.String())} {
			if got, err := ParseAddress(text); err != nil || got != a {
				t.Fatalf("%s reads as %v, %v", text, got, err)
			}
		}
		v := ValidatorID(a)
		if got, err := ParseValidatorID(v.String()); err != nil || got != v {
			t.Fatalf("%s reads as %v, %v", v, got, err)
		}
	})
}

// TestTypoRefused: one mistyped character, or two neighbours swapped, never gives another address.
func TestTypoRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a Address
		copy(a[:], rapid.SliceOfN(rapid.Byte(), AddressSize, AddressSize).Draw(t, "address"))
		text := []byte(a.String())
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		typo := rapid.ByteRange(0x20, 0x7e).Filter(func(c byte) bool { return c != text[at] }).Draw(t, "typo")
		mistyped := append([]byte(nil), text...)
		mistyped[at] = typo
		if got, err := ParseAddress(string(mistyped)); err == nil {
			t.Fatalf("%s, mistyped for %s, is read as %s", mistyped, text, got)
		}
		if at+1 < len(text) && text[at] != text[at+1] {
			text[at], text[at+1] = text[at+1], text[at]
			if got, err := ParseAddress(string(text)); err == nil {
				t.Fatalf("%s with two characters swapped is read as %s", text, got)
			}
		}
	})
}

// TestTypoRefusedEverywhere tries every character at every place of one address.
func TestTypoRefusedEverywhere(t *testing.T) {
	text := DevKey("alice").Public().Address().String()
	for at := range len(text) {
		for c := range 256 {
			if byte(c) == text[at] {
				continue
			}
			mistyped := text[:at] + string([]byte{byte(c)}) + text[at+1:]
			if _, err := ParseAddress(mistyped); err == nil {
				t.Fatalf("%q is read", mistyped)
			}
		}
	}
}

func TestAddressJSON(t *testing.T) {
	type both struct {
		A Address     `json:"a"`
		V ValidatorID `json:"v"`
	}
	want := both{DevKey("alice").Public().Address(), ValidatorIDOf(KeyEd25519, DevKey("bob").Public().Bytes)}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"a":"tet1`) || !strings.Contains(string(raw), `"v":"tetval1`) {
		t.Fatalf("JSON is %s", raw)
	}
	var got both
	if err := json.Unmarshal(raw, &got); err != nil || got != want {
		t.Fatalf("reads back as %v, %v", got, err)
	}
	for _, bad := range []string{`{"a":"` + want.V.String() + `"}`, `{"v":"` + want.A.String() + `"}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}
