package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/stream"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// proxyPatience ends a test that hangs.
const proxyPatience = 2 * time.Minute

// program finds another program. Where tests of proxies are asked for it must be there.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("TETRAD_PROXIES") != "" {
		t.Fatalf("there is no %s: apt-get install %s", name, name)
	}
	t.Skipf("there is no %s; apt-get install %s, and this test runs", name, name)
	return ""
}

// front is another program in a gateway's place, with the exported configuration.
type front struct {
	t      *testing.T
	client *http.Client
	end    chan error
	log    *bytes.Buffer // read only after the end
}

func start(t *testing.T, n *network, format, file string, args func(dir, config string) []string) *front {
	t.Helper()
	path := program(t, format)
	dir, err := os.MkdirTemp("", "proxy") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	socket, config := filepath.Join(dir, "s"), filepath.Join(dir, file)
	var text bytes.Buffer
	if err := Export(&text, format, "unix:"+socket, n.urls()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, end: make(chan error, 1), log: &bytes.Buffer{}}
	cmd := exec.Command(path, args(dir, config)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, f.log, f.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it may have workers
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { f.end <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-f.end
		if t.Failed() {
			t.Logf("%s said:\n%s", format, f.log)
		}
		os.RemoveAll(dir)
	})
	f.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	return f
}

// ask sends a request, and returns the status and the node that answered; 0 where there is no answer.
func (f *front) ask(method, path, kind string, body []byte) (int, string) {
	req, err := http.NewRequest(method, "http://tetrad"+path, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get(rpc.HeaderNode)
}

// until asks until forty reads in a row are answered, and by the nodes that are wanted and no other.
func (f *front) until(what string, nodes ...string) {
	f.t.Helper()
	for deadline := time.Now().Add(proxyPatience); ; {
		var seen []string
		status := 0
		for range 40 {
			var node string
			if status, node = f.ask("GET", "/v1/assets/usd", "", nil); status != http.StatusOK {
				break
			}
			if !slices.Contains(seen, node) {
				seen = append(seen, node)
			}
		}
		slices.Sort(seen)
		if status == http.StatusOK && slices.Equal(seen, nodes) {
			return
		}
		select {
		case err := <-f.end:
			f.end <- err
			f.t.Fatalf("%s: it ended: %v", what, err)
		default:
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: the last answer is %d, and %v answer, not %v", what, status, seen, nodes)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// check runs a front through what it is for.
func (f *front) check(n *network) {
	all := []string{"node0", "node1", "node2", "node3"}
	f.until("all are well", all...)
	n.nodes[1].node.Adjust(func(s *rpc.Status) { s.CatchingUp = true })
	f.until("one is not ready", "node0", "node2", "node3")
	n.nodes[0].die()
	f.until("one of them is dead", "node2", "node3")
	n.nodes[1].node.Adjust(nil)
	f.until("one is ready again", "node1", "node2", "node3")

	tx := n.pay(f.t, 1)
	body := []byte(`{"tx":"` + base64.StdEncoding.EncodeToString(tx.Raw) + `"}`)
	if status, _ := f.ask("POST", rpc.PathTransactions, "application/json", body); status != http.StatusAccepted {
		f.t.Errorf("a transaction was answered %d", status)
	}
	if status, _ := f.ask("POST", rpc.PathBatch, "application/octet-stream", ledger.AppendDelimited(nil, n.pay(f.t, 2).Raw)); status != http.StatusOK {
		f.t.Errorf("a batch was answered %d", status)
	}
	if status, _ := f.ask("GET", "/v1/assets/none", "", nil); status != http.StatusNotFound {
		f.t.Errorf("what is not there was answered %d", status)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://tetrad"+rpc.PathEvents+"?from_height=1", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	r := stream.NewReader(resp.Body)
	for _, want := range []string{"1.0", "1.1", "1", "2"} { // as they come, not when there is a lot of them
		if want == "1.0" || want == "2" {
			n.Seal()
		}
		if got := next(f.t, r); got.ID != want {
			f.t.Fatalf("event %s, not %s", got.ID, want)
		}
	}
}

// TestHAProxy runs the real program with what is exported for it.
func TestHAProxy(t *testing.T) {
	n := newNetwork(t, 4)
	start(t, n, "haproxy", "haproxy.cfg", func(_, config string) []string { return []string{"-db", "-f", config} }).check(n)
}

// TestNginx runs the real program with what is exported for it. As root it would give up its rights, to a user who
// cannot read the test's directory.
func TestNginx(t *testing.T) {
	n := newNetwork(t, 4)
	start(t, n, "nginx", "nginx.conf", func(dir, config string) []string {
		args := []string{"-p", dir, "-c", config}
		if os.Getuid() == 0 {
			args = append(args, "-g", "user root;")
		}
		return args
	}).check(n)
}

// TestEnvoy looks at what is exported for Envoy; the program itself is not run.
func TestEnvoy(t *testing.T) {
	var text bytes.Buffer
	if err := Export(&text, "envoy", "127.0.0.1:8080", []string{"http://10.0.0.1:26658", "http://[::1]:26668/"}); err != nil {
		t.Fatal(err)
	}
	type address struct {
		Socket struct {
			Address string `json:"address"`
			Port    int    `json:"port_value"`
		} `json:"socket_address"`
	}
	var got struct {
		Static struct {
			Listeners []struct {
				Address address
			}
			Clusters []struct {
				Name   string
				Checks []struct {
					HTTP struct{ Path string } `json:"http_health_check"`
				} `json:"health_checks"`
				Load struct {
					Endpoints []struct {
						LB []struct {
							Endpoint struct{ Address address }
						} `json:"lb_endpoints"`
					}
				} `json:"load_assignment"`
			}
		} `json:"static_resources"`
	}
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	cluster := got.Static.Clusters[0]
	nodes := cluster.Load.Endpoints[0].LB
	if a := got.Static.Listeners[0].Address.Socket; a.Address != "127.0.0.1" || a.Port != 8080 || cluster.Checks[0].HTTP.Path != rpc.PathReady || len(nodes) != 2 {
		t.Errorf("%s", text.String())
	}
	if a := nodes[1].Endpoint.Address.Socket; a.Address != "::1" || a.Port != 26668 {
		t.Errorf("%+v", a)
	}
	if strings.Count(text.String(), `"cluster": "nodes"`) != 2 || !strings.Contains(text.String(), `"path": "/v1/events"`) {
		t.Errorf("routes: %s", text.String())
	}
}

// TestExportWritesNothingElse: what is given is an address, and not a line of a configuration.
func TestExportWritesNothingElse(t *testing.T) {
	good := []string{"http://127.0.0.1:1"}
	for _, c := range []struct {
		format, listen string
		nodes          []string
	}{
		{"caddy", "127.0.0.1:1", good},
		{"nginx", "127.0.0.1", good},
		{"nginx", "127.0.0.1:0", good},
		{"nginx", "127.0.0.1:70000", good},
		{"nginx", "a;b:1", good},
		{"nginx", "unix:/a b", good},
		{"haproxy", "unix:a", good},
		{"haproxy", ":1", nil},
		{"haproxy", ":1", []string{"https://127.0.0.1:1"}},
		{"haproxy", ":1", []string{"http://127.0.0.1:1/x"}},
		{"haproxy", ":1", []string{"http://a b:1"}},
		{"haproxy", ":1", []string{"http://u:p@a:1"}},
		{"envoy", ":1", []string{"http://"}},
	} {
		var text bytes.Buffer
		if err := Export(&text, c.format, c.listen, c.nodes); err == nil || text.Len() > 0 {
			t.Errorf("%+v was exported", c)
		}
	}
	for _, format := range Formats() {
		var text bytes.Buffer
		if err := Export(&text, format, ":8080", []string{"http://node"}); err != nil || !strings.Contains(text.String(), "80") {
			t.Errorf("%s: %v", format, err)
		}
	}
}
