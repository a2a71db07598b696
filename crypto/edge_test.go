package crypto

import (
	"crypto/sha512"
	"fmt"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// edgeCase is a signature on which implementations are known to disagree, or that must fail.
type edgeCase struct {
	name   string
	signed Signed
	accept bool
}

// edgeCases returns all of them: published ones from testdata and made ones.
func edgeCases(t testing.TB) []edgeCase {
	cases := zip215Cases(t)
	cases = append(cases, speccheckCases(t)...)
	cases = append(cases, torsionCases(t)...)
	return append(cases, spoiledCases(t)...)
}

func zip215Cases(t testing.TB) []edgeCase {
	encodings := loadVectors(t, "zip215.txt")
	var cases []edgeCase
	for i, public := range encodings {
		for j, r := range encodings {
			cases = append(cases, edgeCase{
				name: fmt.Sprintf("zip215 A %d R %d", i, j),
				signed: Signed{
					Type:      KeyEd25519,
					Public:    public.bytes(t, "encoding"),
					Message:   []byte("Zcash"),
					Signature: append(r.bytes(t, "encoding"), make([]byte, 32)...),
				},
				accept: true,
			})
		}
	}
	if len(cases) != 196 {
		t.Fatalf("testdata/zip215.txt makes %d signatures, want 196", len(cases))
	}
	return cases
}

func speccheckCases(t testing.TB) []edgeCase {
	var cases []edgeCase
	for _, v := range loadVectors(t, "speccheck.txt") {
		cases = append(cases, edgeCase{
			name: "speccheck " + v["case"],
			signed: Signed{
				Type:      KeyEd25519,
				Public:    v.bytes(t, "public"),
				Message:   v.bytes(t, "message"),
				Signature: v.bytes(t, "signature"),
			},
			accept: v["accept"] == "yes",
		})
	}
	if len(cases) != 12 {
		t.Fatalf("testdata/speccheck.txt has %d cases, want 12", len(cases))
	}
	return cases
}

// torsionCases signs with every pair of small-order components added to the public key and to R. A
// signer can make such signatures at will; cofactorless verification rejects most of them.
func torsionCases(t testing.TB) []edgeCase {
	torsion := curve.NewEdwardsPoint()
	if err := torsion.UnmarshalBinary(mustHex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")); err != nil {
		t.Fatal(err)
	}
	secretScalar, nonce := wideScalar(t, "secret"), wideScalar(t, "nonce")
	message := []byte("torsion")
	var cases []edgeCase
	for i := range 8 {
		public := encodedPoint(t, secretScalar, torsion, i)
		for j := range 8 {
			r := encodedPoint(t, nonce, torsion, j)
			digest := sha512.Sum512(slices.Concat(r, public, message))
			challenge, err := scalar.NewFromBytesModOrderWide(digest[:])
			if err != nil {
				t.Fatal(err)
			}
			s := scalar.New().Mul(challenge, secretScalar)
			s.Add(s, nonce)
			sBytes := make([]byte, 32)
			if err := s.ToBytes(sBytes); err != nil {
				t.Fatal(err)
			}
			cases = append(cases, edgeCase{
				name:   fmt.Sprintf("torsion A+%dT R+%dT", i, j),
				signed: Signed{Type: KeyEd25519, Public: public, Message: message, Signature: append(r, sBytes...)},
				accept: true,
			})
		}
	}
	return cases
}

// encodedPoint returns k times the base point plus times times the torsion point.
func encodedPoint(t testing.TB, k *scalar.Scalar, torsion *curve.EdwardsPoint, times int) []byte {
	point := curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, k)
	for range times {
		point.Add(point, torsion)
	}
	raw, err := point.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func wideScalar(t testing.TB, text string) *scalar.Scalar {
	digest := sha512.Sum512([]byte(text))
	k, err := scalar.NewFromBytesModOrderWide(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// spoiledCases are signatures that must fail whatever the rules are.
func spoiledCases(t testing.TB) []edgeCase {
	noPoint := mustHex(t, "0200000000000000000000000000000000000000000000000000000000000000")
	spoil := map[string]func(*Signed){
		"no key type":         func(s *Signed) { s.Type = 0 },
		"unknown key type":    func(s *Signed) { s.Type = 2 },
		"no key":              func(s *Signed) { s.Public = nil },
		"short key":           func(s *Signed) { s.Public = s.Public[:31] },
		"long key":            func(s *Signed) { s.Public = append(s.Public, 0) },
		"no signature":        func(s *Signed) { s.Signature = nil },
		"short signature":     func(s *Signed) { s.Signature = s.Signature[:63] },
		"long signature":      func(s *Signed) { s.Signature = append(s.Signature, 0) },
		"key no point":        func(s *Signed) { s.Public = noPoint },
		"R no point":          func(s *Signed) { copy(s.Signature, noPoint) },
		"R changed":           func(s *Signed) { copy(s.Signature, signedBy("other", "spoiled").Signature[:32]) },
		"S changed":           func(s *Signed) { s.Signature[32] ^= 1 },
		"S plus group order":  func(s *Signed) { addOrder(s.Signature[32:]) },
		"message changed":     func(s *Signed) { s.Message = []byte("spoilt") },
		"message emptied":     func(s *Signed) { s.Message = nil },
		"somebody else's key": func(s *Signed) { s.Public = DevKey("other").Public().Bytes },
	}
	var cases []edgeCase
	for name, change := range spoil {
		signed := signedBy("alice", "spoiled")
		change(&signed)
		cases = append(cases, edgeCase{name: "spoiled: " + name, signed: signed})
	}
	slices.SortFunc(cases, func(a, b edgeCase) int { return cmpText(a.name, b.name) })
	return append(cases, edgeCase{name: "spoiled: not at all", signed: signedBy("alice", "spoiled"), accept: true})
}

// addOrder adds the group order to a little-endian scalar, which stays the same modulo the order.
func addOrder(s []byte) {
	order := [32]byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		31: 0x10,
	}
	carry := 0
	for i := range s {
		sum := int(s[i]) + int(order[i]) + carry
		s[i], carry = byte(sum), sum>>8
	}
}

// signedBy returns a good signature of a development key.
func signedBy(name, message string) Signed {
	key := DevKey(name)
	return Signed{
		Type:      KeyEd25519,
		Public:    key.Public().Bytes,
		Message:   []byte(message),
		Signature: key.Sign([]byte(message)),
	}
}
