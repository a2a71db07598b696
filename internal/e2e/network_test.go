package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
)

// patience ends a test that hangs. It is far more than a working network needs on a slow machine.
const patience = 3 * time.Minute

// network is one test's validators.
type network struct {
	t     *testing.T
	dir   string
	base  int
	nodes []*process

	chainID string
	genesis crypto.Hash

	wires wires // nil where nothing is to be cut
}

// process is one validator: its home and, while it runs, its process.
type process struct {
	index   int
	home    string
	command []string
	log     *os.File
	logged  int64 // how long the log was when it was started
	cmd     *exec.Cmd
	done    chan error // receives what Wait returned, once
}

// binary is the program under test.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TETRAD_BIN")
	if path == "" {
		t.Skip("TETRAD_BIN does not name the binary; run make e2e")
	}
	return path
}

// newNetwork writes the homes of n validators. edit may change each before anything starts.
func newNetwork(t *testing.T, n int, edit func(home string)) *network {
	t.Helper()
	bin := binary(t)
	net := &network{t: t, dir: filepath.Join(t.TempDir(), "net"), base: freePorts(t, n)}
	out, err := exec.Command(bin, "testnet", "--output-dir", net.dir, "--validators", strconv.Itoa(n),
		"--base-port", strconv.Itoa(net.base), "--chain-id", "e2e-dev").CombinedOutput()
	if err != nil {
		t.Fatalf("tetrad testnet: %v\n%s", err, out)
	}
	for i := range n {
		home := filepath.Join(net.dir, fmt.Sprintf("node%d", i))
		if edit != nil {
			edit(home)
		}
		log, err := os.Create(filepath.Join(net.dir, fmt.Sprintf("node%d.log", i)))
		if err != nil {
			t.Fatal(err)
		}
		net.nodes = append(net.nodes, &process{index: i, home: home, command: []string{bin, "start", "--home", home}, log: log})
	}
	data, err := os.ReadFile(filepath.Join(net.dir, "node0", "config", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	net.chainID, net.genesis = "e2e-dev", crypto.Sum(data)
	t.Cleanup(net.stop)
	return net
}

// start runs the validators with the given numbers, or all.
func (n *network) start(indexes ...int) {
	n.t.Helper()
	for _, p := range n.pick(indexes) {
		n.run(p, nil)
	}
}

// run starts one validator, with something added to its environment and its command line.
func (n *network) run(p *process, env []string, args ...string) {
	n.t.Helper()
	if p.cmd != nil {
		n.t.Fatalf("node%d runs already", p.index)
	}
	info, err := p.log.Stat()
	if err != nil {
		n.t.Fatal(err)
	}
	p.logged = info.Size()
	cmd := exec.Command(p.command[0], slices.Concat(p.command[1:], args)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	p.cmd, p.done = cmd, make(chan error, 1)
	go func() { p.done <- cmd.Wait() }()
}

// ended waits until a validator has ended by itself, and returns how.
func (n *network) ended(p *process) error {
	n.t.Helper()
	select {
	case err := <-p.done:
		p.cmd = nil
		return err
	case <-time.After(patience):
		n.t.Fatalf("node%d did not end in %s\n%s", p.index, patience, n.tail(p))
		return nil
	}
}

// kill ends validators without warning.
func (n *network) kill(indexes ...int) {
	n.t.Helper()
	for _, p := range n.pick(indexes) {
		n.signal(p, syscall.SIGKILL)
	}
	for _, p := range n.pick(indexes) {
		<-p.done
		p.cmd = nil
	}
}

// terminate asks a validator to stop and returns how it ended.
func (n *network) terminate(index int) error {
	n.t.Helper()
	p := n.nodes[index]
	n.signal(p, syscall.SIGTERM)
	select {
	case err := <-p.done:
		p.cmd = nil
		if strings.Contains(n.said(p), "did not stop in time") {
			n.t.Logf("node%d had not time enough on this machine to stop cleanly", index)
			return nil
		}
		return err
	case <-time.After(patience):
		return errors.New("did not stop")
	}
}

func (n *network) signal(p *process, s syscall.Signal) {
	n.t.Helper()
	if p.cmd == nil {
		n.t.Fatalf("node%d does not run", p.index)
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		n.t.Fatalf("signal node%d: %v\n%s", p.index, err, n.tail(p))
	}
}

// stop ends whatever still runs, and shows the logs of a test that failed.
func (n *network) stop() {
	for _, p := range n.nodes {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		if n.t.Failed() {
			n.t.Logf("end of the log of node%d:\n%s", p.index, n.tail(p))
		}
		p.log.Close()
	}
}

// said is what a validator has logged since it was started the last time.
func (n *network) said(p *process) string {
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(data[p.logged:])
}

// tail is the end of that.
func (n *network) tail(p *process) string {
	lines := strings.Split(strings.TrimSpace(n.said(p)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

func (n *network) pick(indexes []int) []*process {
	if len(indexes) == 0 {
		return n.nodes
	}
	var out []*process
	for _, i := range indexes {
		out = append(out, n.nodes[i])
	}
	return out
}

// url is the address of validator i's HTTP API; rpcURL that of CometBFT's own.
func (n *network) url(i int) string    { return fmt.Sprintf("http://127.0.0.1:%d", n.base+10*i+2) }
func (n *network) rpcURL(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", n.base+10*i+1) }

// client asks the validators with the given numbers, or all.
func (n *network) client(indexes ...int) *client.Client {
	n.t.Helper()
	var urls []string
	for _, p := range n.pick(indexes) {
		urls = append(urls, n.url(p.index))
	}
	c, err := client.New(client.Options{Endpoints: urls, Timeout: patience, HTTP: n.http()})
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// shared keeps connections for all clients of all tests: one of its own for each client that asks once would use up
// those that a validator admits.
var shared = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}}

// http is how this test reaches the validators.
func (n *network) http() *http.Client {
	if n.wires == nil {
		return shared
	}
	return &http.Client{Transport: &http.Transport{DialContext: n.through, DisableKeepAlives: true}}
}

// ask asks until there is an answer: a validator on a busy machine is slow, which is no fault.
func (n *network) ask(what string, ask func(ctx context.Context) error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%s: no answer in %s: %v", what, patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// height is validator i's newest committed height, or 0 while it does not answer.
func (n *network) height(i int) uint64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := n.client(i).Status(ctx)
	if err != nil {
		return 0
	}
	return s.Height
}

// until waits for something to become true.
func (n *network) until(what string, holds func() bool) {
	n.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		for _, p := range n.nodes {
			if p.cmd == nil {
				continue
			}
			select {
			case err := <-p.done:
				p.cmd = nil
				n.t.Fatalf("node%d ended while waiting until %s: %v\n%s", p.index, what, err, n.tail(p))
			default:
			}
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("waited %s in vain until %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// untilHeight waits until the validators have a height.
func (n *network) untilHeight(h uint64, indexes ...int) {
	n.t.Helper()
	for _, p := range n.pick(indexes) {
		n.until(fmt.Sprintf("node%d has height %d", p.index, h), func() bool { return n.height(p.index) >= h })
	}
}

// portsMin is where the search for ports begins. It ends below the ports that the system gives to outgoing
// connections: one of those could otherwise take a validator's port while the validator is down.
const portsMin, portsMax = 27700, 32000

// freePorts finds a base port at which n validators can listen and keeps others of these tests, in whatever
// process, away from it until the test ends: it holds a port between the validators' own.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for base := portsMin; base+10*n <= portsMax; base += 10 {
		claims := claim(base, n)
		if claims == nil {
			continue
		}
		t.Cleanup(func() { release(claims) })
		for i := range n {
			if !allFree(base+10*i, 5) {
				claims = release(claims)
				break
			}
		}
		if claims != nil {
			return base
		}
	}
	t.Fatal("found no free ports")
	return 0
}

// claim listens on the last port of each validator's ten, which validators do not use.
func claim(base, n int) []net.Listener {
	var claims []net.Listener
	for i := range n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+10*i+9))
		if err != nil {
			return release(claims)
		}
		claims = append(claims, l)
	}
	return claims
}

func release(claims []net.Listener) []net.Listener {
	for _, l := range claims {
		l.Close()
	}
	return nil
}

func allFree(base, n int) bool {
	for p := base; p < base+n; p++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
