package ledger

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFrameIsReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		txs := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 300), 1, 20).Draw(t, "txs")
		frame := EncodeFrame(txs)
		if !IsFrame(frame) {
			t.Fatalf("not a frame: %x", frame)
		}
		got, err := DecodeFrame(frame)
		if err != nil || len(got) != len(txs) {
			t.Fatalf("%d transactions, %v", len(got), err)
		}
		size := frameHead
		for i := range txs {
			if !bytes.Equal(got[i], txs[i]) {
				t.Fatalf("transaction %d differs", i)
			}
			size += DelimitedSize(len(txs[i]))
		}
		if size != len(frame) {
			t.Fatalf("sizes sum to %d, the frame has %d", size, len(frame))
		}
	})
}

func TestSingleTransactionIsNoFrame(t *testing.T) {
	if raw := edit(func(*Body) {}); IsFrame(raw) {
		t.Error("a transaction looks like a frame")
	}
	if IsFrame(nil) {
		t.Error("nothing looks like a frame")
	}
}

func TestDecodeFrameBounds(t *testing.T) {
	repeat := func(n, size int) [][]byte {
		txs := make([][]byte, n)
		for i := range txs {
			txs[i] = make([]byte, size)
		}
		return txs
	}
	// Three transactions of the largest size and a fourth that fills the frame to the byte.
	rest := FrameBytesMax - len(EncodeFrame(repeat(3, TxBytesMax))) - 3
	for name, c := range map[string]struct {
		raw  []byte
		code Code
		want string
	}{
		"most transactions":     {EncodeFrame(repeat(FrameTxsMax, 1)), 0, ""},
		"too many transactions": {EncodeFrame(repeat(FrameTxsMax+1, 1)), CodeTooMany, "more than 512 transactions"},
		"largest":               {EncodeFrame(append(repeat(3, TxBytesMax), make([]byte, rest))), 0, ""},
		"too large":             {EncodeFrame(append(repeat(3, TxBytesMax), make([]byte, rest+1))), CodeTooLarge, "frame of 262145 bytes, at most 262144 allowed"},
		"inner too large":       {EncodeFrame(repeat(1, TxBytesMax+1)), CodeTooLarge, "transaction 0 has 65537 bytes, at most 65536 allowed"},
		"nothing":               {nil, CodeBadFrame, "no frame head"},
		"half a head":           {[]byte{0}, CodeBadFrame, "no frame head"},
		"head of a transaction": {[]byte{0x0a, 1}, CodeBadFrame, "no frame head"},
		"other version":         {[]byte{0, 2, 1, 7}, CodeBadFrame, "frame version 2 is not known"},
		"no transaction":        {[]byte{0, 1}, CodeBadFrame, "no transaction"},
		"empty transaction":     {[]byte{0, 1, 0}, CodeBadFrame, "transaction 0 is empty"},
		"ends early":            {[]byte{0, 1, 1, 7, 2, 7}, CodeBadFrame, "transaction 1 ends early"},
		"padded length":         {[]byte{0, 1, 0x81, 0, 7}, CodeBadFrame, "length of transaction 0: integer is padded"},
		"cut length":            {[]byte{0, 1, 0x81}, CodeBadFrame, "length of transaction 0: ends early"},
		"huge length":           {append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 11)...), CodeBadFrame, "length of transaction 0: integer too large"},
	} {
		_, err := DecodeFrame(c.raw)
		var r *Reject
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.code == 0:
		case !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Detail, c.want):
			t.Errorf("%s: %v, want %s with %q", name, err, c.code, c.want)
		}
	}
}
