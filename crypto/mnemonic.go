package crypto

import (
	"fmt"
	"strings"

	"github.com/anyproto/go-slip10"
	"github.com/cosmos/go-bip39"
)

const (
	// MnemonicWords is the one length in use: 256 bits of entropy, as strong as the key.
	MnemonicWords = 24

	// CoinType is Tetrad's number in derivation paths, the ASCII letters "tetr". It is not in the
	// SLIP-44 register and lies outside the range the register hands out, so no registered coin
	// shares keys with it. Changing it would lose every key restored from words.
	CoinType uint32 = 0x74657472

	// DerivedAccountsMax bounds the account number of a path: SLIP-10 for ed25519 has hardened
	// steps only, which are below 2^31.
	DerivedAccountsMax uint32 = 1 << 31

	mnemonicEntropyBits = 256
	mnemonicBytesMax    = 1024 // 24 words of at most eight letters take 215; the rest is spacing
)

// NewMnemonic returns 24 BIP-39 words from the system's randomness. They are a key: who reads them
// owns every account derived from them.
func NewMnemonic() (string, error) {
	entropy, err := bip39.NewEntropy(mnemonicEntropyBits)
	if err != nil {
		return "", fmt.Errorf("read randomness for a mnemonic: %w", err)
	}
	words, err := bip39.NewMnemonic(entropy)
	if err != nil {
		return "", fmt.Errorf("turn entropy into words: %w", err)
	}
	return words, nil
}

// KeyFromMnemonic derives the key of path m/44'/CoinType'/account' by SLIP-10 from BIP-39 words with
// no extra passphrase. Spacing and letter case do not matter. Errors name the place of a
// wrong word and never the word.
func KeyFromMnemonic(words string, account uint32) (PrivateKey, error) {
	if account >= DerivedAccountsMax {
		return PrivateKey{}, fmt.Errorf("account number %d is too large: the largest is %d", account, DerivedAccountsMax-1)
	}
	words, err := normalMnemonic(words)
	if err != nil {
		return PrivateKey{}, err
	}
	seed, err := bip39.NewSeedWithErrorChecking(words, "")
	if err != nil {
		// The words themselves are on the list, so only the checksum is left to be wrong. The
		// library's error is dropped because it could repeat a word.
		return PrivateKey{}, fmt.Errorf("the checksum of the words does not match: a word is wrong or out of place")
	}
	node, err := slip10.DeriveForPath(fmt.Sprintf("m/44'/%d'/%d'", CoinType, account), seed)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("derive account %d: %w", account, err)
	}
	return KeyFromSeed([SeedSize]byte(node.RawSeed())), nil
}

// normalMnemonic returns 24 listed words with single spaces, or says which one is not listed.
func normalMnemonic(words string) (string, error) {
	if len(words) > mnemonicBytesMax {
		return "", fmt.Errorf("a mnemonic has at most %d bytes, this has %d", mnemonicBytesMax, len(words))
	}
	list := strings.Fields(strings.ToLower(words))
	if len(list) != MnemonicWords {
		return "", fmt.Errorf("a mnemonic has %d words, this has %d", MnemonicWords, len(list))
	}
	for i, word := range list {
		if _, listed := bip39.ReverseWordMap[word]; !listed {
			return "", fmt.Errorf("word %d is not in the English BIP-39 list", i+1)
		}
	}
	return strings.Join(list, " "), nil
}
