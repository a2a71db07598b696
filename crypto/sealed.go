package crypto

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// ErrWrongPassphrase means that a key is intact as far as can be told and the passphrase opens it not.
var ErrWrongPassphrase = errors.New("wrong passphrase")

const (
	// KeyWorkFactor is the scrypt cost of new key files, as a power of two: about a second and
	// 256 MiB for each guess of a passphrase.
	KeyWorkFactor = 18

	// keyWorkFactorMax bounds what reading a key file can be made to cost: 1 GiB, some seconds.
	keyWorkFactorMax = 20

	// sealedBytesMax bounds an encrypted key; ours take about 500 bytes.
	sealedBytesMax = 4 << 10

	// passphraseBytesMax bounds a passphrase, so that the wrong file piped in as one is noticed.
	passphraseBytesMax = 1 << 10

	// payloadPrefix begins the text that is encrypted; the seed in hexadecimal follows.
	payloadPrefix = "tetrad-key-1 ed25519 "
)

// EncryptKey writes k as an armored age file for passphrase; the stock age tool can open it. The work
// factor is normally KeyWorkFactor; smaller ones are for tests.
func EncryptKey(w io.Writer, k PrivateKey, passphrase []byte, workFactor int) error {
	if workFactor < 1 || workFactor > keyWorkFactorMax {
		return fmt.Errorf("work factor %d is not between 1 and %d", workFactor, keyWorkFactorMax)
	}
	if err := checkPassphrase(passphrase); err != nil {
		return err
	}
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return fmt.Errorf("prepare encryption: %w", err)
	}
	recipient.SetWorkFactor(workFactor)
	armored := armor.NewWriter(w)
	sealed, err := age.Encrypt(armored, recipient)
	if err != nil {
		return fmt.Errorf("encrypt key: %w", err)
	}
	if _, err := io.WriteString(sealed, encodePayload(k)); err != nil {
		return fmt.Errorf("encrypt key: %w", err)
	}
	if err := sealed.Close(); err != nil {
		return fmt.Errorf("encrypt key: %w", err)
	}
	if err := armored.Close(); err != nil {
		return fmt.Errorf("encrypt key: %w", err)
	}
	return nil
}

// DecryptKey is the inverse of EncryptKey. It returns ErrWrongPassphrase if the passphrase does not
// fit, and reads no more than a few kilobytes whatever r is.
func DecryptKey(r io.Reader, passphrase []byte) (PrivateKey, error) {
	return decryptKey(r, passphrase, keyWorkFactorMax)
}

func decryptKey(r io.Reader, passphrase []byte, workFactorMax int) (PrivateKey, error) {
	if err := checkPassphrase(passphrase); err != nil {
		return PrivateKey{}, err
	}
	identity, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return PrivateKey{}, fmt.Errorf("prepare decryption: %w", err)
	}
	identity.SetMaxWorkFactor(workFactorMax)
	opened, err := age.Decrypt(armor.NewReader(io.LimitReader(r, sealedBytesMax)), passphraseOnly{identity})
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return PrivateKey{}, ErrWrongPassphrase
	}
	if err != nil {
		return PrivateKey{}, fmt.Errorf("encrypted key cannot be read: %w", err)
	}
	payload, err := io.ReadAll(io.LimitReader(opened, int64(payloadBytes)+1))
	if err != nil {
		return PrivateKey{}, fmt.Errorf("encrypted key cannot be read: %w", err)
	}
	return decodePayload(string(payload))
}

// passphraseOnly keeps a file that is encrypted to somebody's public key from being reported as a
// wrong passphrase: no passphrase would ever open it.
type passphraseOnly struct{ identity *age.ScryptIdentity }

func (p passphraseOnly) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "scrypt" {
		return nil, errors.New("it is not encrypted by a passphrase")
	}
	return p.identity.Unwrap(stanzas)
}

func checkPassphrase(passphrase []byte) error {
	if len(passphrase) == 0 {
		return errors.New("the passphrase is empty")
	}
	if len(passphrase) > passphraseBytesMax {
		return fmt.Errorf("the passphrase has %d bytes, at most %d are allowed", len(passphrase), passphraseBytesMax)
	}
	return nil
}

// payloadBytes is the exact length of a payload.
const payloadBytes = len(payloadPrefix) + 2*SeedSize

func encodePayload(k PrivateKey) string {
	seed := k.Seed()
	return payloadPrefix + hex.EncodeToString(seed[:])
}

// decodePayload never repeats what it was given, since that is secret even when it is wrong.
func decodePayload(text string) (PrivateKey, error) {
	digits, ok := strings.CutPrefix(text, payloadPrefix)
	if !ok || len(text) != payloadBytes || digits != strings.ToLower(digits) {
		return PrivateKey{}, errors.New("the secret is not a key of a format this version knows")
	}
	var seed [SeedSize]byte
	if _, err := hex.Decode(seed[:], []byte(digits)); err != nil {
		return PrivateKey{}, errors.New("the secret is not a key of a format this version knows")
	}
	return KeyFromSeed(seed), nil
}
