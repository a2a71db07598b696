package crypto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// testWorkFactor makes scrypt cheap: these tests are about everything else.
const testWorkFactor = 4

func sealed(t testing.TB, k PrivateKey, passphrase string) string {
	t.Helper()
	var out strings.Builder
	if err := EncryptKey(&out, k, []byte(passphrase), testWorkFactor); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestEncryptKey(t *testing.T) {
	alice := DevKey("alice")
	text := sealed(t, alice, "open sesame")
	if text == sealed(t, alice, "open sesame") {
		t.Error("encrypting twice gives the same bytes")
	}
	got, err := DecryptKey(strings.NewReader(text), []byte("open sesame"))
	if err != nil || !got.Equal(alice) {
		t.Fatalf("decrypts to another key, or %v", err)
	}
	_, err = DecryptKey(strings.NewReader(text), []byte("open barley"))
	if !errors.Is(err, ErrWrongPassphrase) || err.Error() != "wrong passphrase" {
		t.Errorf("error is %v", err)
	}

	// The stock age tool opens it as well.
	identity, err := age.NewScryptIdentity("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(text)), identity)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := io.ReadAll(plain)
	seed := alice.Seed()
	if err != nil || string(payload) != "tetrad-key-1 ed25519 "+hex.EncodeToString(seed[:]) {
		t.Errorf("payload is %q, %v", payload, err)
	}
}

func TestEncryptKeyBounds(t *testing.T) {
	alice := DevKey("alice")
	for _, c := range []struct {
		passphrase string
		workFactor int
		says       string
	}{
		{"", testWorkFactor, "passphrase is empty"},
		{strings.Repeat("x", passphraseBytesMax+1), testWorkFactor, "1025 bytes, at most 1024"},
		{"x", 0, "work factor 0"},
		{"x", keyWorkFactorMax + 1, "work factor 21"},
	} {
		var out bytes.Buffer
		wantError(t, EncryptKey(&out, alice, []byte(c.passphrase), c.workFactor), c.says)
		if out.Len() != 0 {
			t.Errorf("%s: something was written", c.says)
		}
	}
	long := strings.Repeat("x", passphraseBytesMax)
	if _, err := DecryptKey(strings.NewReader(sealed(t, alice, long)), []byte(long)); err != nil {
		t.Errorf("a passphrase of 1024 bytes: %v", err)
	}
	_, err := DecryptKey(strings.NewReader("x"), nil)
	wantError(t, err, "passphrase is empty")
}

// TestDecryptKeyDamaged: damage is told apart from a wrong passphrase as far as age can tell.
func TestDecryptKeyDamaged(t *testing.T) {
	text := sealed(t, DevKey("alice"), "p")
	for name, damaged := range map[string]string{
		"empty":     "",
		"no armor":  "tetrad",
		"cut":       text[:len(text)/2],
		"no end":    strings.Replace(text, "-----END", "-----XXX", 1),
		"too large": strings.Repeat(" ", sealedBytesMax) + text,
	} {
		_, err := DecryptKey(strings.NewReader(damaged), []byte("p"))
		if err == nil || errors.Is(err, ErrWrongPassphrase) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	_, err := decryptKey(strings.NewReader(text), []byte("p"), testWorkFactor-1)
	wantError(t, err, "work factor too large")

	seal := func(recipient age.Recipient, payload string) string {
		var out strings.Builder
		armored := armor.NewWriter(&out)
		w, err := age.Encrypt(armored, recipient)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, payload); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Close(), armored.Close()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	_, err = DecryptKey(strings.NewReader(seal(identity.Recipient(), "x")), []byte("p"))
	wantError(t, err, "not encrypted by a passphrase")

	scrypt, err := age.NewScryptRecipient("p")
	if err != nil {
		t.Fatal(err)
	}
	scrypt.SetWorkFactor(testWorkFactor)
	good := encodePayload(DevKey("alice"))
	for _, payload := range []string{
		"", "x", good[:len(good)-1], good + "0", good + "\n", strings.ToUpper(good),
		payloadPrefix + strings.Repeat("A", 64), payloadPrefix + strings.Repeat("z", 64),
		"tetrad-key-2 ed25519 " + good[len(payloadPrefix):],
	} {
		_, err := DecryptKey(strings.NewReader(seal(scrypt, payload)), []byte("p"))
		wantError(t, err, "not a key of a format this version knows")
		if len(payload) > 30 && strings.Contains(err.Error(), payload[25:]) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

func passphraseOf(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "alice.key")
	alice := DevKey("alice")
	if err := WriteKeyFile(path, alice, []byte("p"), testWorkFactor); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode is %v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seed := alice.Seed()
	if bytes.Contains(raw, []byte(hex.EncodeToString(seed[:8]))) {
		t.Error("the seed stands in the file")
	}
	asked := 0
	got, err := OpenKeyFile(path, func() ([]byte, error) { asked++; return []byte("p"), nil })
	if err != nil || !got.Equal(alice) || asked != 1 {
		t.Fatalf("opens as another key, or %v; asked %d times", err, asked)
	}

	if _, err := OpenKeyFile(path, passphraseOf("q")); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("error is %v", err)
	} else {
		wantError(t, err, path, "wrong passphrase")
	}
	_, err = OpenKeyFile(path, nil)
	wantError(t, err, "nobody can be asked")
	interrupted := errors.New("interrupted")
	if _, err := OpenKeyFile(path, func() ([]byte, error) { return nil, interrupted }); !errors.Is(err, interrupted) {
		t.Errorf("error is %v", err)
	}

	// Never overwritten, not even by the same key.
	if err := WriteKeyFile(path, DevKey("bob"), []byte("p"), testWorkFactor); !errors.Is(err, ErrKeyExists) {
		t.Errorf("error is %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(raw, after) {
		t.Error("an existing key file was changed")
	}
	onlyFile(t, dir, "alice.key")

	if err := WriteKeyFile(filepath.Join(dir, "none", "x.key"), alice, []byte("p"), testWorkFactor); err == nil {
		t.Error("a file is written into a directory that is not there")
	}
	if err := WriteKeyFile(filepath.Join(dir, "x.key"), alice, nil, testWorkFactor); err == nil {
		t.Error("a file is written without a passphrase")
	}
	onlyFile(t, dir, "alice.key")
}

// onlyFile fails unless dir holds exactly the one file: nothing half-done is left behind.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the directory holds %v, want %s alone", entries, name)
	}
}

// TestKeyFileModes refuses every file somebody else could read, write or run.
func TestKeyFileModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.key")
	if err := WriteKeyFile(path, DevKey("alice"), []byte("p"), testWorkFactor); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenKeyFile(path, func() ([]byte, error) {
			t.Error("a passphrase is asked for although the file is refused")
			return nil, nil
		})
		wantError(t, err, "can be used by others", "chmod 600")
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeyFile(path, passphraseOf("p")); err != nil {
			t.Errorf("mode %o is refused: %v", mode, err)
		}
	}
}

func TestKeyFileNotRegular(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenKeyFile(filepath.Join(dir, "none.key"), passphraseOf("p"))
	if !errors.Is(err, ErrKeyNotFound) {
		t.Errorf("error is %v", err)
	}
	_, err = OpenKeyFile(dir, passphraseOf("p"))
	wantError(t, err, "not a regular file")
	pipe := filepath.Join(dir, "pipe.key")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKeyFile(pipe, passphraseOf("p"))
	wantError(t, err, "not a regular file")
}

// TestKeyFileTampered: the public part is not protected by the passphrase, so whatever was changed in
// it must be found out.
func TestKeyFileTampered(t *testing.T) {
	alice, bob := DevKey("alice"), DevKey("bob")
	file, err := sealKey(alice, []byte("p"), testWorkFactor)
	if err != nil {
		t.Fatal(err)
	}
	text := encoded(t, file)
	bobs := file
	bobs.PublicKey, bobs.Address = bob.Public(), bob.Public().Address()
	bobsKey := file
	bobsKey.PublicKey = bob.Public()
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "not a key file"},
		{"not JSON", "tet1", "not a key file"},
		{"null", "null", "format"},
		{"a list", "[]", "not a key file"},
		{"unknown field", strings.Replace(text, `"kind"`, `"x":1,"kind"`, 1), `unknown field "x"`},
		{"trailing bytes", text + "{}", "something follows"},
		{"newer format", strings.Replace(text, keyFileFormat, "tetrad-key-file-2", 1), `"tetrad-key-file-2" is unknown`},
		{"unknown kind", strings.Replace(text, `"age"`, `"gpg"`, 1), `kind "gpg" is unknown`},
		{"no public key", strings.Replace(text, file.PublicKey.String(), "", 1), "not a key file"},
		{"only a key", encoded(t, bobsKey), "the file was changed"},
		{"no address", strings.Replace(text, file.Address.String(), Address{}.String(), 1), "the file was changed"},
	} {
		_, err := decodeKeyFile([]byte(c.text))
		wantError(t, err, c.says)
	}
	got, err := decodeKeyFile([]byte(encoded(t, bobs)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = got.open(passphraseOf("p"))
	wantError(t, err, "does not belong to the public key", "was changed")

	clearKind := exposeKey(alice)
	clearKind.Kind = KindAge
	if got, err = decodeKeyFile([]byte(encoded(t, clearKind))); err != nil {
		t.Fatal(err)
	}
	if _, err := got.open(passphraseOf("p")); err == nil {
		t.Error("a secret in clear is read as an encrypted one")
	}
}

func TestKeyFileSize(t *testing.T) {
	text := encoded(t, exposeKey(DevKey("alice")))
	pad := func(n int) []byte { return []byte(text + strings.Repeat(" ", n-len(text))) }
	if _, err := decodeKeyFile(pad(keyFileBytesMax)); err != nil {
		t.Errorf("a file of the largest size: %v", err)
	}
	_, err := decodeKeyFile(pad(keyFileBytesMax + 1))
	wantError(t, err, "at most 16384 bytes")
	path := filepath.Join(t.TempDir(), "large.key")
	if err := os.WriteFile(path, pad(keyFileBytesMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKeyFile(path, nil)
	wantError(t, err, "at most 16384 bytes", path)
}

func encoded(t testing.TB, file keyFile) string {
	t.Helper()
	raw, err := file.encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
