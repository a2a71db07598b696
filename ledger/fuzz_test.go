package ledger

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// checkReject demands that a fault is a Reject of a malformed or unauthorised transaction, and says where.
func checkReject(t *testing.T, err error) {
	t.Helper()
	var r *Reject
	if !errors.As(err, &r) {
		t.Fatalf("%v is no Reject", err)
	}
	if class := r.Code.Info().Class; class != ClassMalformed && class != ClassAuth && r.Code != CodeSystemRecipient && r.Code != CodeSystemOnly {
		t.Fatalf("a decoder answers %s", r.Code)
	}
	if strings.Contains(r.Detail, "not the canonical encoding") {
		t.Fatalf("the fault has no name: %s", r.Detail)
	}
}

func FuzzDecodeTransaction(f *testing.F) {
	for _, raw := range seedTransactions(f) {
		f.Add(raw)
	}
	h := newHandMade()
	f.Add(h.around(join(h.chain, h.version)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			checkReject(t, err)
			return
		}
		again, err := tx.Tx.Marshal()
		if err != nil || !bytes.Equal(again, raw) || !bytes.Equal(tx.Body.Encode(), tx.Tx.Body) {
			t.Fatalf("encodes back to %x, %v", again, err)
		}
		if tx.Body.validate() != nil || len(tx.signers) == 0 || len(tx.signers) > SigsMax || len(tx.Body.Ops) > OpsMax || IsFrame(raw) {
			t.Fatalf("accepted out of bounds: %+v", tx.Body)
		}
		text, err := FormatTransaction(tx, Names{})
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := ParseTransaction(text, Names{})
		if err != nil || body.TxID() != tx.ID {
			t.Fatalf("%s reads back with %v", text, err)
		}
	})
}

// FuzzDecodeBody spares the fuzzer the lengths of the envelope.
func FuzzDecodeBody(f *testing.F) {
	for _, raw := range seedTransactions(f) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tx.Tx.Body)
	}
	h := newHandMade()
	f.Fuzz(func(t *testing.T, body []byte) {
		tx, err := DecodeTransaction(h.around(body))
		if err != nil {
			checkReject(t, err)
			return
		}
		if !bytes.Equal(tx.Body.Encode(), body) {
			t.Fatalf("encodes back to %x", tx.Body.Encode())
		}
	})
}

// FuzzExecute executes whatever decodes against a small state and audits the result.
func FuzzExecute(f *testing.F) {
	for _, raw := range seedTransactions(f) {
		f.Add(raw)
	}
	state := memory{}
	out, err := ExecuteGenesis(DefaultParams(), newUniverse().genesis(), testTimeMS)
	if err != nil {
		f.Fatal(err)
	}
	state.apply(out.Changes)
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			return
		}
		out, err := Execute(state, Block{Height: 1, TimeMS: testTimeMS + 1, Txs: []*Transaction{tx, tx}})
		if err != nil {
			t.Fatal(err)
		}
		if out.Receipts[1].Code == 0 {
			t.Fatal("committed twice")
		}
		checkChanges(t, state, out.Changes)
		after := state.clone()
		after.apply(out.Changes)
		audit(t, after)
	})
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(EncodeFrame([][]byte{{1}, {2, 3}}))
	f.Add([]byte{0, 1, 0x81, 0, 7})
	f.Fuzz(func(t *testing.T, raw []byte) {
		txs, err := DecodeFrame(raw)
		if err != nil {
			checkReject(t, err)
			return
		}
		if len(txs) == 0 || len(txs) > FrameTxsMax || !bytes.Equal(EncodeFrame(txs), raw) {
			t.Fatalf("%d transactions, encoded again: %x", len(txs), EncodeFrame(txs))
		}
	})
}

func FuzzDecodeLeaves(f *testing.F) {
	for _, l := range someLeaves() {
		f.Add(l.key[0], l.leaf)
	}
	f.Fuzz(func(t *testing.T, prefix byte, leaf []byte) {
		again, err := encodeAgain(prefix, leaf)
		if err == nil && !bytes.Equal(again, leaf) {
			t.Fatalf("encodes back to %x", again)
		}
	})
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Add((&Receipt{Txid: make([]byte, 32), Height: 7, Index: 1, Code: 300, Op: 2}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReceipt(b)
		if err != nil {
			checkReject(t, err)
			return
		}
		if !bytes.Equal(r.Encode(), b) {
			t.Fatalf("encodes back to %x", r.Encode())
		}
	})
}

func FuzzParseOps(f *testing.F) {
	f.Add([]byte(`[{"transfer": {"to": "bob", "asset": "usd", "amount": "12.5", "up_to": true}, "actor": "alice"}]`))
	f.Add([]byte(`{"ops": [{"put": {"path": "a", "value_base64": "AA==", "if_version": 1}}, {"set_asset": {"code": "a", "scale": 2, "max_supply": "1.5"}}]}`))
	f.Add([]byte(`[{"assert": {"balance": {"account": "alice", "asset": "usd", "min": "1", "max_units": "2"}}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		ops, err := ParseOps(text, testNames())
		if err != nil {
			var fault *JSONError
			if !errors.As(err, &fault) || fault.Reason == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := FormatOps(ops, testNames())
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseOps(again, testNames())
		if err != nil || len(back) != len(ops) {
			t.Fatalf("%s reads back with %v", again, err)
		}
		for i := range ops {
			if !ops[i].Equal(&back[i]) {
				t.Fatalf("%s reads back as something else", again)
			}
		}
	})
}

func FuzzParseTransaction(f *testing.F) {
	for _, raw := range seedTransactions(f) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			f.Fatal(err)
		}
		text, err := FormatTransaction(tx, testNames())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		body, sigs, err := ParseTransaction(text, testNames())
		if err != nil {
			return
		}
		tx := Tx{Body: body.Encode(), Sigs: sigs}
		raw, err := tx.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if decoded, err := DecodeTransaction(raw); err == nil && decoded.ID != body.TxID() {
			t.Fatal("the id changed on the way")
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	for _, text := range []string{"12.50", "0", "340282366920938463463374607431768211455", "-1", "1e9", "1."} {
		f.Add(text, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, scale uint8) {
		scale %= ScaleMax + 1
		a, err := ParseAmount(text, scale)
		if err != nil {
			checkReject(t, err)
			return
		}
		if back, err := ParseAmount(a.Format(scale), scale); err != nil || back != a {
			t.Fatalf("%s reads back as %v, %v", a.Format(scale), back, err)
		}
	})
}

// seedTransactions are the transactions of the golden vectors.
func seedTransactions(f *testing.F) (raws [][]byte) {
	f.Helper()
	_, bodies, signers := vectorBodies()
	for i := range bodies {
		raws = append(raws, encodeTx(bodies[i], signers[i]...))
	}
	return raws
}
