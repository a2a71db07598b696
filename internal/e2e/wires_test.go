package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// wires are what validators talk to each other over, so that a test can cut them. What the test itself asks goes
// another way and is never cut.
type wires interface {
	// address is where validator i reaches the peer port of validator j, and listen where j listens.
	address(i, j int) string
	listen(j int) string
	// command starts a program where validator i lives.
	command(i int) []string
	// dial connects to a port of validator i on its loopback interface.
	dial(ctx context.Context, i int, address string) (net.Conn, error)
	// split leaves only those connected that are in the same group; heal connects all.
	split(groups ...[]int)
	heal()
}

// newWires lays namespaces of the network where this machine and this user can have them, and wires through the test
// process everywhere else: packets that are lost are the real thing, bytes that are held back come close.
func newWires(t *testing.T, n, base int) wires {
	t.Helper()
	if os.Getenv("TETRAD_WIRES") == "process" {
		return newHeldWires(t, n, base)
	}
	w, err := newNamespaces(t, n, base)
	if err != nil {
		t.Logf("no network namespaces on this machine, connections are cut in the test process instead: %v", err)
		return newHeldWires(t, n, base)
	}
	return w
}

// namespaces gives each validator a network namespace of its own. In one more there are bridges, one for each side of
// a cut; a validator changes sides by its cable being put into another bridge.
type namespaces struct {
	t    *testing.T
	name string
	n    int
	base int
}

func newNamespaces(t *testing.T, n, base int) (*namespaces, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("it takes root")
	}
	w := &namespaces{t: t, name: fmt.Sprintf("tetrad-e2e-%d-%d", os.Getpid(), base), n: n, base: base}
	t.Cleanup(func() {
		for i := -1; i < n; i++ {
			_ = exec.Command("ip", "netns", "del", w.space(i)).Run() // one that was never made is not there
		}
	})
	for i := -1; i < n; i++ {
		if err := w.ip("netns", "add", w.space(i)); err != nil {
			return nil, err
		}
	}
	for side := range n {
		for _, args := range [][]string{{"add", w.bridge(side), "type", "bridge"}, {"set", w.bridge(side), "up"}} {
			if err := w.in(-1, append([]string{"link"}, args...)...); err != nil {
				return nil, err
			}
		}
	}
	for i := range n {
		port := fmt.Sprintf("p%d", i)
		for _, step := range []error{
			w.in(-1, "link", "add", port, "type", "veth", "peer", "name", "e0", "netns", w.space(i)),
			w.in(-1, "link", "set", port, "master", w.bridge(0), "up"),
			w.in(i, "addr", "add", w.host(i)+"/24", "dev", "e0"),
			w.in(i, "link", "set", "e0", "up"),
			w.in(i, "link", "set", "lo", "up"),
		} {
			if step != nil {
				return nil, step
			}
		}
	}
	return w, nil
}

func (w *namespaces) space(i int) string     { return fmt.Sprintf("%s-%d", w.name, i+1) }
func (w *namespaces) bridge(side int) string { return fmt.Sprintf("br%d", side) }
func (w *namespaces) host(i int) string      { return fmt.Sprintf("10.213.7.%d", i+1) }

// ip runs the command of that name; in does so in the namespace of a validator, or that of the bridges.
func (w *namespaces) ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (w *namespaces) in(i int, args ...string) error {
	return w.ip(append([]string{"-n", w.space(i)}, args...)...)
}

func (w *namespaces) listen(j int) string     { return fmt.Sprintf("%s:%d", w.host(j), w.base+10*j) }
func (w *namespaces) address(_, j int) string { return w.listen(j) }
func (w *namespaces) command(i int) []string  { return []string{"ip", "netns", "exec", w.space(i)} }

// dial opens a connection from a thread that moves into the namespace and back. It must not end instead: the kernel kills
// a validator when the thread that started it ends.
func (w *namespaces) dial(ctx context.Context, i int, address string) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()
	space, err := os.Open(filepath.Join("/var/run/netns", w.space(i)))
	if err != nil {
		return nil, err
	}
	defer space.Close()
	if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic("a thread is lost in another namespace: " + err.Error())
		}
	}()
	return (&net.Dialer{}).DialContext(ctx, "tcp4", address)
}

func (w *namespaces) split(groups ...[]int) {
	w.t.Helper()
	for side, group := range groups {
		for _, i := range group {
			if err := w.in(-1, "link", "set", fmt.Sprintf("p%d", i), "master", w.bridge(side)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *namespaces) heal() {
	w.t.Helper()
	for i := range w.n {
		w.split([]int{i})
	}
}

// heldWires leads each connection between validators through this process, which holds back what is sent over a cut: the
// bytes, that a connection was closed, and new connections. Like over a network that loses packets, either side learns
// of nothing before the cut is healed.
type heldWires struct {
	base  int
	wires map[[2]int]net.Listener

	mu     sync.Mutex // guards what follows
	healed *sync.Cond
	side   []int
	over   bool
}

func newHeldWires(t *testing.T, n, base int) *heldWires {
	w := &heldWires{base: base, wires: map[[2]int]net.Listener{}, side: make([]int, n)}
	w.healed = sync.NewCond(&w.mu)
	t.Cleanup(func() {
		w.mu.Lock()
		w.over = true
		w.mu.Unlock()
		w.healed.Broadcast()
		for _, l := range w.wires {
			l.Close()
		}
	})
	for i := range n {
		for j := range n {
			if i == j {
				continue
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			w.wires[[2]int{i, j}] = l
			go w.accept(l, i, j)
		}
	}
	return w
}

func (w *heldWires) accept(l net.Listener, i, j int) {
	for {
		near, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		go func() {
			defer near.Close()
			if !w.pass(i, j) {
				return
			}
			far, err := net.Dial("tcp", w.listen(j))
			if err != nil {
				return
			}
			defer far.Close()
			ended := make(chan struct{}, 2)
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					w.carry(way[0], way[1], i, j)
					ended <- struct{}{}
				}()
			}
			<-ended // one way has ended, and the other is no use without it
		}()
	}
}

// carry copies what comes, as long as the two are on one side, and returns when there is no more.
func (w *heldWires) carry(from io.Reader, to io.Writer, i, j int) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !w.pass(i, j) {
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until two validators are on one side; false when the test is over.
func (w *heldWires) pass(i, j int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.side[i] != w.side[j] && !w.over {
		w.healed.Wait()
	}
	return !w.over
}

func (w *heldWires) listen(j int) string     { return fmt.Sprintf("127.0.0.1:%d", w.base+10*j) }
func (w *heldWires) address(i, j int) string { return w.wires[[2]int{i, j}].Addr().String() }
func (w *heldWires) command(int) []string    { return nil }

func (w *heldWires) dial(ctx context.Context, _ int, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp4", address)
}

func (w *heldWires) split(groups ...[]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for side, group := range groups {
		for _, i := range group {
			w.side[i] = side
		}
	}
}

func (w *heldWires) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.side)
	w.healed.Broadcast()
}

// lay leads what validators say to each other over the wires: it changes the addresses in their homes.
func (n *network) lay(w wires) {
	n.t.Helper()
	n.wires = w
	for i, p := range n.nodes {
		path := filepath.Join(p.home, "config", "config.toml")
		data, err := os.ReadFile(path)
		if err != nil {
			n.t.Fatal(err)
		}
		text := string(data)
		for j := range n.nodes {
			old, to := fmt.Sprintf("127.0.0.1:%d", n.base+10*j), w.listen(j)
			if i != j {
				to = w.address(i, j)
			}
			if !strings.Contains(text, `"tcp://`+old+`"`) && !strings.Contains(text, "@"+old) {
				n.t.Fatalf("%s does not name %s", path, old)
			}
			text = strings.ReplaceAll(strings.ReplaceAll(text, `"tcp://`+old+`"`, `"tcp://`+to+`"`), "@"+old, "@"+to)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			n.t.Fatal(err)
		}
		p.command = append(w.command(i), p.command...)
	}
}

// through connects to a port of a validator, where it lives.
func (n *network) through(ctx context.Context, _, address string) (net.Conn, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	return n.wires.dial(ctx, (port-n.base)/10, address)
}
