package rpc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

func postAttest(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, rpc.PathAttest, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r)
	return out
}

// TestAttestationsVerify takes an attestation from the wire to what ledger.ReadIndex is given.
func TestAttestationsVerify(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	l.Seal()
	h := rpc.NewHandler(l.Node("node2"), rpc.Options{})
	nonce := crypto.Sum([]byte("nonce"))
	out := postAttest(h, fmt.Sprintf(`{"nonce": %q}`, nonce))
	var a rpc.Attestation
	if err := json.Unmarshal(out.Body.Bytes(), &a); err != nil || out.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", out.Code, out.Body, err)
	}
	s, err := a.Signed()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(l.Genesis, nonce, crypto.DevKey("service-node2").Public(), s.Signature[:]); err != nil {
		t.Error(err)
	}
	if again := rpc.DescribeAttestation(s); again != a {
		t.Errorf("%+v became %+v", a, again)
	}
	for _, signature := range []string{"", "zz", a.Signature[2:], a.Signature + "00"} {
		a.Signature = signature
		if _, err := a.Signed(); err == nil {
			t.Errorf("takes the signature %q", signature)
		}
	}
}

// TestAttestRequestsAreBounded sends the largest request that there can be, and one byte more.
func TestAttestRequestsAreBounded(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	l.Seal()
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	body := fmt.Sprintf(`{"nonce": %q}`, crypto.Sum(nil))
	body += strings.Repeat(" ", 256-len(body))
	if out := postAttest(h, body); out.Code != http.StatusOK {
		t.Errorf("%d bytes: %d %s", len(body), out.Code, out.Body)
	}
	out := postAttest(h, body+" ")
	var e rpc.Error
	if err := json.Unmarshal(out.Body.Bytes(), &e); err != nil || out.Code != http.StatusRequestEntityTooLarge || e.Code != uint32(ledger.CodeTooLarge) {
		t.Errorf("%d bytes: %d %s", len(body)+1, out.Code, out.Body)
	}
}
