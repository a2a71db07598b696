package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// wires are what nodes talk to each other over, and what clients reach them by.
type wires interface {
	// peer and client are the addresses of node i, for other nodes and for clients.
	peer(i int) string
	client(i int) string
	// command starts a program where node i lives.
	command(i int) []string
	// cut separates a node from all other nodes and from no client; heal undoes it.
	cut(i int) error
	heal(i int) error
	// bytes is what the nodes have sent to each other so far; ok is false where nobody can tell.
	bytes() (sent int64, ok bool)
	close()
}

// newWires lays namespaces where this user can have them. why says why partitions are not possible otherwise.
func newWires(n int) (w wires, why string) {
	spaces, err := newNamespaces(n)
	if err == nil {
		return spaces, ""
	}
	return loopback{}, err.Error()
}

// loopback is for who may not have namespaces: all nodes share one interface.
type loopback struct{}

func (loopback) peer(int) string      { return "127.0.0.1" }
func (loopback) client(int) string    { return "127.0.0.1" }
func (loopback) command(int) []string { return nil }
func (loopback) cut(int) error        { return fmt.Errorf("nodes on one loopback interface cannot be cut") }
func (loopback) heal(int) error       { return nil }
func (loopback) bytes() (int64, bool) { return 0, false }
func (loopback) close()               {}

// namespaces gives each node a network namespace with two interfaces. One leads to a bridge in a namespace of its own
// and is for peers; the other leads to this process and is for clients. A node is cut off by moving its port to another
// bridge: what it sends is lost without a word, as on a network that is broken somewhere else.
type namespaces struct {
	name string
	n    int
}

func newNamespaces(n int) (*namespaces, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("namespaces take root")
	}
	sweep()
	laid++
	w := &namespaces{name: fmt.Sprintf("fo%dx%d", os.Getpid(), laid), n: n} // an interface's name has 15 characters at most
	if err := w.lay(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// sweep removes what a process of this program left that was killed: its addresses would be in the way.
func sweep() {
	left, _ := filepath.Glob("/var/run/netns/fo*x*-n*") // the pattern is a right one
	for _, path := range left {
		var pid int
		name := filepath.Base(path)
		if n, _ := fmt.Sscanf(name, "fo%dx", &pid); n != 1 || pid == os.Getpid() {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); os.IsNotExist(err) {
			_ = ip("netns", "del", name)
		}
	}
}

// laid counts the networks of this process. They are made one after another.
var laid int

// hub is the number of the namespace with the bridges.
const hub = -1

func (w *namespaces) lay() error {
	for i := hub; i < w.n; i++ {
		if err := ip("netns", "add", w.space(i)); err != nil {
			return err
		}
	}
	// Bridge 0 is the network; bridge i+1 is where node i is alone.
	for b := range w.n + 1 {
		if err := w.in(hub, "link", "add", bridge(b), "type", "bridge"); err != nil {
			return err
		}
		if err := w.in(hub, "link", "set", bridge(b), "up"); err != nil {
			return err
		}
	}
	for i := range w.n {
		if err := w.connect(i); err != nil {
			return err
		}
	}
	return nil
}

// connect gives node i its interfaces: e0 for peers and c0 for clients.
func (w *namespaces) connect(i int) error {
	outside := fmt.Sprintf("%s-%d", w.name, i)
	for _, step := range [][]string{
		{"-n", w.space(hub), "link", "add", port(i), "type", "veth", "peer", "name", "e0", "netns", w.space(i)},
		{"-n", w.space(hub), "link", "set", port(i), "master", bridge(0), "up"},
		{"-n", w.space(i), "addr", "add", w.peer(i) + "/24", "dev", "e0"},
		{"-n", w.space(i), "link", "set", "e0", "up"},
		{"-n", w.space(i), "link", "set", "lo", "up"},
		{"link", "add", outside, "type", "veth", "peer", "name", "c0", "netns", w.space(i)},
		{"addr", "add", fmt.Sprintf("10.214.%d.1/30", clientNet+i), "dev", outside},
		{"link", "set", outside, "up"},
		{"-n", w.space(i), "addr", "add", w.client(i) + "/30", "dev", "c0"},
		{"-n", w.space(i), "link", "set", "c0", "up"},
	} {
		if err := ip(step...); err != nil {
			return err
		}
	}
	return nil
}

// clientNet is the first of the small networks between this process and a node.
const clientNet = 100

func (w *namespaces) space(i int) string { return fmt.Sprintf("%s-n%d", w.name, i+1) }
func bridge(b int) string                { return fmt.Sprintf("br%d", b) }
func port(i int) string                  { return fmt.Sprintf("p%d", i) }

func (w *namespaces) peer(i int) string      { return fmt.Sprintf("10.213.9.%d", i+1) }
func (w *namespaces) client(i int) string    { return fmt.Sprintf("10.214.%d.2", clientNet+i) }
func (w *namespaces) command(i int) []string { return []string{"ip", "netns", "exec", w.space(i)} }

func (w *namespaces) cut(i int) error {
	return w.in(hub, "link", "set", port(i), "master", bridge(i+1))
}

func (w *namespaces) heal(i int) error {
	return w.in(hub, "link", "set", port(i), "master", bridge(0))
}

// bytes adds up what went out of the peers' interfaces, headers of all layers included.
func (w *namespaces) bytes() (int64, bool) {
	var sum int64
	for i := range w.n {
		out, err := exec.Command("ip", "netns", "exec", w.space(i), "cat", "/sys/class/net/e0/statistics/tx_bytes").Output()
		if err != nil {
			return 0, false
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			return 0, false
		}
		sum += n
	}
	return sum, true
}

// close removes the namespaces, and with them the interfaces.
func (w *namespaces) close() {
	for i := range w.n {
		_ = ip("link", "del", fmt.Sprintf("%s-%d", w.name, i))
	}
	for i := hub; i < w.n; i++ {
		if _, err := os.Stat(filepath.Join("/var/run/netns", w.space(i))); err == nil {
			_ = ip("netns", "del", w.space(i))
		}
	}
}

func (w *namespaces) in(i int, args ...string) error {
	return ip(append([]string{"-n", w.space(i)}, args...)...)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
