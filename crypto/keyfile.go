package crypto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The kinds of key files and keyrings.
const (
	// KindAge keeps secrets encrypted by a passphrase.
	KindAge = "age"

	// KindTest keeps secrets in clear. It is for development networks only, so that no script
	// has to hold a passphrase for keys that protect nothing.
	KindTest = "test"
)

const (
	keyFileFormat = "tetrad-key-file-1"

	// keyFileBytesMax bounds a key file; ours take about a kilobyte.
	keyFileBytesMax = 16 << 10

	// testWarning is in every file that holds a secret in clear.
	testWarning = "PLAINTEXT TEST KEY: for development networks only; whoever reads this file can sign with it"
)

// KeyInfo is what may be known of a key without its passphrase.
type KeyInfo struct {
	Name      string    `json:"name,omitempty"`
	Kind      string    `json:"kind"`
	Address   Address   `json:"address"`
	PublicKey PublicKey `json:"public_key"`
	Created   time.Time `json:"created"`
}

// keyFile is a key file as JSON. The public part stands in clear beside the secret, in one file, so
// that neither can exist without the other.
type keyFile struct {
	Format    string    `json:"format"`
	Kind      string    `json:"kind"`
	Warning   string    `json:"warning,omitempty"`
	Address   Address   `json:"address"`
	PublicKey PublicKey `json:"public_key"`
	Created   time.Time `json:"created"`
	Secret    string    `json:"secret"` // an armored age file, or the payload itself (KindTest)
}

// WriteKeyFile writes k to a new file at path, encrypted by passphrase, readable by its owner alone.
// A file that exists is never touched: the error then is ErrKeyExists.
func WriteKeyFile(path string, k PrivateKey, passphrase []byte, workFactor int) error {
	file, err := sealKey(k, passphrase, workFactor)
	if err != nil {
		return err
	}
	return file.write(path)
}

// OpenKeyFile reads the key at path. The passphrase is asked for only after the file was found
// sound, and not at all for a key of KindTest; the slice is wiped after use. A file that others can
// use is refused.
func OpenKeyFile(path string, passphrase func() ([]byte, error)) (PrivateKey, error) {
	file, err := loadKeyFile(path)
	if err != nil {
		return PrivateKey{}, err
	}
	k, err := file.open(passphrase)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("open key file %s: %w", path, err)
	}
	return k, nil
}

// sealKey makes the file of an encrypted key.
func sealKey(k PrivateKey, passphrase []byte, workFactor int) (keyFile, error) {
	var sealed strings.Builder
	if err := EncryptKey(&sealed, k, passphrase, workFactor); err != nil {
		return keyFile{}, err
	}
	file := newKeyFile(KindAge, k)
	file.Secret = sealed.String()
	return file, nil
}

// exposeKey makes the file of a key in clear.
func exposeKey(k PrivateKey) keyFile {
	file := newKeyFile(KindTest, k)
	file.Warning = testWarning
	file.Secret = encodePayload(k)
	return file
}

func newKeyFile(kind string, k PrivateKey) keyFile {
	pub := k.Public()
	return keyFile{
		Format:    keyFileFormat,
		Kind:      kind,
		Address:   pub.Address(),
		PublicKey: pub,
		Created:   time.Now().UTC().Truncate(time.Second),
	}
}

// decodeKeyFile reads a key file strictly: unknown fields, trailing bytes and a public part that
// contradicts itself are refused, since a changed address would send funds to somebody else.
func decodeKeyFile(raw []byte) (keyFile, error) {
	if len(raw) > keyFileBytesMax {
		return keyFile{}, fmt.Errorf("a key file has at most %d bytes", keyFileBytesMax)
	}
	var file keyFile
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return keyFile{}, fmt.Errorf("not a key file: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return keyFile{}, errors.New("not a key file: something follows it")
	}
	if file.Format != keyFileFormat {
		return keyFile{}, fmt.Errorf("key file format %q is unknown: this version knows %s", clip(file.Format), keyFileFormat)
	}
	if file.Kind != KindAge && file.Kind != KindTest {
		return keyFile{}, fmt.Errorf("key file kind %q is unknown: this version knows %s and %s", clip(file.Kind), KindAge, KindTest)
	}
	if err := file.PublicKey.Validate(); err != nil {
		return keyFile{}, fmt.Errorf("not a key file: %w", err)
	}
	if file.Address != file.PublicKey.Address() {
		return keyFile{}, errors.New("the address in the key file is not that of its public key: the file was changed")
	}
	return file, nil
}

func (f keyFile) encode() ([]byte, error) {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode key file: %w", err)
	}
	return append(raw, '\n'), nil
}

func (f keyFile) info(name string) KeyInfo {
	return KeyInfo{Name: name, Kind: f.Kind, Address: f.Address, PublicKey: f.PublicKey, Created: f.Created}
}

// open returns the secret and makes sure that it belongs to the public part, which no passphrase
// protects.
func (f keyFile) open(passphrase func() ([]byte, error)) (PrivateKey, error) {
	k, err := f.openSecret(passphrase)
	if err != nil {
		return PrivateKey{}, err
	}
	if !k.Public().Equal(f.PublicKey) {
		return PrivateKey{}, errors.New("the secret does not belong to the public key beside it: the file was changed")
	}
	return k, nil
}

func (f keyFile) openSecret(passphrase func() ([]byte, error)) (PrivateKey, error) {
	if f.Kind == KindTest {
		return decodePayload(f.Secret)
	}
	words, err := askPassphrase(passphrase)
	if err != nil {
		return PrivateKey{}, err
	}
	defer clear(words)
	return DecryptKey(strings.NewReader(f.Secret), words)
}

func askPassphrase(passphrase func() ([]byte, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, errors.New("a passphrase is needed and nobody can be asked for it")
	}
	words, err := passphrase()
	if err != nil {
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
	}
	return words, nil
}
