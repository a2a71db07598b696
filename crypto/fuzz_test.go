package crypto

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzVerify looks for a signature that one path accepts and another refuses.
func FuzzVerify(f *testing.F) {
	for i, c := range edgeCases(f) {
		if i%7 == 0 || !c.accept {
			f.Add(uint8(c.signed.Type), c.signed.Public, c.signed.Message, c.signed.Signature)
		}
	}
	few := goodBatch(aloneMax)
	f.Fuzz(func(t *testing.T, keyType uint8, public, message, signature []byte) {
		s := Signed{Type: KeyType(keyType), Public: public, Message: message, Signature: signature}
		want := Verify(s.Type, s.Public, s.Message, s.Signature)
		v := NewVerifier(4)
		for _, batch := range [][]Signed{{s}, {s}, {s}, append(few[:len(few):len(few)], s)} {
			bad := v.Verify(batch)
			if len(bad) > 1 || (len(bad) == 0) != want || (len(bad) == 1 && bad[0] != len(batch)-1) {
				t.Fatalf("single says %v, a batch of %d names %v bad", want, len(batch), bad)
			}
		}
	})
}

// FuzzParseAddress: whatever is read is written back as it came, in small letters.
func FuzzParseAddress(f *testing.F) {
	f.Add(DevKey("alice").Public().Address().String())
	f.Add(ValidatorIDOf(KeyEd25519, DevKey("alice").Public().Bytes).String())
	f.Add("tet1")
	f.Add("1")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAddress(text); err == nil && a.String() != strings.ToLower(text) {
			t.Fatalf("%q is read as %s", text, a)
		}
		if v, err := ParseValidatorID(text); err == nil && v.String() != strings.ToLower(text) {
			t.Fatalf("%q is read as %s", text, v)
		}
	})
}

// FuzzParsePublicKey: whatever is read is valid and written back as it came.
func FuzzParsePublicKey(f *testing.F) {
	f.Add(DevKey("alice").Public().String())
	f.Add("ed25519:")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParsePublicKey(text)
		if err != nil {
			return
		}
		if key.Validate() != nil || !strings.EqualFold(key.String(), text) {
			t.Fatalf("%q is read as %s", text, key)
		}
		_ = key.CheckPoint() // must not panic
	})
}

// FuzzKeyFile: whatever is decoded contradicts itself nowhere, and encodes to something that decodes
// to the same.
func FuzzKeyFile(f *testing.F) {
	f.Add([]byte(encoded(f, exposeKey(DevKey("alice")))))
	file, err := sealKey(DevKey("bob"), []byte("p"), 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(encoded(f, file)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := decodeKeyFile(raw)
		if err != nil {
			return
		}
		if file.Address != file.PublicKey.Address() {
			t.Fatal("an address is accepted that is not the key's")
		}
		first, err := file.encode()
		if err != nil {
			return // a year that JSON cannot write; nothing we ever write again
		}
		if len(first) > keyFileBytesMax {
			return // escaping made it longer
		}
		again, err := decodeKeyFile(first)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := again.encode(); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("encodes as %s and then as %s, %v", first, second, err)
		}
		if file.Kind == KindTest {
			_, _ = file.open(nil)
		}
	})
}

// FuzzDecryptKey: nothing but a key is ever decrypted, and no input makes it costly or panic.
func FuzzDecryptKey(f *testing.F) {
	alice := DevKey("alice")
	var out bytes.Buffer
	if err := EncryptKey(&out, alice, []byte("p"), 1); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add([]byte("-----BEGIN AGE ENCRYPTED FILE-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		key, err := decryptKey(bytes.NewReader(raw), []byte("p"), 2)
		if err == nil && !key.Equal(alice) {
			t.Fatal("something was decrypted that nobody encrypted")
		}
	})
}
