package outbox

import (
	"bytes"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
)

// FuzzDecodeWaiting: what decodes encodes to the same bytes; nothing panics.
func FuzzDecodeWaiting(f *testing.F) {
	good := appendWaiting(nil, 77, counted(f, alice, 1).Raw)
	f.Add(good)
	f.Add(good[:9])
	f.Add(good[:8])
	f.Add(append([]byte{2}, good[1:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		at, tx, err := decodeWaiting(b)
		if err == nil && !bytes.Equal(appendWaiting(nil, at, tx.Raw), b) {
			t.Fatalf("%x encodes differently", b)
		}
	})
}

// FuzzDecodeFinal is the same for how transactions ended.
func FuzzDecodeFinal(f *testing.F) {
	final := Final{Status: Failed, AtMS: 1, Height: 2, Index: 3, Code: 4, Op: 5}
	f.Add(final.append(nil))
	f.Add(final.append(nil)[:finalLen-1])
	f.Add(make([]byte, finalLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFinal(ledger.TxID{}, b)
		if err == nil && !bytes.Equal(got.append(nil), b) {
			t.Fatalf("%x encodes differently", b)
		}
	})
}
