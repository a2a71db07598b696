package rpc_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts give into testdata instead of comparing")

// startMS is the time of the genesis block in scripts.
const startMS = 1_700_000_000_000

// TestScripts runs the scripts in testdata. A script is a list of steps, separated by blank lines; the lines
// after ---- are what the step gives.
//
//	tx NAME FROM TO AMOUNT [valid=MS] [chain=ID] [key=NAME] [memo=TEXT]   makes a transaction and keeps it under a name
//	put NAME FROM PATH VALUE                       the same with a register
//	ops NAME FROM, and lines of JSON               the same with any operations
//	seal [MS] · hold HEIGHT · keep HEIGHT · forget HEIGHT · pool N · deafen on|off  see rpctest
//	status FIELD=VALUE ...                         what the node says of itself from now on
//	METHOD PATH, headers, and lines "> body"       a request; {alice} is an address, {txid:NAME} an id,
//	                                               {tx:NAME} base64, "> batch NAME..." and "> hex ..." bytes;
//	                                               in place of an ics23 proof stands what the ics23 library says
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	var out strings.Builder
	for i, step := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		if i > 0 {
			out.WriteString("\n\n")
		}
		input, _, scripted := strings.Cut(step, "\n----")
		out.WriteString(input)
		if strings.HasPrefix(input, "#") && !scripted && !hasCommand(input) {
			continue
		}
		out.WriteString("\n----")
		for _, line := range strings.Split(strings.TrimSpace(w.step(input)), "\n") {
			if line != "" {
				out.WriteString("\n" + line)
			}
		}
	}
	out.WriteString("\n")
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if out.String() != string(text) {
		t.Errorf("%s does not give what it says; run with -rewrite and read the difference.\n%s", file, firstDifference(string(text), out.String()))
	}
}

func hasCommand(step string) bool {
	for _, line := range strings.Split(step, "\n") {
		if !strings.HasPrefix(line, "#") {
			return true
		}
	}
	return false
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(a), len(b))
}

// world is what a script acts on.
type world struct {
	t       *testing.T
	ledger  *rpctest.Ledger
	node    *rpctest.Node
	handler http.Handler
	txs     map[string]client.Signed
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, ledger: rpctest.NewLedger("tetrad-test", startMS), txs: map[string]client.Signed{}}
	w.ledger.ServeLight([]byte(`{ "chain_id": "tetrad-test" }`), func(h rpctest.Header) rpctest.Light {
		return rpctest.Light{Encoded: fmt.Appendf(nil, "header %d with %s", h.Height, h.AppHash), Hash: crypto.Sum(h.AppHash[:]), Proposer: "00"}
	})
	w.node = w.ledger.Node("node0")
	w.handler = rpc.NewHandler(w.node, rpc.Options{Node: "node0", Version: "1.0.0", Now: w.now})
	return w
}

// now is a tenth of a second after the newest block.
func (w *world) now() time.Time {
	return time.UnixMilli(startMS + int64(w.ledger.Height())*1000 + 100)
}

func (w *world) step(input string) string {
	var lines []string
	for _, line := range strings.Split(input, "\n") {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	words := strings.Fields(lines[0])
	switch words[0] {
	case "tx", "put":
		return w.makeTx(words)
	case "ops":
		return w.makeOps(words[1], words[2], strings.Join(lines[1:], "\n"))
	case "seal":
		step := uint64(1000)
		if len(words) > 1 {
			step = w.number(words[1])
		}
		return fmt.Sprintf("height %d", w.ledger.SealAfter(step))
	case "hold":
		w.node.Hold(w.number(words[1]))
		return "ok"
	case "keep":
		w.node.KeepFrom(w.number(words[1]))
		return "ok"
	case "forget":
		w.ledger.KeepHistory(w.number(words[1]))
		return "ok"
	case "pool":
		w.node.PoolMax(int(w.number(words[1])))
		return "ok"
	case "deafen":
		w.node.Deafen(words[1] == "on")
		return "ok"
	case "status":
		return w.adjust(words[1:])
	}
	return w.request(lines)
}

func (w *world) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		w.t.Fatalf("%q is not a number", text)
	}
	return n
}

func (w *world) makeTx(words []string) string {
	kind, name, from := words[0], words[1], words[2]
	options := map[string]string{"chain": w.ledger.ChainID, "key": from, "valid": "60000", "memo": ""}
	for _, word := range words[5:] {
		key, value, _ := strings.Cut(word, "=")
		options[key] = value
	}
	d := client.NewTx(options["chain"], w.ledger.Genesis, rpctest.Address(from))
	if kind == "put" {
		d.Put(words[3], []byte(words[4]))
	} else {
		amount, err := ledger.ParseAmount(strings.TrimRight(words[4], "abcdefghijklmnopqrstuvwxyz"), 2)
		if err != nil {
			w.t.Fatal(err)
		}
		code := strings.TrimLeft(words[4], "0123456789.")
		d.Transfer(rpctest.Address(words[3]), code, amount)
	}
	nonce := crypto.Sum([]byte(name))
	tx, err := d.Memo(options["memo"]).ValidUntilMS(startMS + w.number(options["valid"])).
		Nonce([16]byte(nonce[:16])).Sign(crypto.DevKey(options["key"]))
	if err != nil {
		return err.Error()
	}
	w.txs[name] = tx
	return "txid " + tx.TxID.String()
}

// makeOps makes a transaction of a list of operations in JSON, in which {txid:NAME} is an id.
func (w *world) makeOps(name, from, text string) string {
	ops, err := ledger.ParseOps([]byte(w.fill(text)), ledger.Names{})
	if err != nil {
		w.t.Fatal(err)
	}
	nonce := crypto.Sum([]byte(name))
	d := client.NewTx(w.ledger.ChainID, w.ledger.Genesis, rpctest.Address(from)).ValidUntilMS(startMS + 60_000).Nonce([16]byte(nonce[:16]))
	for _, op := range ops {
		d.Op(op)
	}
	tx, err := d.Sign(crypto.DevKey(from))
	if err != nil {
		w.t.Fatal(err)
	}
	w.txs[name] = tx
	return "txid " + tx.TxID.String()
}

func (w *world) adjust(words []string) string {
	fields := map[string]json.RawMessage{}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		fields[key] = json.RawMessage(value)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	w.node.Adjust(func(s *rpc.Status) {
		if err := json.Unmarshal(text, s); err != nil {
			w.t.Error(err)
		}
	})
	return "ok"
}

var placeholder = regexp.MustCompile(`\{[a-z]+(:[a-z0-9]+)?\}`)

func (w *world) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		kind, name, named := strings.Cut(strings.Trim(p, "{}"), ":")
		switch {
		case !named:
			return rpctest.Address(kind).String()
		case kind == "txid":
			return w.txs[name].TxID.String()
		case kind == "until":
			return strconv.FormatUint(w.txs[name].ValidUntilMS, 10)
		default:
			return base64.StdEncoding.EncodeToString(w.txs[name].Raw)
		}
	})
}

// body makes the bytes that the script's body lines stand for.
func (w *world) body(lines []string) []byte {
	text := strings.Join(lines, "\n")
	words := strings.Fields(text)
	var b []byte
	switch {
	case len(words) > 0 && words[0] == "batch":
		for _, name := range words[1:] {
			b = ledger.AppendDelimited(b, w.txs[name].Raw)
		}
	case len(words) > 0 && words[0] == "hex":
		_, err := fmt.Sscanf(words[1], "%x", &b)
		if err != nil {
			w.t.Fatal(err)
		}
	case len(words) > 0 && words[0] == "repeat":
		b = bytes.Repeat([]byte(words[1]), int(w.number(words[2])))
	default:
		b = []byte(w.fill(text))
	}
	return b
}

func (w *world) request(lines []string) string {
	method, path, _ := strings.Cut(lines[0], " ")
	var body []string
	header := http.Header{}
	for _, line := range lines[1:] {
		if text, ok := strings.CutPrefix(line, "> "); ok {
			body = append(body, text)
		} else if name, value, ok := strings.Cut(line, ": "); ok {
			header.Add(name, value)
		} else {
			w.t.Fatalf("what is %q?", line)
		}
	}
	r := httptest.NewRequest(method, w.fill(path), bytes.NewReader(w.body(body)))
	r.Header = header
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return show(rec)
}

// shown are the headers that scripts pin, besides those of the node itself.
var shown = []string{
	"Allow", "Location", "Retry-After", "Access-Control-Allow-Origin",
	rpc.HeaderHeight, rpc.HeaderAgeMS, rpc.HeaderToken, rpc.HeaderPartition, rpc.HeaderTrust, rpc.HeaderNode,
}

func show(rec *httptest.ResponseRecorder) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d %s\n", rec.Code, http.StatusText(rec.Code))
	for _, name := range shown {
		value := rec.Header().Get(name)
		usual := name == rpc.HeaderPartition && value == rpc.PartitionOK || name == rpc.HeaderNode && value == "node0" ||
			name == rpc.HeaderTrust && value == "node"
		if value != "" && !usual {
			fmt.Fprintf(&out, "%s: %s\n", name, value)
		}
	}
	kind := rec.Header().Get("Content-Type")
	if kind == "application/json" {
		var pretty bytes.Buffer
		if json.Indent(&pretty, rec.Body.Bytes(), "", "  ") == nil {
			out.WriteString(judged(pretty.String()))
			return out.String()
		}
	}
	if rec.Body.Len() > 0 {
		fmt.Fprintf(&out, "Content-Type: %s\n", kind)
	}
	return out.String()
}
