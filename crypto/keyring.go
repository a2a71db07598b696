package crypto

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// KeyNameBytesMax bounds a key's name, as file systems bound file names.
	KeyNameBytesMax = 63

	keySuffix = ".key"
)

// PassphraseFunc asks for a passphrase; prompt says for what. The slice is wiped after use.
type PassphraseFunc func(prompt string) ([]byte, error)

// Keyring is a directory of named keys, one file each. Nothing is kept in memory: any number of
// processes may use one directory, since a file appears whole, is never changed and disappears whole.
type Keyring struct {
	dir  string
	kind string

	workFactor int // KeyWorkFactor, except in tests
}

// OpenKeyring returns the keyring in dir, which is created with the first key. New keys are of the
// given kind, KindAge or KindTest. A keyring of KindAge refuses to sign with keys kept in clear.
func OpenKeyring(dir, kind string) (*Keyring, error) {
	if kind != KindAge && kind != KindTest {
		return nil, fmt.Errorf("keyring kind %q is unknown: use %s or %s", clip(kind), KindAge, KindTest)
	}
	if dir == "" {
		return nil, errors.New("the keyring has no directory")
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open keyring: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("open keyring: %s is not a directory", dir)
	case kind == KindAge && info.Mode().Perm()&0o022 != 0:
		// Whoever can write here can put another address under a name that is trusted.
		return nil, fmt.Errorf("keyring %s can be written by others (mode %04o): run chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	return &Keyring{dir: dir, kind: kind, workFactor: KeyWorkFactor}, nil
}

// Kind returns the kind of new keys.
func (r *Keyring) Kind() string { return r.kind }

// Add stores k under a new name. The passphrase is asked for unless the keyring keeps keys in clear.
func (r *Keyring) Add(name string, k PrivateKey, passphrase PassphraseFunc) (KeyInfo, error) {
	path, err := r.path(name)
	if err != nil {
		return KeyInfo{}, err
	}
	// Asked again by write, which decides; here only so that nobody types a passphrase in vain.
	if _, err := os.Lstat(path); err == nil {
		return KeyInfo{}, fmt.Errorf("%w: %s", ErrKeyExists, name)
	}
	file := exposeKey(k)
	if r.kind == KindAge {
		if file, err = sealAsking(k, r.workFactor, passphrase, "new passphrase for key "+name); err != nil {
			return KeyInfo{}, fmt.Errorf("add key %s: %w", name, err)
		}
	}
	if err := os.MkdirAll(r.dir, privateDirMode); err != nil {
		return KeyInfo{}, fmt.Errorf("create keyring: %w", err)
	}
	if err := file.write(path); err != nil {
		return KeyInfo{}, err
	}
	return file.info(name), nil
}

// Import stores the key of a file that Export wrote under a new name. The file's passphrase is asked
// for by open, the one to keep it under by seal.
func (r *Keyring) Import(name string, from io.Reader, open, seal PassphraseFunc) (KeyInfo, error) {
	raw, err := io.ReadAll(io.LimitReader(from, keyFileBytesMax+1))
	if err != nil {
		return KeyInfo{}, fmt.Errorf("read key to import: %w", err)
	}
	file, err := decodeKeyFile(raw)
	if err != nil {
		return KeyInfo{}, fmt.Errorf("import key %s: %w", name, err)
	}
	k, err := file.open(open.prompting("passphrase of the key to import"))
	if err != nil {
		return KeyInfo{}, fmt.Errorf("import key %s: %w", name, err)
	}
	return r.Add(name, k, seal)
}

// Export writes a key as an encrypted key file, whatever the keyring's kind: open gives the
// passphrase it is kept under, seal the one of the copy.
func (r *Keyring) Export(name string, to io.Writer, open, seal PassphraseFunc) error {
	k, err := r.Unlock(name, open)
	if err != nil {
		return err
	}
	file, err := sealAsking(k, r.workFactor, seal, "passphrase for the exported copy of key "+name)
	if err != nil {
		return fmt.Errorf("export key %s: %w", name, err)
	}
	raw, err := file.encode()
	if err != nil {
		return err
	}
	if _, err := to.Write(raw); err != nil {
		return fmt.Errorf("export key %s: %w", name, err)
	}
	return nil
}

// List returns the public part of every key, ordered by name. Files that cannot be read are named in
// the error, and the other keys are returned all the same.
func (r *Keyring) List() ([]KeyInfo, error) {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list keyring: %w", err)
	}
	var list []KeyInfo
	var faults []error
	for _, entry := range entries {
		name, isKey := strings.CutSuffix(entry.Name(), keySuffix)
		if !isKey || CheckKeyName(name) != nil {
			continue
		}
		info, err := r.Get(name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		list = append(list, info)
	}
	return list, errors.Join(faults...)
}

// Get returns the public part of a key. It needs no passphrase.
func (r *Keyring) Get(name string) (KeyInfo, error) {
	file, err := r.load(name)
	if err != nil {
		return KeyInfo{}, err
	}
	return file.info(name), nil
}

// Unlock returns a key to sign with.
func (r *Keyring) Unlock(name string, passphrase PassphraseFunc) (PrivateKey, error) {
	file, err := r.load(name)
	if err != nil {
		return PrivateKey{}, err
	}
	if file.Kind == KindTest && r.kind != KindTest {
		return PrivateKey{}, fmt.Errorf("key %s is kept in clear, for development networks only: open the keyring as %s to use it", name, KindTest)
	}
	k, err := file.open(passphrase.prompting("passphrase of key " + name))
	if err != nil {
		return PrivateKey{}, fmt.Errorf("unlock key %s: %w", name, err)
	}
	return k, nil
}

// Delete removes a key for good. It can be restored from its words or an exported copy only.
func (r *Keyring) Delete(name string) error {
	path, err := r.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrKeyNotFound, name)
	} else if err != nil {
		return fmt.Errorf("delete key %s: %w", name, err)
	}
	return syncDir(r.dir)
}

// CheckKeyName says whether name can name a key: it is a file name too, so it neither leaves the
// directory nor hides in it, and it differs from every other in more than letter case.
func CheckKeyName(name string) error {
	if name == "" {
		return errors.New("the key's name is empty")
	}
	if len(name) > KeyNameBytesMax {
		return fmt.Errorf("key name %q has %d characters, at most %d are allowed", clip(name), len(name), KeyNameBytesMax)
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return fmt.Errorf("key name %q is not allowed: use a-z and 0-9, and after the first character also . _ -", name)
		}
	}
	return nil
}

func (r *Keyring) path(name string) (string, error) {
	if err := CheckKeyName(name); err != nil {
		return "", err
	}
	return filepath.Join(r.dir, name+keySuffix), nil
}

func (r *Keyring) load(name string) (keyFile, error) {
	path, err := r.path(name)
	if err != nil {
		return keyFile{}, err
	}
	file, err := loadKeyFile(path)
	if errors.Is(err, ErrKeyNotFound) {
		return keyFile{}, fmt.Errorf("%w: %s", ErrKeyNotFound, name)
	}
	return file, err
}

// sealAsking makes an encrypted key file with a passphrase that it asks for.
func sealAsking(k PrivateKey, workFactor int, passphrase PassphraseFunc, prompt string) (keyFile, error) {
	words, err := askPassphrase(passphrase.prompting(prompt))
	if err != nil {
		return keyFile{}, err
	}
	defer clear(words)
	return sealKey(k, words, workFactor)
}

// prompting fixes the prompt; it stays nil for nil, which means that nobody can be asked.
func (p PassphraseFunc) prompting(prompt string) func() ([]byte, error) {
	if p == nil {
		return nil
	}
	return func() ([]byte, error) { return p(prompt) }
}
