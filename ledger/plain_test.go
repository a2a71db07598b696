package ledger

import (
	"reflect"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// comparePlain decodes bytes both ways: what the short way accepts, the general way must accept as the same.
func comparePlain(t *testing.T, raw []byte) (short bool) {
	t.Helper()
	plain, ok := decodePlain(raw)
	if !ok {
		return false
	}
	general := &Transaction{Raw: raw}
	if r := general.decode(); r != nil {
		t.Fatalf("%x is accepted as plain, and refused otherwise: %v", raw, r)
	}
	if !reflect.DeepEqual(plain, general) {
		t.Fatalf("%x means\n%+v, and otherwise\n%+v", raw, plain, general)
	}
	return true
}

// plainBytes are plain transactions with one and with many transfers.
func plainBytes(t testing.TB) (raws [][]byte) {
	accounts := newBenchAccounts(t, 3)
	raws = accounts.transfers(t, 2)
	for _, n := range []int{2, 16, OpsMax} {
		body := Body{Version: 1, ChainId: "c", Actor: accounts.ids[0][:], Nonce: make([]byte, NonceLen), ValidUntilMs: 1}
		for range n {
			body.Ops = append(body.Ops, opTransfer(accounts.ids[1], "usd", 1<<40))
		}
		raws = append(raws, encodeSigned(t, &body, accounts.keys[0]))
	}
	return raws
}

func encodeSigned(t testing.TB, body *Body, key []byte) []byte {
	tx := Tx{Body: body.Encode(), Sigs: []Sig{{KeyType: 1, PublicKey: key, Signature: make([]byte, crypto.SignatureSize)}}}
	raw, err := tx.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestPlain: plain transactions take the short way, and no change of a byte, nor a byte more or less, makes the
// two ways differ.
func TestPlain(t *testing.T) {
	for _, raw := range plainBytes(t) {
		if !comparePlain(t, raw) {
			t.Errorf("%x does not take the short way", raw)
		}
		if len(raw) > 600 {
			continue // the same again, many times over
		}
		for i := range raw {
			was := raw[i]
			for _, b := range []byte{was ^ 1, was ^ 0x80, was + 1, was - 1, 0, 0xff, 0x80, 0x7f} {
				raw[i] = b
				comparePlain(t, raw)
			}
			raw[i] = was
			comparePlain(t, raw[:i])
			comparePlain(t, append(append(append([]byte{}, raw[:i]...), 0), raw[i:]...))
			comparePlain(t, append(append([]byte{}, raw[:i]...), raw[i+1:]...))
		}
	}
}

// TestNotPlain: what is valid and not plain takes the general way, and DecodeTransaction accepts it all the same.
func TestNotPlain(t *testing.T) {
	accounts := newBenchAccounts(t, 3)
	for name, change := range map[string]func(*Body){
		"memo":          func(b *Body) { b.Memo = "m" },
		"lane":          func(b *Body) { b.Nonce, b.Lane = nil, &Lane{Id: 1, Seq: 1} },
		"actor":         func(b *Body) { b.Ops[0].Actor = accounts.ids[2][:] },
		"up to":         func(b *Body) { b.Ops[0].GetTransfer().UpTo = true },
		"another actor": func(b *Body) { b.Ops = append(b.Ops, b.Ops[0]); b.Ops[1].Actor = accounts.ids[2][:] },
	} {
		body := Body{
			Version: 1, ChainId: "c", Actor: accounts.ids[0][:], Nonce: make([]byte, NonceLen), ValidUntilMs: 1,
			Ops: []Op{opTransfer(accounts.ids[1], "usd", 1)},
		}
		change(&body)
		raw := encodeSigned(t, &body, accounts.keys[0])
		if comparePlain(t, raw) {
			t.Errorf("%s: takes the short way", name)
		}
		if _, err := DecodeTransaction(raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, raw := range plainBytes(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { comparePlain(t, raw) })
}

// BenchmarkDecodeGeneral is BenchmarkDecodeTransaction without the short way.
func BenchmarkDecodeGeneral(b *testing.B) {
	raws := newBenchAccounts(b, 100).transfers(b, 100)
	b.ReportAllocs()
	b.SetBytes(int64(len(raws[0])))
	for i := 0; b.Loop(); i++ {
		t := &Transaction{Raw: raws[i%len(raws)]}
		if r := t.decode(); r != nil {
			b.Fatal(r)
		}
	}
}
