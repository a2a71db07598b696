package rpc_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Tags        []string
		Responses   map[string]any
	}
	Components struct{ Schemas map[string]any }
}

func openAPI(t *testing.T) (document, string) {
	t.Helper()
	h := rpc.NewHandler(rpctest.NewLedger("tetrad-test", startMS).Node("node0"), rpc.Options{Version: "1.2.3"})
	rec := ask(h, "GET", "/openapi.json", nil)
	var doc document
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc, rec.Body.String()
}

// TestOpenAPINamesEveryRoute: what the contract promises is in the document, and nothing else is.
func TestOpenAPINamesEveryRoute(t *testing.T) {
	want := []string{
		"get /v1/accounts/{id}", "get /v1/accounts/{id}/balances", "get /v1/accounts/{id}/balances/{asset}", "get /v1/accounts/{id}/history", "get /v1/assets/{code}",
		"get /v1/blocks/{height}", "get /v1/entries/{namespace}", "get /v1/entries/{namespace}/{path}", "get /v1/equivocations", "get /v1/errors", "get /v1/events", "get /v1/genesis", "get /v1/light/{height}", "get /v1/live", "get /v1/nodes/{validator}", "get /v1/params",
		"get /v1/ready", "get /v1/status", "get /v1/topology", "get /v1/transactions/{txid}", "get /v1/validators",
		"post /v1/attest", "post /v1/transactions", "post /v1/transactions:batch", "post /v1/transactions:simulate",
	}
	doc, text := openAPI(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || !strings.Contains(text, `"version":"1.2.3"`) {
		t.Errorf("it is OpenAPI %s", doc.OpenAPI)
	}
	var got []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			got = append(got, method+" "+path)
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || len(op.Responses) == 0 {
				t.Errorf("%s %s is not described: %+v", method, path, op)
			}
			if _, ok := op.Responses["default"]; !ok && path != rpc.PathReady {
				t.Errorf("%s %s does not say what its errors look like", method, path)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("routes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOpenAPIRefersToWhatIsThere(t *testing.T) {
	doc, text := openAPI(t)
	for _, ref := range regexp.MustCompile(`"\$ref":"([^"]+)"`).FindAllStringSubmatch(text, -1) {
		name, ok := strings.CutPrefix(ref[1], "#/components/schemas/")
		if _, found := doc.Components.Schemas[name]; !ok || !found {
			t.Errorf("%s is referred to and not there", ref[1])
		}
	}
}

func TestErrorsAreTheRegistry(t *testing.T) {
	h := rpc.NewHandler(rpctest.NewLedger("tetrad-test", startMS).Node("node0"), rpc.Options{})
	var got rpc.ErrorCodes
	if err := json.Unmarshal(ask(h, "GET", rpc.PathErrors, nil).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i, info := range ledger.Codes() {
		row := got.Errors[i]
		if row.Code != uint32(info.Code) || row.Slug != info.Slug || row.Class != string(info.Class) || row.Message != info.Message || row.Retryable != info.Retryable {
			t.Errorf("row %d is %+v, want %+v", i, row, info)
		}
		if e := rpc.NewError(info.Code, ""); e.GetStatus() != row.Status {
			t.Errorf("%s is sent with %d, the registry says %d", info.Slug, e.GetStatus(), row.Status)
		}
		lines = append(lines, fmt.Sprintf("%3d %d %s", row.Code, row.Status, row.Slug))
	}
	if len(got.Errors) != len(ledger.Codes()) {
		t.Errorf("%d codes, want %d", len(got.Errors), len(ledger.Codes()))
	}
	compare(t, "testdata/http_status.golden", strings.Join(lines, "\n")+"\n")
}

// compare holds text against a file, or writes it with -rewrite.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s: %v\n%s", file, err, firstDifference(string(want), got))
	}
}

// TestDocsStandAlone: the page comes from the node alone, whatever the network, and its policy says so.
func TestDocsStandAlone(t *testing.T) {
	h := rpc.NewHandler(rpctest.NewLedger("tetrad-test", startMS).Node("node0"), rpc.Options{})
	for path, kind := range map[string]string{
		"/docs": "text/html; charset=utf-8", "/docs/docs.js": "text/javascript; charset=utf-8", "/docs/docs.css": "text/css; charset=utf-8",
	} {
		rec := ask(h, "GET", path, nil)
		if rec.Code != 200 || rec.Header().Get("Content-Type") != kind || rec.Body.Len() == 0 {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Header().Get("Content-Type"))
		}
		if policy := rec.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		checkAlone(t, path, rec)
	}
	files, err := fs.Glob(os.DirFS("docs"), "*")
	if err != nil || len(files) != 3 {
		t.Errorf("files %v %v: is each of them served and checked?", files, err)
	}
}

func checkAlone(t *testing.T, path string, rec *httptest.ResponseRecorder) {
	t.Helper()
	text := rec.Body.String()
	if outside := regexp.MustCompile(`(https?:)?//[a-z0-9]`).FindString(text); outside != "" {
		t.Errorf("%s points outside: %s", path, outside)
	}
	for _, inline := range []string{"<style", " style=", " onclick=", "innerHTML", "eval("} {
		if strings.Contains(text, inline) {
			t.Errorf("%s holds %s", path, inline)
		}
	}
}
