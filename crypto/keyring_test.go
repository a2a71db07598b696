package crypto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openTestRing(t *testing.T, dir, kind string) *Keyring {
	t.Helper()
	ring, err := OpenKeyring(dir, kind)
	if err != nil {
		t.Fatal(err)
	}
	ring.workFactor = testWorkFactor
	return ring
}

// answer returns a PassphraseFunc that records what it was asked.
func answer(text string, prompts *[]string) PassphraseFunc {
	return func(prompt string) ([]byte, error) {
		if prompts != nil {
			*prompts = append(*prompts, prompt)
		}
		return []byte(text), nil
	}
}

// noPassphrase fails the test if anybody is asked.
func noPassphrase(t *testing.T) PassphraseFunc {
	return func(prompt string) ([]byte, error) {
		t.Errorf("asked for the %s", prompt)
		return nil, errors.New("nobody home")
	}
}

func TestKeyringAge(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home", "keys")
	ring := openTestRing(t, dir, KindAge)
	if list, err := ring.List(); err != nil || len(list) != 0 {
		t.Fatalf("a new keyring lists %v, %v", list, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("opening a keyring creates it")
	}
	var prompts []string
	alice := DevKey("alice")
	added, err := ring.Add("alice", alice, answer("p", &prompts))
	if err != nil {
		t.Fatal(err)
	}
	if added.Name != "alice" || added.Kind != KindAge || added.Address != alice.Public().Address() ||
		!added.PublicKey.Equal(alice.Public()) || time.Since(added.Created) > time.Minute {
		t.Errorf("added %+v", added)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory's mode is %v, %v", info.Mode(), err)
	}
	if _, err := ring.Add("bob", DevKey("bob"), answer("q", nil)); err != nil {
		t.Fatal(err)
	}

	// Listing and showing need no passphrase, also after opening again.
	ring = openTestRing(t, dir, KindAge)
	list, err := ring.List()
	if err != nil || len(list) != 2 || list[0].Name != "alice" || list[1].Name != "bob" {
		t.Fatalf("lists %v, %v", list, err)
	}
	shown, err := ring.Get("alice")
	if err != nil || shown.Address != added.Address || !shown.Created.Equal(added.Created) {
		t.Fatalf("shows %+v, %v", shown, err)
	}

	got, err := ring.Unlock("alice", answer("p", &prompts))
	if err != nil || !got.Equal(alice) {
		t.Fatalf("unlocks another key, or %v", err)
	}
	if strings.Join(prompts, "; ") != "new passphrase for key alice; passphrase of key alice" {
		t.Errorf("prompts are %q", prompts)
	}
	_, err = ring.Unlock("alice", answer("q", nil))
	if !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("error is %v", err)
	}
	wantError(t, err, "unlock key alice: wrong passphrase")
	_, err = ring.Unlock("alice", nil)
	wantError(t, err, "nobody can be asked")

	if err := ring.Delete("alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Get("alice"); !errors.Is(err, ErrKeyNotFound) {
		t.Errorf("error is %v", err)
	}
	onlyFile(t, dir, "bob.key")
}

func TestKeyringMissing(t *testing.T) {
	ring := openTestRing(t, t.TempDir(), KindAge)
	_, getErr := ring.Get("carol")
	_, unlockErr := ring.Unlock("carol", noPassphrase(t))
	exportErr := ring.Export("carol", &bytes.Buffer{}, noPassphrase(t), noPassphrase(t))
	for _, err := range []error{getErr, unlockErr, exportErr, ring.Delete("carol")} {
		if !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("error is %v", err)
		}
		wantError(t, err, "no such key: carol")
	}
}

// TestKeyringTest: keys in clear ask nothing, say what they are, and work in a test keyring only.
func TestKeyringTest(t *testing.T) {
	dir := t.TempDir()
	ring := openTestRing(t, dir, KindTest)
	alice := DevKey("alice")
	if _, err := ring.Add("alice", alice, noPassphrase(t)); err != nil {
		t.Fatal(err)
	}
	got, err := ring.Unlock("alice", nil)
	if err != nil || !got.Equal(alice) {
		t.Fatalf("unlocks another key, or %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "alice.key"))
	seed := alice.Seed()
	if err != nil || !bytes.Contains(raw, []byte("PLAINTEXT TEST KEY")) || !bytes.Contains(raw, []byte(hex.EncodeToString(seed[:]))) {
		t.Errorf("the file is %s, %v", raw, err)
	}

	strict := openTestRing(t, dir, KindAge)
	if info, err := strict.Get("alice"); err != nil || info.Kind != KindTest {
		t.Errorf("shows %+v, %v", info, err)
	}
	_, err = strict.Unlock("alice", noPassphrase(t))
	wantError(t, err, "kept in clear", "development networks only")

	// An encrypted key is usable from a test keyring.
	if _, err := strict.Add("bob", DevKey("bob"), answer("p", nil)); err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Unlock("bob", answer("p", nil)); err != nil || !got.Equal(DevKey("bob")) {
		t.Errorf("unlocks another key, or %v", err)
	}
}

func TestKeyringNeverOverwrites(t *testing.T) {
	for _, kind := range []string{KindAge, KindTest} {
		ring := openTestRing(t, t.TempDir(), kind)
		if _, err := ring.Add("alice", DevKey("alice"), answer("p", nil)); err != nil {
			t.Fatal(err)
		}
		_, err := ring.Add("alice", DevKey("bob"), noPassphrase(t))
		if !errors.Is(err, ErrKeyExists) {
			t.Errorf("%s: error is %v", kind, err)
		}
		wantError(t, err, "key exists already: alice")
		if info, err := ring.Get("alice"); err != nil || info.Address != DevKey("alice").Public().Address() {
			t.Errorf("%s: the key is now %v, %v", kind, info, err)
		}
	}
}

// TestKeyringRace: of several who add one name at once, one succeeds and the others are told.
func TestKeyringRace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var wg sync.WaitGroup
	won := make(chan int, 8)
	for i := range 8 {
		wg.Go(func() {
			key := KeyFromSeed([SeedSize]byte{byte(i)})
			ring, err := OpenKeyring(dir, KindTest)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := ring.Add("same", key, nil); err == nil {
				won <- i
			} else if !errors.Is(err, ErrKeyExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d of 8 succeeded, want 1", len(won))
	}
	got, err := openTestRing(t, dir, KindTest).Unlock("same", nil)
	if err != nil || !got.Equal(KeyFromSeed([SeedSize]byte{byte(<-won)})) {
		t.Errorf("the winner's key is not the one kept, or %v", err)
	}
	onlyFile(t, dir, "same.key")
}

func TestKeyringExportImport(t *testing.T) {
	alice := DevKey("alice")
	for _, from := range []string{KindAge, KindTest} {
		for _, to := range []string{KindAge, KindTest} {
			source, target := openTestRing(t, t.TempDir(), from), openTestRing(t, t.TempDir(), to)
			if _, err := source.Add("alice", alice, answer("old", nil)); err != nil {
				t.Fatal(err)
			}
			var copied bytes.Buffer
			if err := source.Export("alice", &copied, answer("old", nil), answer("copy", nil)); err != nil {
				t.Fatal(err)
			}
			seed := alice.Seed()
			if bytes.Contains(copied.Bytes(), []byte(hex.EncodeToString(seed[:8]))) {
				t.Errorf("%s: the exported copy is in clear", from)
			}
			_, err := target.Import("al", bytes.NewReader(copied.Bytes()), answer("old", nil), noPassphrase(t))
			if !errors.Is(err, ErrWrongPassphrase) {
				t.Errorf("error is %v", err)
			}
			info, err := target.Import("al", &copied, answer("copy", nil), answer("new", nil))
			if err != nil || info.Kind != to {
				t.Fatalf("imported %+v, %v", info, err)
			}
			if got, err := target.Unlock("al", answer("new", nil)); err != nil || !got.Equal(alice) {
				t.Errorf("%s to %s: another key, or %v", from, to, err)
			}
		}
	}
	ring := openTestRing(t, t.TempDir(), KindTest)
	_, err := ring.Import("x", strings.NewReader("{}"), nil, nil)
	wantError(t, err, "import key x")
	_, err = ring.Import("x", strings.NewReader(strings.Repeat(" ", keyFileBytesMax+1)), nil, nil)
	wantError(t, err, "at most")
	if list, err := ring.List(); err != nil || len(list) != 0 {
		t.Errorf("a failed import leaves %v, %v", list, err)
	}
}

// TestKeyringListFaults: one bad file is named and does not hide the good ones, and files that are
// no keys are none of our business.
func TestKeyringListFaults(t *testing.T) {
	dir := t.TempDir()
	ring := openTestRing(t, dir, KindTest)
	for _, name := range []string{"alice", "bob"} {
		if _, err := ring.Add(name, DevKey(name), nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"broken.key": "{", ".key-123": "stray", "notes.txt": "", "UPPER.key": "", ".key": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "bob.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := ring.List()
	if len(list) != 1 || list[0].Name != "alice" {
		t.Errorf("lists %v", list)
	}
	wantError(t, err, "broken.key", "bob.key", "chmod 600")
	for _, other := range []string{"notes", "123", "UPPER"} {
		if strings.Contains(err.Error(), other) {
			t.Errorf("error names %s: %v", other, err)
		}
	}
}

func TestOpenKeyringRefuses(t *testing.T) {
	_, err := OpenKeyring(t.TempDir(), "os")
	wantError(t, err, `kind "os" is unknown`)
	_, err = OpenKeyring("", KindAge)
	wantError(t, err, "no directory")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKeyring(file, KindAge)
	wantError(t, err, "not a directory")

	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKeyring(open, KindAge)
	wantError(t, err, "can be written by others", "chmod 700")
	if ring, err := OpenKeyring(open, KindTest); err != nil || ring.Kind() != KindTest {
		t.Errorf("a test keyring is refused: %v", err)
	}
}

func TestKeyNames(t *testing.T) {
	for _, good := range []string{"a", "0", "alice", "a.b_c-d", "node-0", "x.key", strings.Repeat("a", KeyNameBytesMax)} {
		if err := CheckKeyName(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	ring := openTestRing(t, t.TempDir(), KindTest)
	for _, bad := range []string{
		"", ".", "..", "-a", "_a", ".a", "Alice", "a b", "a/b", "../a", "a\\b", "a\x00", "ä", "a:b", "a\n",
		strings.Repeat("a", KeyNameBytesMax+1),
	} {
		err := CheckKeyName(bad)
		wantError(t, err, "name")
		if _, err := ring.Add(bad, DevKey("alice"), nil); err == nil {
			t.Errorf("%q is added", bad)
		}
		if _, err := ring.Get(bad); err == nil {
			t.Errorf("%q is found", bad)
		}
		if err := ring.Delete(bad); err == nil || errors.Is(err, ErrKeyNotFound) {
			t.Errorf("deleting %q: %v", bad, err)
		}
	}
}

func TestKeyInfoJSON(t *testing.T) {
	info, err := openTestRing(t, t.TempDir(), KindTest).Add("alice", DevKey("alice"), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"name":"alice"`, `"kind":"test"`, `"address":"tet1fy5`, `"public_key":"ed25519:`, `"created":"20`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("JSON %s lacks %s", raw, part)
		}
	}
}
