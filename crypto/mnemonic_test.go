package crypto

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/anyproto/go-slip10"
	"github.com/cosmos/go-bip39"
)

// TestBIP39Vectors runs the published vectors through the library that makes our mnemonics.
func TestBIP39Vectors(t *testing.T) {
	vectors := loadVectors(t, "bip39.txt")
	if len(vectors) != 8 {
		t.Fatalf("%d vectors, want 8", len(vectors))
	}
	for _, v := range vectors {
		words, err := bip39.NewMnemonic(v.bytes(t, "entropy"))
		if err != nil || words != v["words"] {
			t.Errorf("entropy %s gives %q, %v", v["entropy"], words, err)
		}
		seed, err := bip39.NewSeedWithErrorChecking(v["words"], "TREZOR")
		if err != nil || hex.EncodeToString(seed) != v["seed"] {
			t.Errorf("words %q give seed %x, %v", v["words"], seed, err)
		}
		if _, err := KeyFromMnemonic(v["words"], 0); err != nil {
			t.Errorf("words %q: %v", v["words"], err)
		}
	}
}

// TestSLIP10Vectors runs the published ed25519 vectors through derivation and through our keys.
func TestSLIP10Vectors(t *testing.T) {
	vectors := loadVectors(t, "slip10.txt")
	if len(vectors) != 12 {
		t.Fatalf("%d vectors, want 12", len(vectors))
	}
	for _, v := range vectors {
		node, err := slip10.DeriveForPath(v["path"], v.bytes(t, "seed"))
		if err != nil {
			t.Fatalf("path %s: %v", v["path"], err)
		}
		if hex.EncodeToString(node.RawSeed()) != v["private"] {
			t.Errorf("path %s: private key differs", v["path"])
		}
		pub := KeyFromSeed([SeedSize]byte(node.RawSeed())).Public()
		if hex.EncodeToString(pub.Bytes) != v["public"] {
			t.Errorf("path %s: public key %s", v["path"], pub)
		}
	}
}

// TestKeyFromMnemonic compares with a second derivation that uses the standard library alone, and
// pins one result: it is what people restore from paper.
func TestKeyFromMnemonic(t *testing.T) {
	words := loadVectors(t, "bip39.txt")[1]["words"]
	for _, account := range []uint32{0, 1, 7, DerivedAccountsMax - 1} {
		key, err := KeyFromMnemonic(words, account)
		if err != nil {
			t.Fatal(err)
		}
		if want := deriveSlowly(t, words, 44, CoinType, account); key.Seed() != want {
			t.Errorf("account %d differs from the second derivation", account)
		}
	}
	first, err := KeyFromMnemonic(words, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := first.Public().Address().String(), "tet1yxgz9cr3m547xye8ehr9ep9mhjdx4v2hp5k6xma7cugmre4zgchqp7qfqy"; got != want {
		t.Errorf("account 0 is %s, want %s", got, want)
	}
	loose, err := KeyFromMnemonic("  "+strings.ToUpper(strings.ReplaceAll(words, " ", "\n\t ")), 0)
	if err != nil || !loose.Equal(first) {
		t.Errorf("spacing and case matter: %v", err)
	}
	_, err = KeyFromMnemonic(words, DerivedAccountsMax)
	wantError(t, err, "account number 2147483648 is too large")
}

// deriveSlowly is BIP-39 with no passphrase and then SLIP-10 with hardened steps.
func deriveSlowly(t *testing.T, words string, path ...uint32) [SeedSize]byte {
	seed, err := pbkdf2.Key(sha512.New, words, []byte("mnemonic"), 2048, 64)
	if err != nil {
		t.Fatal(err)
	}
	step := func(key, data []byte) []byte {
		mac := hmac.New(sha512.New, key)
		mac.Write(data)
		return mac.Sum(nil)
	}
	node := step([]byte("ed25519 seed"), seed)
	for _, index := range path {
		data := append([]byte{0}, node[:32]...)
		node = step(node[32:], binary.BigEndian.AppendUint32(data, 1<<31|index))
	}
	return [SeedSize]byte(node[:32])
}

func TestNewMnemonic(t *testing.T) {
	a, err := NewMnemonic()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewMnemonic()
	if err != nil {
		t.Fatal(err)
	}
	if a == b || len(strings.Fields(a)) != MnemonicWords {
		t.Fatalf("%d words; equal to the next: %v", len(strings.Fields(a)), a == b)
	}
	if _, err := KeyFromMnemonic(a, 0); err != nil {
		t.Error(err)
	}
}

// TestMnemonicErrors: a mistake is placed, and no word appears in the message.
func TestMnemonicErrors(t *testing.T) {
	words := loadVectors(t, "bip39.txt")[1]["words"]
	list := strings.Fields(words)
	with := func(i int, word string) string {
		changed := append([]string(nil), list...)
		changed[i] = word
		return strings.Join(changed, " ")
	}
	for _, c := range []struct{ words, says string }{
		{"", "has 24 words, this has 0"},
		{strings.Join(list[:23], " "), "has 24 words, this has 23"},
		{words + " zoo", "has 24 words, this has 25"},
		{strings.Join(list[:12], " "), "has 24 words, this has 12"},
		{with(6, "secretword"), "word 7 is not in the English BIP-39 list"},
		{with(23, "zebra"), "checksum"},
		{with(3, "zone"), "checksum"},
		{words + strings.Repeat(" ", mnemonicBytesMax+1-len(words)), "at most 1024 bytes"},
	} {
		_, err := KeyFromMnemonic(c.words, 0)
		wantError(t, err, c.says)
		for _, word := range append(list, "secretword", "zebra", "zone") {
			if len(word) > 3 && strings.Contains(err.Error(), word) {
				t.Errorf("the error repeats a word: %s", err)
			}
		}
	}
	if _, err := KeyFromMnemonic(words+strings.Repeat(" ", mnemonicBytesMax-len(words)), 0); err != nil {
		t.Errorf("1024 bytes are refused: %v", err)
	}
}
