package crypto_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tetradledger/tetrad/crypto"
)

// Example signs a transaction body and verifies the signature, alone and in a batch.
func Example() {
	key := crypto.DevKey("alice")
	genesis := crypto.Sum([]byte("the genesis document"))
	toSign := crypto.SignBytes(crypto.TagTx, genesis, crypto.Sum([]byte("a body")))
	sig := key.Sign(toSign[:])

	pub := key.Public()
	fmt.Println(pub.Address())
	fmt.Println(crypto.Verify(pub.Type, pub.Bytes, toSign[:], sig))

	verifier := crypto.NewVerifier(4096)
	bad := verifier.Verify([]crypto.Signed{
		{Type: pub.Type, Public: pub.Bytes, Message: toSign[:], Signature: sig},
		{Type: pub.Type, Public: pub.Bytes, Message: []byte("something else"), Signature: sig},
	})
	fmt.Println("bad:", bad)
	// Output:
	// tet1fy5dhhgjmwttswr20tcw5tscvwhqfd423hq6n7aqpvw5pae2y2aqssl2dd
	// true
	// bad: [1]
}

// ExampleKeyring keeps a key of a development network. A real one is of kind age and asks for a
// passphrase.
func ExampleKeyring() {
	home, err := os.MkdirTemp("", "tetrad")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(home)
	ring, err := crypto.OpenKeyring(filepath.Join(home, "keys"), crypto.KindTest)
	if err != nil {
		panic(err)
	}
	if _, err := ring.Add("alice", crypto.DevKey("alice"), nil); err != nil {
		panic(err)
	}
	_, err = ring.Add("alice", crypto.DevKey("alice"), nil)
	fmt.Println(errors.Is(err, crypto.ErrKeyExists))

	key, err := ring.Unlock("alice", nil)
	fmt.Println(key, err) // a key never prints its bytes
	// Output:
	// true
	// PrivateKey(redacted) <nil>
}

// ExampleParseAddress shows that an error says what to mend.
func ExampleParseAddress() {
	address := crypto.DevKey("alice").Public().Address().String()
	for _, text := range []string{address[:61] + "x", "tetval" + address[3:]} {
		_, err := crypto.ParseAddress(text)
		fmt.Println(err)
	}
	// Output:
	// address "tet1fy5dhhgjmwttswr20tcw5tscvwhqfd423hq6n7aqpvw5pae2y2aqssl2dx" has a bad checksum: a character is mistyped
	// address "tetval1fy5dhhgjmwttswr20tcw5tscvwhqfd423hq6n7aqpvw5pae2y2aqssl2dd" has the prefix "tetval": "tet" is needed (this is a validator id)
}
