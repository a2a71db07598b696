package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/rpc"
)

// tetrad is a network of the binary: with four validators, or with one that three nodes follow.
type tetrad struct {
	lab     *lab
	passive bool
	name    chain

	clients *client.Client // over all nodes, for writes and local reads
	strong  *client.Strong // over all nodes; of four validators only
	active  atomic.Int32   // of one validator: who it is now
	direct  atomic.Pointer[client.Client]
	behind  atomic.Int64 // how many blocks the follower lacked that was promoted
}

const (
	tetradNodes = 4
	// benchSeed is what the keys of accounts for load tests are derived from, by `tetrad testnet` and here alike.
	benchSeed = "bench"

	portStep          = 10
	tetradRPC         = 1
	tetradAPI         = 2
	tetradPlane       = 3
	waitSlice         = time.Second
	readyPatience     = 40 * time.Second
	readyPollInterval = 100 * time.Millisecond
)

func newTetrad(l *lab, passive bool) *tetrad {
	return &tetrad{lab: l, passive: passive, name: chain{id: "failover"}}
}

func (t *tetrad) home(i int) string { return filepath.Join(t.lab.dir, "net", fmt.Sprintf("node%d", i)) }
func (t *tetrad) chain() chain      { return t.name }

// at is the address of one of a node's ports that clients use.
func (t *tetrad) at(i, port int) string {
	return fmt.Sprintf("%s:%d", t.lab.client(i), t.lab.plan.port+portStep*i+port)
}

func (t *tetrad) urls() (all []string) {
	for i := range tetradNodes {
		all = append(all, "http://"+t.at(i, tetradAPI))
	}
	return all
}

func (t *tetrad) start(ctx context.Context) error {
	if err := t.layOut(ctx); err != nil {
		return err
	}
	for i := range tetradNodes {
		if err := t.lab.spawn(i, t.lab.plan.tetrad, "start", "--home", t.home(i)); err != nil {
			return err
		}
	}
	for i := range tetradNodes {
		if err := t.awaitHeight(ctx, i, 3); err != nil {
			return err
		}
	}
	return t.connect()
}

// connect makes the clients that the load uses.
func (t *tetrad) connect() error {
	var err error
	options := client.Options{Endpoints: t.urls(), Probe: true}
	if t.clients, err = client.New(options); err != nil {
		return err
	}
	if t.passive {
		return t.pointAt(0)
	}
	t.strong, err = client.NewStrong(client.StrongOptions{VerifiedOptions: client.VerifiedOptions{
		Options: options, ChainID: t.name.id, GenesisHash: t.name.genesis,
	}})
	return err
}

// pointAt says which node is the active one.
func (t *tetrad) pointAt(i int) error {
	c, err := client.New(client.Options{Endpoints: []string{"http://" + t.at(i, tetradAPI)}, Timeout: time.Second})
	if err != nil {
		return err
	}
	t.active.Store(int32(i))
	t.direct.Store(c)
	return nil
}

// layOut writes the homes of all nodes, with addresses as the wires have them and with one validator or four.
func (t *tetrad) layOut(ctx context.Context) error {
	net := filepath.Join(t.lab.dir, "net")
	out, err := exec.CommandContext(ctx, t.lab.plan.tetrad, "testnet", "--output-dir", net, "--validators", strconv.Itoa(tetradNodes),
		"--base-port", strconv.Itoa(t.lab.plan.port), "--chain-id", t.name.id, "--bench-accounts", strconv.Itoa(payers)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("testnet: %w: %s", err, out)
	}
	document, err := t.genesis(filepath.Join(t.home(0), "config", "genesis.json"))
	if err != nil {
		return err
	}
	was, err := os.ReadFile(filepath.Join(t.home(0), "config", "genesis.json"))
	if err != nil {
		return err
	}
	t.name.genesis = crypto.Sum(document)
	for i := range tetradNodes {
		if err := os.WriteFile(filepath.Join(t.home(i), "config", "genesis.json"), document, 0o644); err != nil {
			return err
		}
		for _, name := range []string{"config.toml", "app.toml"} {
			if err := rewrite(filepath.Join(t.home(i), "config", name), func(text string) string { return t.readdress(text, i) }); err != nil {
				return err
			}
		}
	}
	return rewrite(filepath.Join(net, "client", "config", "client.toml"), func(text string) string {
		text = strings.ReplaceAll(text, crypto.Sum(was).String(), t.name.genesis.String())
		for i := range tetradNodes {
			text = strings.ReplaceAll(text, t.local(i, tetradAPI), t.at(i, tetradAPI))
		}
		return text
	})
}

// local is what `tetrad testnet` writes for one of a node's ports.
func (t *tetrad) local(i, port int) string {
	return fmt.Sprintf("127.0.0.1:%d", t.lab.plan.port+portStep*i+port)
}

// readdress puts the wires' addresses into a file of node i.
func (t *tetrad) readdress(text string, i int) string {
	for j := range tetradNodes {
		old := t.local(j, 0)
		to := fmt.Sprintf("%s:%d", t.lab.peer(j), t.lab.plan.port+portStep*j)
		text = strings.ReplaceAll(strings.ReplaceAll(text, "@"+old, "@"+to), `"tcp://`+old+`"`, `"tcp://`+to+`"`)
	}
	for _, port := range []int{tetradRPC, tetradAPI} {
		text = strings.ReplaceAll(text, t.local(i, port), t.at(i, port))
	}
	plane := fmt.Sprintf("%s:%d", t.lab.peer(i), t.lab.plan.port+portStep*i+tetradPlane)
	return strings.ReplaceAll(text, t.local(i, tetradPlane), plane)
}

func rewrite(path string, change func(string) string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(change(string(text))), 0o600)
}

// genesis makes the document anew, with the validators there are to be and their addresses.
func (t *tetrad) genesis(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d, err := genesis.Parse(text)
	if err != nil {
		return nil, err
	}
	if t.passive {
		d.Validators = d.Validators[:1]
	}
	for i := range d.Validators {
		n := &d.Validators[i].Node
		n.URLs = []string{"http://" + t.at(i, tetradAPI)}
		n.Plane = fmt.Sprintf("/ip4/%s/tcp/%d", t.lab.peer(i), t.lab.plan.port+portStep*i+tetradPlane)
	}
	return genesis.Build(genesis.Spec{
		ChainID: d.ChainID, Time: time.UnixMilli(int64(d.TimeMS)), Validators: d.Validators, Assets: d.Assets, Accounts: d.Accounts,
		Bench: d.Bench, Params: &d.Params, Consensus: &d.Consensus,
	})
}

// quick is for questions that are asked again if there is no answer.
var quick = &http.Client{Timeout: 500 * time.Millisecond}

// getJSON asks a node and decodes what it says.
func getJSON(ctx context.Context, url string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := quick.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(out)
}

func (t *tetrad) status(ctx context.Context, i int) (s rpc.Status, err error) {
	return s, getJSON(ctx, "http://"+t.at(i, tetradAPI)+rpc.PathStatus, &s)
}

// awaitHeight waits until a node has a block of that height.
func (t *tetrad) awaitHeight(ctx context.Context, i int, height uint64) error {
	var last error
	for deadline := time.Now().Add(readyPatience); time.Now().Before(deadline); {
		s, err := t.status(ctx, i)
		if err == nil && s.Height >= height {
			return nil
		}
		if last = err; err == nil {
			last = fmt.Errorf("it is at height %d", s.Height)
		}
		if !sleep(ctx, readyPollInterval) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("node %d is not at height %d after %v: %w", i, height, readyPatience, last)
}

// leader is the active node, or the proposer that CometBFT names: proposers take turns, so it may be another one by
// the time the fault hits.
func (t *tetrad) leader(ctx context.Context) (int, error) {
	if t.passive {
		return int(t.active.Load()), nil
	}
	var state struct {
		Result struct {
			RoundState struct {
				Proposer struct{ Address string }
			} `json:"round_state"`
		}
	}
	var err error
	for i := range 2 * tetradNodes { // a busy node may not answer in time
		if err = getJSON(ctx, "http://"+t.at(i%tetradNodes, tetradRPC)+"/consensus_state", &state); err == nil {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	for i := range tetradNodes {
		var key struct{ Address string }
		text, err := os.ReadFile(filepath.Join(t.home(i), "config", "priv_validator_key.json"))
		if err != nil {
			return 0, err
		}
		if err := json.Unmarshal(text, &key); err != nil {
			return 0, err
		}
		if key.Address == state.Result.RoundState.Proposer.Address {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no node has the proposer's key, %q", state.Result.RoundState.Proposer.Address)
}

// revive starts a killed node again. The one that an operator fenced stays dead: it must never sign again.
func (t *tetrad) revive(i int) error {
	if t.passive && i == 0 {
		return nil
	}
	return t.lab.again(i)
}

// write submits and waits, through whichever nodes the client chooses of four validators, or through the active one. A
// follower would pass a write on, but it has nobody to pass it to when that matters.
func (t *tetrad) write(ctx context.Context, r request) error {
	for {
		by := t.clients
		if t.passive {
			by = t.direct.Load() // another one after a promotion
		}
		_, err := by.Submit(ctx, r.tx.Raw)
		var refused *rpc.Error
		switch {
		case errors.As(err, &refused) && !refused.Retryable:
			return err
		case err == nil || errors.Is(err, client.ErrUnknownOutcome):
			// Of one node, waiting is cut into slices: it may be another one's turn meanwhile.
			slice, cancel := context.WithTimeout(ctx, waitSlice)
			if !t.passive {
				slice = ctx
			}
			status, waited := by.WaitCommitted(slice, r.tx)
			cancel()
			if waited == nil && status.Status == rpc.StatusCommitted {
				t.saw(ctx)
				return nil
			}
			if err = waited; err == nil {
				return fmt.Errorf("it ended as %s", status.Status)
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return err
		}
	}
}

// saw tells the client of local reads how far the active node is, so that what was written is in its session, too.
func (t *tetrad) saw(ctx context.Context) {
	if t.passive {
		_, _ = t.clients.StatusOf(ctx, "http://"+t.at(int(t.active.Load()), tetradAPI)) // without it a read may be stale, and is counted
	}
}

func (t *tetrad) read(ctx context.Context, k kind, r request) (uint64, error) {
	for {
		amount, err := t.readOnce(ctx, k, r)
		if err == nil || !sleep(ctx, 50*time.Millisecond) {
			return amount, err
		}
	}
}

func (t *tetrad) readOnce(ctx context.Context, k kind, r request) (uint64, error) {
	switch {
	case k == local:
		return cents(t.clients.Balance(ctx, r.to.String(), genesis.DevAsset, client.ReadOptions{}))
	case t.passive:
		return cents(t.direct.Load().Balance(ctx, r.to.String(), genesis.DevAsset, client.ReadOptions{}))
	}
	return cents(t.strong.Balance(ctx, r.to.String(), genesis.DevAsset, client.ReadOptions{}))
}

// inspect believes the active node, or all validators.
func (t *tetrad) inspect(ctx context.Context, r request) (uint64, error) {
	return t.readOnce(ctx, strong, r)
}

// cents is an amount in the smallest units.
func cents(b rpc.Balance, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.ReplaceAll(b.Amount, ".", ""), 10, 64)
}

// riches are the amounts in an answer.
var riches = regexp.MustCompile(`("(?:amount|available)": ?")[0-9.,]+"`)

func (t *tetrad) lie(answer []byte) []byte { return riches.ReplaceAll(answer, []byte(`${1}7.77"`)) }

func (t *tetrad) close() {
	if t.strong != nil {
		_ = t.strong.Close()
	}
}
