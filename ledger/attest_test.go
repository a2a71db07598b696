package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// attestationVectors pins what a service key signs, for this and for other implementations.
type attestationVectors struct {
	About        string              `json:"about"`
	Genesis      string              `json:"genesis_hash"`
	Seed         string              `json:"service_seed"`
	PublicKey    string              `json:"service_key"`
	Attestations []attestationVector `json:"attestations"`
}

type attestationVector struct {
	Validator  crypto.ValidatorID `json:"validator"`
	Nonce      string             `json:"nonce"`
	Committed  uint64             `json:"committed"`
	HeaderHash crypto.Hash        `json:"header_hash"`
	Pending    uint64             `json:"pending"`
	SignBytes  string             `json:"sign_bytes"`
	Signed     string             `json:"signed"` // the attestation followed by its signature
}

// someAttestations are attestations that honest validators make.
func someAttestations() []Attestation {
	carol := testKey("carol")
	a := Attestation{
		Validator: crypto.ValidatorIDOf(crypto.KeyEd25519, carol.public), Nonce: [AttestNonceLen]byte([]byte("thirty-two bytes, drawn at once.")),
		Committed: 1, HeaderHash: crypto.Sum([]byte("header")),
	}
	b := a
	b.Committed, b.Pending = 1<<40+0x1234, 1<<40+0x1235
	return []Attestation{a, b}
}

func signedBy(p party, a Attestation) SignedAttestation {
	message := a.SignBytes(vectorGenesis)
	return SignedAttestation{a, [crypto.SignatureSize]byte(p.key.Sign(message[:]))}
}

func TestAttestationVectors(t *testing.T) {
	const path = "testdata/attestations.json"
	alice := testKey("alice")
	seed := alice.key.Seed()
	want := attestationVectors{
		About: "Attestations of tetrad/attest/1. Written by go test ./ledger -run TestAttestationVectors -rewrite; " +
			"a change here makes nodes and clients of different versions deaf to each other.",
		Genesis: vectorGenesis.String(), Seed: hex.EncodeToString(seed[:]), PublicKey: hex.EncodeToString(alice.public),
	}
	for _, a := range someAttestations() {
		message, signed := a.SignBytes(vectorGenesis), signedBy(alice, a).Encode()
		want.Attestations = append(want.Attestations, attestationVector{
			a.Validator, hex.EncodeToString(a.Nonce[:]), a.Committed, a.HeaderHash, a.Pending, hex.EncodeToString(message[:]), hex.EncodeToString(signed[:]),
		})
	}
	if *rewrite {
		text, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got attestationVectors
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s does not say what this code does: %v", path, err)
	}
	for _, v := range got.Attestations {
		s, err := DecodeSignedAttestation(decodeHex(t, v.Signed))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validator != v.Validator || hex.EncodeToString(s.Nonce[:]) != v.Nonce || s.Committed != v.Committed || s.HeaderHash != v.HeaderHash || s.Pending != v.Pending {
			t.Errorf("%s reads as %+v", v.Signed, s)
		}
		if err := s.Verify(vectorGenesis, s.Nonce, alice.key.Public(), s.Signature[:]); err != nil {
			t.Error(err)
		}
	}
}

func TestAttestationVerify(t *testing.T) {
	alice, bob := testKey("alice"), testKey("bob")
	good := signedBy(alice, someAttestations()[1])
	for name, c := range map[string]struct {
		change  func(*SignedAttestation)
		genesis crypto.Hash
		by      party
		want    string // in the error; empty: none
	}{
		"good":               {func(*SignedAttestation) {}, vectorGenesis, alice, ""},
		"another chain":      {func(*SignedAttestation) {}, crypto.Hash{1}, alice, "not signed"},
		"another key":        {func(*SignedAttestation) {}, vectorGenesis, bob, "not signed"},
		"another height":     {func(s *SignedAttestation) { s.Committed--; s.Pending-- }, vectorGenesis, alice, "not signed"},
		"pending hidden":     {func(s *SignedAttestation) { s.Pending = 0 }, vectorGenesis, alice, "not signed"},
		"another header":     {func(s *SignedAttestation) { s.HeaderHash[0]++ }, vectorGenesis, alice, "not signed"},
		"another validator":  {func(s *SignedAttestation) { s.Validator[0]++ }, vectorGenesis, alice, "not signed"},
		"another nonce":      {func(s *SignedAttestation) { s.Nonce[0]++ }, vectorGenesis, alice, "nonce"},
		"no validator":       {func(s *SignedAttestation) { s.Validator = crypto.ValidatorID{} }, vectorGenesis, alice, "no validator"},
		"no block":           {func(s *SignedAttestation) { s.Committed, s.Pending = 0, 1 }, vectorGenesis, alice, "no committed height"},
		"no height after it": {func(s *SignedAttestation) { s.Committed, s.Pending = 1<<64-1, 0 }, vectorGenesis, alice, "no committed height"},
		"no header":          {func(s *SignedAttestation) { s.HeaderHash = crypto.Hash{} }, vectorGenesis, alice, "no header"},
		"pending too low":    {func(s *SignedAttestation) { s.Pending-- }, vectorGenesis, alice, "pending"},
		"pending too high":   {func(s *SignedAttestation) { s.Pending++ }, vectorGenesis, alice, "pending"},
	} {
		s := good
		c.change(&s)
		err := s.Verify(c.genesis, good.Nonce, c.by.key.Public(), s.Signature[:])
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A transaction's signature over the same bytes is no attestation's.
	body := good.Attestation.Encode()
	message := crypto.SignBytes(crypto.TagTx, vectorGenesis, crypto.Sum(body[:]))
	if good.Verify(vectorGenesis, good.Nonce, alice.key.Public(), alice.key.Sign(message[:])) == nil {
		t.Error("takes a signature made for another purpose")
	}
}

func TestDecodeAttestationIsStrict(t *testing.T) {
	whole := signedBy(testKey("alice"), someAttestations()[0]).Encode()
	for _, n := range []int{0, AttestationSize - 1, AttestationSize + 1, SignedAttestationSize - 1, SignedAttestationSize} {
		if _, err := DecodeAttestation(whole[:n]); err == nil {
			t.Errorf("takes %d bytes", n)
		}
	}
	for _, b := range [][]byte{nil, whole[:AttestationSize], whole[:SignedAttestationSize-1], append(whole[:], 0)} {
		if _, err := DecodeSignedAttestation(b); err == nil {
			t.Errorf("takes %d bytes with a signature", len(b))
		}
	}
}

func FuzzDecodeSignedAttestation(f *testing.F) {
	for _, a := range someAttestations() {
		whole := signedBy(testKey("alice"), a).Encode()
		f.Add(whole[:])
		f.Add(whole[:AttestationSize])
	}
	f.Add(bytes.Repeat([]byte{0xff}, SignedAttestationSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSignedAttestation(b)
		if err != nil {
			return
		}
		if again := s.Encode(); !bytes.Equal(again[:], b) {
			t.Fatalf("encodes back to %x", again)
		}
		if s.Check() != nil || s.Pending != 0 && s.Pending <= s.Committed {
			t.Fatalf("accepted what nobody says: %+v", s)
		}
		if height, _, _ := ReadIndex([]Attestation{s.Attestation}, Powers{s.Validator: 1}); height != max(s.Committed, s.Pending) {
			t.Fatalf("reads at %d: %+v", height, s)
		}
	})
}
