package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/node"
	"github.com/tetradledger/tetrad/rpc"
)

func newDev(c *cli) *cobra.Command {
	var spec node.TestnetSpec
	var benchAccounts int
	var reset, quiet bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a network of validators on this machine until Ctrl-C",
		Long: `Run a network of validators on this machine, one process each, until Ctrl-C. The network is kept in
DIR with --home DIR, else in ~/.tetrad/dev, and goes on from there the next time; --reset begins anew.

Kill one validator (its process id is printed) and watch: the others go on.`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec.Dir = filepath.Join(c.home, "dev")
			if cmd.Flags().Changed("home") {
				spec.Dir = c.home
			}
			if err := setBenchAccounts(&spec, benchAccounts); err != nil {
				return err
			}
			d := &devNetwork{cli: c, spec: spec, quiet: quiet || c.output == "json"}
			if err := d.prepare(reset); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	addTestnetFlags(cmd, &spec, &benchAccounts)
	cmd.Flags().BoolVar(&reset, "reset", false, "throw the network in DIR away and begin anew")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but what goes wrong")
	return cmd
}

// devNetwork is a network of child processes.
type devNetwork struct {
	cli   *cli
	spec  node.TestnetSpec
	quiet bool

	nodes    []node.TestnetNode
	api      *client.Client // to all of them
	children []*child
}

// prepare finds the network in the directory, or makes one. Everything that can be known to fail is found
// before a process is started.
func (d *devNetwork) prepare(reset bool) error {
	there, err := fileExists(filepath.Join(d.spec.Dir, "node0", "config", node.AppFile))
	if err != nil {
		return err
	}
	if there && reset {
		if err := removeNetwork(d.spec.Dir); err != nil {
			return err
		}
		there = false
	}
	if !there {
		if _, err := node.Testnet(d.spec); err != nil {
			return err
		}
	}
	if d.nodes, err = node.ReadTestnet(d.spec.Dir); err != nil {
		return badConfig(err)
	}
	if err := d.checkDocument(); err != nil {
		return err
	}
	if err := d.checkAsked(); err != nil {
		return err
	}
	endpoints := make([]string, len(d.nodes))
	for i, n := range d.nodes {
		endpoints[i] = n.API
	}
	d.api, err = client.New(client.Options{Endpoints: endpoints, Timeout: time.Second, Consistency: rpc.ConsistencyEventual})
	if err != nil {
		return err
	}
	return checkPorts(d.nodes)
}

// removeNetwork throws a network away, and nothing else that may be in its directory: --home might be
// anything.
func removeNetwork(dir string) error {
	homes, err := filepath.Glob(filepath.Join(dir, "node[0-9]*"))
	if err != nil {
		return fmt.Errorf("look for the old network: %w", err)
	}
	for _, home := range append(homes, filepath.Join(dir, "client")) {
		if err := os.RemoveAll(home); err != nil {
			return fmt.Errorf("throw the old network away: %w", err)
		}
	}
	return nil
}

// checkDocument finds a network that another version of the program began before its validators do, each for itself.
func (d *devNetwork) checkDocument() error {
	path := filepath.Join(d.nodes[0].Home, "config", "genesis.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the genesis document: %w", err)
	}
	doc, err := genesis.Parse(data)
	if err == nil {
		err = doc.Validate()
	}
	if err != nil {
		return badGenesis(path, err).next("--reset begins anew, or choose another --home")
	}
	return nil
}

// checkAsked refuses flags that an existing network contradicts: ignoring them would surprise.
func (d *devNetwork) checkAsked() error {
	flags := d.cli.command.Flags()
	if flags.Changed("validators") && d.spec.Validators != len(d.nodes) {
		return usagef("the network in %s has %d validators, not %d", d.spec.Dir, len(d.nodes), d.spec.Validators).
			next("--reset begins anew, or choose another --home")
	}
	if flags.Changed("base-port") && d.spec.BasePort != d.nodes[0].BasePort {
		return usagef("the network in %s uses base port %d, not %d", d.spec.Dir, d.nodes[0].BasePort, d.spec.BasePort).
			next("--reset begins anew, or choose another --home")
	}
	return nil
}

// portNames are a node's ports from its base port on.
var portNames = []string{"p2p", "CometBFT RPC", "HTTP API", "app plane", "metrics"}

// checkPorts finds taken ports before anything is started, because a validator that cannot listen would
// only be seen as one that died.
func checkPorts(nodes []node.TestnetNode) error {
	for _, n := range nodes {
		for i, use := range portNames {
			address := fmt.Sprintf("127.0.0.1:%d", n.BasePort+i)
			listener, err := net.Listen("tcp", address)
			if errors.Is(err, syscall.EADDRINUSE) {
				return portTaken(n, n.BasePort+i, use)
			}
			if err != nil {
				return fmt.Errorf("listen on %s for %s of %s: %w", address, use, n.Moniker, err)
			}
			if err := listener.Close(); err != nil {
				return fmt.Errorf("close %s again: %w", address, err)
			}
		}
	}
	return nil
}

func portTaken(n node.TestnetNode, port int, use string) *failure {
	f := &failure{
		exit: exitError, slug: "port_taken", class: "client",
		message: fmt.Sprintf("port %d is taken, and %s needs it for its %s", port, n.Moniker, use),
	}
	return f.next("is this network running already? Else stop what uses the port, or choose others with --base-port and --reset")
}

// run keeps the network going until the context ends.
func (d *devNetwork) run(ctx context.Context) error {
	// The kernel ties a child to the thread that made it, so this one must stay.
	runtime.LockOSThread()
	defer func() {
		if killed := stopChildren(d.children); len(killed) > 0 {
			d.cli.note("tetrad: had to be killed: %s", strings.Join(killed, ", "))
		}
	}()
	died := make(chan *child)
	for _, n := range d.nodes {
		ch, err := startChild(n.Moniker, n.Home, d.childFlags()...)
		if err != nil {
			return err
		}
		d.children = append(d.children, ch)
		go func() {
			<-ch.exited
			select {
			case died <- ch:
			case <-ctx.Done():
			}
		}()
	}
	if err := d.awaitFirstBlock(ctx, died); err != nil || ctx.Err() != nil {
		return err
	}
	d.vouch(ctx)
	if err := d.banner(); err != nil {
		return err
	}
	return d.watch(ctx, died)
}

// childFlags pass our own log settings on.
func (d *devNetwork) childFlags() []string {
	var args []string
	for _, name := range []string{"log-level", "log-format"} {
		if d.cli.command.Flags().Changed(name) {
			args = append(args, "--"+name, d.cli.command.Flags().Lookup(name).Value.String())
		}
	}
	return args
}

// readyPoll is how often a starting network is asked whether it has a block.
const readyPoll = 50 * time.Millisecond

// awaitFirstBlock returns when the network commits blocks, or fails when it cannot any more.
func (d *devNetwork) awaitFirstBlock(ctx context.Context, died <-chan *child) error {
	if !d.quiet {
		d.cli.note("starting %d validators in %s", len(d.nodes), d.spec.Dir)
	}
	start, lost := uint64(0), 0
	for {
		select {
		case ch := <-died:
			d.reportDeath(ch)
			if lost++; !hasQuorum(len(d.nodes)-lost, len(d.nodes)) {
				return errors.New("too few validators are left to agree on a block")
			}
		case <-ctx.Done():
			return nil
		case <-time.After(readyPoll):
		}
		status, err := d.api.Status(ctx)
		switch {
		case err != nil || status.CatchingUp:
		case start == 0 && status.Height > 0:
			start = status.Height // of the run before, perhaps: ready means a new one
			if status.Height == 1 {
				return nil
			}
		case status.Height > start:
			return nil
		}
	}
}

// vouch gives the client home a header of now to begin verification with. What the genesis document vouches for
// ends a day after it was written, and a network that was kept may be older; but these are our own processes, which
// nobody has to prove anything to us. If it fails, queries say what they lack.
func (d *devNetwork) vouch(ctx context.Context) {
	if err := d.trustOurselves(ctx); err != nil && ctx.Err() == nil {
		d.cli.note("no new trusted header was given to the client home: %v", err)
	}
}

func (d *devNetwork) trustOurselves(ctx context.Context) error {
	h := &clientHome{dir: filepath.Join(d.spec.Dir, "client"), found: true}
	if err := h.read(); err != nil {
		return err
	}
	genesis, err := crypto.ParseHash(h.settings.GenesisHash)
	if err != nil {
		return badConfig(err)
	}
	ctx, cancel := d.cli.deadline(ctx)
	defer cancel()
	for {
		_, err = client.TrustNodes(ctx, client.VerifiedOptions{
			Options: client.Options{Endpoints: d.api.Endpoints()}, ChainID: h.settings.ChainID, GenesisHash: genesis, Home: h.path("light"),
		})
		if err == nil {
			return nil
		}
		select { // the first block is as old as the genesis document, and a node may not have the newest header yet
		case <-time.After(readyPoll):
		case <-ctx.Done():
			return err
		}
	}
}

// hasQuorum tells whether more than two thirds are there.
func hasQuorum(there, all int) bool { return 3*there > 2*all }

// watch reports validators that die until the context ends. The rest goes on, which is the point of it.
func (d *devNetwork) watch(ctx context.Context, died <-chan *child) error {
	lost := 0
	renew := time.NewTicker(client.TrustRenewAfter)
	defer renew.Stop()
	for {
		select {
		case <-ctx.Done():
			if !d.quiet {
				d.cli.note("stopping")
			}
			return nil
		case <-renew.C:
			d.vouch(ctx)
			continue
		case ch := <-died:
			d.reportDeath(ch)
			lost++
		}
		if lost < len(d.children) {
			continue
		}
		// All of ours are gone; the user may have started some again by hand.
		if _, err := d.api.Status(ctx); err != nil && ctx.Err() == nil {
			return errors.New("no validator is left")
		}
	}
}

func (d *devNetwork) reportDeath(ch *child) {
	d.cli.note("%s %s", ch.moniker, ch.end())
	if ch.failed() {
		for _, line := range lastWords(logPath(ch.home), 5) {
			d.cli.note("  | %s", line)
		}
	}
	d.cli.note("  start it again with: %s", d.command("start --home "+ch.home))
}

// command is a command line as this user would type it.
func (d *devNetwork) command(rest string) string { return os.Args[0] + " " + rest }

// banner says what there is and what to try. It comes last, so that it does not scroll away.
func (d *devNetwork) banner() error {
	document, err := describeNetwork(d.spec.Dir, d.nodes)
	if err != nil {
		return err
	}
	if d.cli.output != "json" && d.quiet {
		return nil
	}
	return d.cli.show(document, func(w io.Writer) {
		writeNetwork(w, document)
		fmt.Fprintln(w)
		g := newGrid("process", "pid", "log").right(1)
		for _, ch := range d.children {
			g.add(ch.moniker, fmt.Sprint(ch.process.Process.Pid), logPath(ch.home))
		}
		g.write(w)
		fmt.Fprintf(w, "\nAPI documentation: %s/docs\n", d.nodes[0].API)
		fmt.Fprintln(w, "\nTry in another terminal:")
		for _, line := range d.suggestions() {
			fmt.Fprintf(w, "  %s\n", line)
		}
		fmt.Fprintln(w, "\nCtrl-C stops the network.")
	})
}

// suggestions are three commands to try; --home is named only if the default would not find the network.
func (d *devNetwork) suggestions() []string {
	home := ""
	if base, err := resolveHome(os.Getenv("TETRAD_HOME")); err != nil || filepath.Join(base, "dev") != d.spec.Dir {
		home = " --home " + filepath.Join(d.spec.Dir, "client")
	}
	return []string{
		d.command("tx transfer bob 12.50usd --from alice" + home),
		d.command("query balance bob usd" + home),
		d.command("status --all" + home),
	}
}

// operatorKey is the name of a key that operates a validator, and holds nothing.
var operatorKey = regexp.MustCompile(`^operator[0-9]+$`)

// fundedAccounts lists the keys of a client home but those of operators.
func fundedAccounts(h *clientHome) ([]keyDocument, error) {
	ring, err := crypto.OpenKeyring(h.path("keys"), crypto.KindTest)
	if err != nil {
		return nil, err
	}
	list, err := ring.List()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	documents := make([]keyDocument, 0, len(list))
	for _, info := range list {
		if !operatorKey.MatchString(info.Name) {
			documents = append(documents, documentOf(info))
		}
	}
	return documents, nil
}
