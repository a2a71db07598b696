package crypto

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPublicKeyValidate(t *testing.T) {
	good := DevKey("alice").Public()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  PublicKey
		says string
	}{
		{PublicKey{}, "unknown key type 0"},
		{PublicKey{Type: 2, Bytes: good.Bytes}, "unknown key type 2"},
		{PublicKey{Type: KeyEd25519}, "has 32 bytes, this has 0"},
		{PublicKey{Type: KeyEd25519, Bytes: good.Bytes[:31]}, "this has 31"},
		{PublicKey{Type: KeyEd25519, Bytes: append(bytes.Clone(good.Bytes), 0)}, "this has 33"},
	} {
		wantError(t, c.key.Validate(), c.says)
		wantError(t, c.key.CheckPoint(), c.says)
		if _, err := c.key.MarshalText(); err == nil {
			t.Errorf("%v is marshalled", c.key)
		}
	}
}

// TestCheckPoint refuses keys that nobody or everybody could sign for, in every encoding.
func TestCheckPoint(t *testing.T) {
	if err := DevKey("alice").Public().CheckPoint(); err != nil {
		t.Error(err)
	}
	noPoint := make([]byte, PublicKeySize)
	noPoint[0] = 2
	wantError(t, PublicKey{KeyEd25519, noPoint}.CheckPoint(), "not a point")
	for _, v := range loadVectors(t, "zip215.txt") {
		wantError(t, PublicKey{KeyEd25519, v.bytes(t, "encoding")}.CheckPoint(), "small order")
	}
	// A point of mixed order has a secret, and stays allowed.
	for _, c := range torsionCases(t)[8:16] {
		if err := (PublicKey{KeyEd25519, c.signed.Public}).CheckPoint(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPublicKeyText(t *testing.T) {
	key := DevKey("alice").Public()
	text := key.String()
	if text != "ed25519:"+hex.EncodeToString(key.Bytes) {
		t.Fatalf("text is %s", text)
	}
	back, err := ParsePublicKey(text)
	if err != nil || !back.Equal(key) {
		t.Fatalf("reads back as %s, %v", back, err)
	}
	if key.Equal(DevKey("bob").Public()) || key.Equal(PublicKey{Type: 2, Bytes: key.Bytes}) {
		t.Error("different keys are equal")
	}
	for bad, says := range map[string]string{
		"":                               "has no type",
		text[8:]:                         "has no type",
		"rsa:" + text[8:]:                `unknown key type "rsa"`,
		text[:71]:                        "63 characters",
		text + "0":                       "65 characters",
		"ed25519:z" + text[9:]:           "not hexadecimal",
		strings.Repeat("x", 1000) + ":1": "...",
	} {
		_, err := ParsePublicKey(bad)
		wantError(t, err, says)
		if len(err.Error()) > 300 {
			t.Errorf("the error for a long text has %d bytes", len(err.Error()))
		}
	}
	raw, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON PublicKey
	if err := json.Unmarshal(raw, &fromJSON); err != nil || !fromJSON.Equal(key) {
		t.Fatalf("JSON %s reads back as %v, %v", raw, fromJSON, err)
	}
	if err := json.Unmarshal([]byte(`"ed25519:00"`), &fromJSON); err == nil {
		t.Error("a short key is read from JSON")
	}
}

func TestKeyTypeText(t *testing.T) {
	if got, err := ParseKeyType(KeyEd25519.String()); err != nil || got != KeyEd25519 {
		t.Errorf("ed25519 reads back as %v, %v", got, err)
	}
	_, err := ParseKeyType("secp256k1")
	wantError(t, err, "unknown key type", "secp256k1")
	if KeyType(9).String() != "unknown key type 9" {
		t.Errorf("key type 9 is called %s", KeyType(9))
	}
}

// TestDevKeysPinned pins the fixed keys, which docs, scripts and genesis files name.
func TestDevKeysPinned(t *testing.T) {
	for name, address := range map[string]string{
		"alice":    "tet1fy5dhhgjmwttswr20tcw5tscvwhqfd423hq6n7aqpvw5pae2y2aqssl2dd",
		"bob":      "tet1y5ud7k0e2095evsydxnkawasmf7g3yh5pzk3vkaq2xmv6azpnp2qd87mm2",
		"carol":    "tet1njfpwtn67sf7k27xc8gtu4tvqpk2hzt6vxjm43kwujtas59k8s8shtj9xm",
		"dave":     "tet1v0f3s4e6uwafm8ckru33xrewhvcn82p8467h93xkjdg33z9rt4as5lu6pq",
		"treasury": "tet14spa9852s4drnyckxz5vzdxnv2xs9wf4gkg94s9u88csvxwdvgyqw22l0s",
	} {
		if got := DevKey(name).Public().Address().String(); got != address {
			t.Errorf("%s is %s, want %s", name, got, address)
		}
	}
	if DevKey("alice").Equal(DevKey("bob")) {
		t.Error("alice and bob share a key")
	}
}

func TestGenerateKey(t *testing.T) {
	a, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Equal(b) {
		t.Error("two generated keys are equal")
	}
	fixed, err := GenerateKey(bytes.NewReader(make([]byte, SeedSize)))
	if err != nil || !fixed.Equal(KeyFromSeed([SeedSize]byte{})) {
		t.Errorf("a key from a given reader is not the reader's: %v", err)
	}
	if _, err := GenerateKey(bytes.NewReader(make([]byte, SeedSize-1))); err == nil {
		t.Error("31 bytes of randomness are enough")
	}
	lost := errors.New("lost")
	if _, err := GenerateKey(iotest.ErrReader(lost)); !errors.Is(err, lost) {
		t.Errorf("error is %v", err)
	}
	if KeyFromSeed(a.Seed()).Equal(b) || !KeyFromSeed(a.Seed()).Equal(a) {
		t.Error("the seed does not give the key back")
	}
}

// TestZeroPrivateKey: using a key that was never set is a bug and must not sign with zeros.
func TestZeroPrivateKey(t *testing.T) {
	var zero PrivateKey
	if !zero.IsZero() || DevKey("alice").IsZero() || !zero.Equal(PrivateKey{}) || zero.Equal(DevKey("alice")) {
		t.Error("IsZero or Equal is wrong")
	}
	for name, use := range map[string]func(){
		"Sign":   func() { zero.Sign(nil) },
		"Public": func() { zero.Public() },
		"Seed":   func() { zero.Seed() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of no key does not panic", name)
				}
			}()
			use()
		}()
	}
}

// TestPrivateKeyStaysPrivate prints a key in every way at hand and looks for its bytes.
func TestPrivateKeyStaysPrivate(t *testing.T) {
	key := DevKey("alice")
	type wallet struct {
		name string
		key  PrivateKey // unexported, where fmt cannot call methods
		at   *PrivateKey
	}
	holder := wallet{"w", key, &key}
	var outputs []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%p", "%t", "%64v"} {
		for _, value := range []any{key, &key, holder, &holder, []PrivateKey{key}, map[string]PrivateKey{"k": key}} {
			outputs = append(outputs, fmt.Sprintf(verb, value))
		}
	}
	outputs = append(outputs, fmt.Sprint(key), fmt.Sprintln(key), key.String(), key.GoString())
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", key, "at", &key, "in", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", key, "at", &key, "in", holder)
	outputs = append(outputs, log.String())

	seed := key.Seed()
	decimal := strings.Trim(fmt.Sprint(seed[:4]), "[]")
	for _, secret := range []string{hex.EncodeToString(seed[:4]), decimal, string(seed[:4]), fmt.Sprintf("%#x", seed[0]) + ", "} {
		for _, output := range outputs {
			if strings.Contains(strings.ToLower(output), secret) {
				t.Errorf("the key shows in %q", output)
			}
		}
	}
	if got := fmt.Sprintf("%x", key); got != redacted {
		t.Errorf("%%x prints %q", got)
	}

	if raw, err := json.Marshal(key); err == nil {
		t.Errorf("JSON gives %s", raw)
	}
	if raw, err := json.Marshal(map[string]*PrivateKey{"k": &key}); err == nil {
		t.Errorf("JSON gives %s", raw)
	}
	if raw, err := key.MarshalText(); err == nil {
		t.Errorf("text gives %s", raw)
	}
	if err := gob.NewEncoder(&bytes.Buffer{}).Encode(key); err == nil {
		t.Error("gob encodes the key")
	}
}
