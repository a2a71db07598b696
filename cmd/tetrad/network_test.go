package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/node"
	"github.com/tetradledger/tetrad/rpc"
)

// TestNetworkScripts runs the scripts that need a network, against one of four validators that are started
// as a user would start them. The scripts share it, so each uses accounts of its own.
func TestNetworkScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network of four validators")
	}
	network := startNetwork(t)
	liar := startLiar(t, network.api(0))
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/network",
		Cmds:               scriptCommands,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "client")
			env.Setenv("TETRAD_HOME", home)
			env.Setenv("TETRAD_TIMEOUT", patience)
			env.Setenv("API0", network.api(0))
			env.Setenv("API1", network.api(1))
			env.Setenv("API3", network.api(3))
			env.Setenv("NODE0", filepath.Join(network.dir, "node0"))
			env.Setenv("NODE1", filepath.Join(network.dir, "node1"))
			env.Setenv("LIAR", liar)
			// Keys must stay private to be usable, so modes are copied, too.
			copied := exec.Command("cp", "-rp", filepath.Join(network.dir, "client"), home).Run()
			return errors.Join(cleanEnvironment(env), copied)
		},
	})
}

// secondEntry is the second transaction in an account's history.
var secondEntry = regexp.MustCompile(`\{"seq":2,[^}]*\},`)

// startLiar puts a proxy before a node that makes everybody who is asked about ten times as rich, withholds the
// second transaction of every account, and leaves the proofs alone.
func startLiar(t *testing.T, api string) string {
	t.Helper()
	target, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = bytes.ReplaceAll(body, []byte(`"amount":"`), []byte(`"amount":"1`))
		body = secondEntry.ReplaceAll(body, nil)
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// patience is how long commands wait for nodes in these tests: a hang, not a slow machine.
const patience = "2m"

// testNetwork is a network of four in a temporary directory.
type testNetwork struct {
	dir  string
	base int
}

func (n testNetwork) api(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", n.base+10*i+2) }

func (n testNetwork) apis() []string { return []string{n.api(0), n.api(1), n.api(2), n.api(3)} }

// startNetwork writes a testnet and starts its validators; they are stopped when the test ends, and each
// must end with exit code 0.
func startNetwork(t *testing.T) testNetwork {
	t.Helper()
	base, err := freeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	n := testNetwork{dir: filepath.Join(t.TempDir(), "net"), base: base}
	runTetrad(t, "testnet", "--output-dir", n.dir, "--base-port", strconv.Itoa(base), "--chain-id", "script-1",
		"--accounts", "alice,bob,carol,dave,erin,frank,grace,heidi", "--bench-accounts", "16")
	for i := range 4 {
		startValidator(t, filepath.Join(n.dir, fmt.Sprintf("node%d", i)))
	}
	awaitBlock(t, n.apis())
	return n
}

// runTetrad runs one command that must succeed, and returns its stdout.
func runTetrad(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command("tetrad", args...)
	command.Env = append(os.Environ(), "TETRAD_TIMEOUT="+patience)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("tetrad %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

func startValidator(t *testing.T, home string) {
	t.Helper()
	log, err := os.Create(filepath.Join(home, "test.log"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("tetrad", "start", "--home", home)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer log.Close()
		_ = command.Process.Signal(syscall.SIGTERM) // if it is gone, Wait says how it went
		err := command.Wait()
		if err != nil {
			words, _ := os.ReadFile(log.Name())
			if bytes.Contains(words, []byte("did not stop in time")) {
				t.Logf("%s had not time enough on this machine to stop cleanly", home)
				return
			}
			t.Errorf("%s did not stop cleanly: %v\n%s", home, err, words[max(0, len(words)-4000):])
		}
	})
}

// awaitBlock waits until all of a network's nodes have a block.
func awaitBlock(t *testing.T, endpoints []string) {
	t.Helper()
	cl, err := client.New(client.Options{Endpoints: endpoints, Consistency: rpc.ConsistencyEventual})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a hang, not a slow machine
	defer cancel()
	for {
		ready := 0
		for _, n := range cl.StatusAll(ctx) {
			if n.Err == nil && n.Status.Height > 0 && !n.Status.CatchingUp {
				ready++
			}
		}
		if ready == len(endpoints) {
			return
		}
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			t.Fatalf("%d of %d nodes have a block", ready, len(endpoints))
		}
	}
}

// TestDev runs a dev network as its user does: reads what it prints, kills a validator, goes on, stops it,
// and starts it again.
func TestDev(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network of four validators")
	}
	base, err := freeBasePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dev")
	args := []string{"dev", "--home", dir, "--base-port", strconv.Itoa(base)}
	// A network that was written the day before yesterday: its genesis document vouches for nothing any more, and
	// queries must work all the same.
	if _, err := node.Testnet(node.TestnetSpec{Dir: dir, BasePort: base, Time: time.Now().Add(-48 * time.Hour)}); err != nil {
		t.Fatal(err)
	}

	d := startDev(t, append(args, "-o", "json")...)
	first := d.ready(t)
	if len(first.Nodes) != 4 || len(first.Accounts) != 5 {
		t.Fatalf("want 4 nodes and 5 accounts: %+v", first)
	}
	transfer := []string{"tx", "transfer", "bob", "12.50usd", "--from", "alice", "--home", first.ClientHome}
	runTetrad(t, transfer...)
	if params := runTetrad(t, "query", "params", "--home", first.ClientHome, "-o", "json"); !strings.Contains(params, `"verified": true`) {
		t.Fatalf("not verified: %s", params)
	}
	distrustAndTrust(t, first.ClientHome)

	// One validator dies: dev says so and how to start it again, and the others go on.
	d.killValidator(t, first.Nodes[2].Home)
	d.awaitLine(t, "node2 was ended by a signal (killed)")
	d.awaitLine(t, "start it again with: tetrad start --home "+first.Nodes[2].Home)
	runTetrad(t, transfer...)

	// Ctrl-C ends it with success, and no validator stays behind.
	if err := d.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := d.wait(); err != nil {
		t.Fatalf("dev ended with %v", err)
	}
	awaitFree(t, base)

	// The network goes on where it was.
	d = startDev(t, append(args, "-o", "json")...)
	if again := d.ready(t); again.GenesisHash != first.GenesisHash {
		t.Fatalf("another network: %s, was %s", again.GenesisHash, first.GenesisHash)
	}
	balance := runTetrad(t, "query", "balance", "bob", "usd", "--home", first.ClientHome, "-o", "json")
	if !strings.Contains(balance, `"1000025.00"`) {
		t.Fatalf("bob should have 1000025.00: %s", balance)
	}

	// Its validators die with it even when it has no time to stop them.
	if err := d.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = d.wait() // killed
	awaitFree(t, base)

	// --reset begins anew; the table names what to try.
	d = startDev(t, append(args, "--reset")...)
	for line := range d.out {
		if strings.Contains(line, "tx transfer bob 12.50usd --from alice") {
			break
		}
	}
	if err := d.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.wait(); err != nil {
		t.Fatalf("dev ended with %v", err)
	}
	awaitFree(t, base)
}

// distrustAndTrust forgets the header that dev gave a client home, is told how to get another one, and gets it.
func distrustAndTrust(t *testing.T, home string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(home, "light")); err != nil {
		t.Fatal(err)
	}
	query := []string{"query", "params", "--home", home}
	out, err := exec.Command("tetrad", query...).CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != int(exitError) || !strings.Contains(string(out), "'tetrad status --trust'") {
		t.Fatalf("want exit 1 and what to do, got %v: %s", err, out)
	}
	trust := "1:"
	for strings.HasPrefix(trust, "1:") { // the first block is as old as the genesis document
		trust = strings.TrimSpace(runTetrad(t, "status", "--trust", "--home", home))
	}
	runTetrad(t, append(query, "--trust", trust)...)
	runTetrad(t, query...) // the home remembers it
}

// devProcess is a running `tetrad dev`.
type devProcess struct {
	command  *exec.Cmd
	out, err <-chan string // lines
	ended    chan struct{}
	result   error
}

func startDev(t *testing.T, args ...string) *devProcess {
	t.Helper()
	d := &devProcess{command: exec.Command("tetrad", args...), ended: make(chan struct{})}
	stdout, outEnd := io.Pipe()
	stderr, errEnd := io.Pipe()
	d.command.Stdout, d.command.Stderr = outEnd, errEnd
	d.out, d.err = lines(stdout), lines(stderr)
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.result = d.command.Wait()
		outEnd.Close()
		errEnd.Close()
		close(d.ended)
	}()
	t.Cleanup(func() {
		_ = d.command.Process.Kill()
		<-d.ended
	})
	return d
}

// lines delivers a stream line by line, and never blocks the writer for long.
func lines(r io.Reader) <-chan string {
	out := make(chan string, 10_000)
	go func() {
		defer close(out)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			out <- scan.Text()
		}
	}()
	return out
}

func (d *devProcess) wait() error {
	<-d.ended
	return d.result
}

// ready waits for the document that says the network is up.
func (d *devProcess) ready(t *testing.T) networkDocument {
	t.Helper()
	var text strings.Builder
	for line := range d.out {
		text.WriteString(line + "\n")
		if line == "}" {
			break
		}
	}
	var document networkDocument
	if err := json.Unmarshal([]byte(text.String()), &document); err != nil {
		t.Fatalf("dev printed %q: %v", text.String(), err)
	}
	return document
}

func (d *devProcess) awaitLine(t *testing.T, want string) {
	t.Helper()
	var seen []string
	for line := range d.err {
		if strings.Contains(line, want) {
			return
		}
		seen = append(seen, line)
	}
	t.Fatalf("dev ended without saying %q:\n%s", want, strings.Join(seen, "\n"))
}

// killValidator kills the process that holds a home, whose number the home's lock names.
func (d *devProcess) killValidator(t *testing.T, home string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(home, "data", "node.lock"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// awaitFree waits until nothing listens on a network's ports any more.
func awaitFree(t *testing.T, base int) {
	t.Helper()
	for range 2400 { // two minutes: a hang, not a slow machine
		if blockIsFree(base) {
			return
		}
		time.Sleep(readyPoll)
	}
	t.Fatalf("validators stayed behind: ports from %d on are in use", base)
}

// freeBasePort finds a base port whose block of 50 ports (a network of four with room to spare) is unused,
// and keeps tests in other processes away from it: it holds the last port of each ten, which nodes do not use,
// for as long as this process lives.
func freeBasePort() (int, error) {
	for range 1000 {
		base := 20000 + 50*rand.IntN(150) // below the range the kernel hands out for outgoing connections
		var claims []net.Listener
		for port := base + 9; port < base+50; port += 10 {
			if claim, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				claims = append(claims, claim)
			}
		}
		if len(claims) == 5 && blockIsFree(base) {
			claimed = append(claimed, claims...)
			return base, nil
		}
		for _, claim := range claims {
			claim.Close()
		}
	}
	return 0, errors.New("found no block of free ports")
}

// claimed keeps the listeners of freeBasePort from being collected as garbage, which would close them.
var claimed []net.Listener

// blockIsFree looks at the ports of a block that are not claimed.
func blockIsFree(base int) bool {
	for port := base; port < base+50; port++ {
		if port%10 == 9 {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}
