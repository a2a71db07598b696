package probe

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

func TestStatus(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", 1_700_000_000_000)
	l.Seal()
	node := l.Node("node0")
	server := httptest.NewServer(rpc.NewHandler(node, rpc.Options{}))
	defer server.Close()
	ask := Status(server.Client())
	if got, err := ask(t.Context(), server.URL); err != nil || got != (balance.Report{Height: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
	node.Adjust(func(s *rpc.Status) {
		s.CatchingUp, s.Partition, s.NotReady = true, rpc.PartitionMinority, []string{"stopping"}
	})
	if got, err := ask(t.Context(), server.URL); err != nil || got != (balance.Report{Height: 1, CatchingUp: true, Minority: true, NotReady: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := report([]byte(`{"chain_id":"x","height":7,"region":"eu/de"}`)); err != nil || got != (balance.Report{Height: 7, Region: "eu/de"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestStatusIsBounded: at the bound and above it; and what is no status is none.
func TestStatusIsBounded(t *testing.T) {
	const begin, end = `{"chain_id":"x","node":"`, `"}`
	for name, c := range map[string]struct {
		status int
		text   string
		good   bool
	}{
		"as large as may be": {200, begin + strings.Repeat("a", statusBytesMax-len(begin+end)) + end, true},
		"larger":             {200, begin + strings.Repeat("a", statusBytesMax-len(begin+end)+1) + end, false},
		"an error":           {503, begin + end, false},
		"no JSON":            {200, "<html>", false},
		"nothing":            {200, "{}", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.text))
		}))
		if _, err := Status(server.Client())(t.Context(), server.URL); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}
