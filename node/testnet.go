package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// TestnetSpec describes a network of validators on this machine. Zero fields take the values in brackets.
type TestnetSpec struct {
	Dir        string   // must not exist, or be empty
	Validators int      // [4]
	BasePort   int      // of the first validator; the next ones follow in steps of PortStep [26656]
	ChainID    string   // ["tetrad-" and the time]
	Accounts   []string // funded accounts with development keys [alice, bob, carol, dave]
	Bench      []genesis.Bench
	Profile    string // [lan]
	// Regions are those of the validators, one for each, or none.
	Regions []string
	LibP2P  bool // the transport to begin with
	Time    time.Time
}

// TestnetNode is one validator of a testnet that was written.
type TestnetNode struct {
	Identity
	Home     string
	Moniker  string
	BasePort int
	API      string // http://127.0.0.1:port
}

// TestnetLayout says what Testnet wrote and where.
type TestnetLayout struct {
	Nodes       []TestnetNode
	ClientHome  string
	ChainID     string
	GenesisHash crypto.Hash
	Accounts    []string
}

// testnetMax keeps ports and memory of one machine in sight.
const testnetMax = 100

// Testnet writes the homes of a network's validators, node0 and so on, and of a client that knows them. All
// keys of the accounts are development keys that anybody can compute: such a network guards nothing. Either
// everything is written or nothing: the network appears in Dir by renaming.
func Testnet(s TestnetSpec) (TestnetLayout, error) {
	s = s.withDefaults()
	if err := s.check(); err != nil {
		return TestnetLayout{}, err
	}
	if err := os.MkdirAll(filepath.Dir(s.Dir), 0o755); err != nil {
		return TestnetLayout{}, fmt.Errorf("make the directory above %s: %w", s.Dir, err)
	}
	draft, err := os.MkdirTemp(filepath.Dir(s.Dir), "."+filepath.Base(s.Dir)+"-*")
	if err != nil {
		return TestnetLayout{}, fmt.Errorf("make a directory: %w", err)
	}
	layout, err := s.write(draft)
	if err == nil {
		if err = os.Remove(s.Dir); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		err = errors.Join(err, os.Rename(draft, s.Dir))
	}
	if err != nil {
		return TestnetLayout{}, errors.Join(fmt.Errorf("write the network: %w", err), os.RemoveAll(draft))
	}
	return layout, nil
}

// ReadTestnet finds the validators of a directory that Testnet wrote, for starting it again.
func ReadTestnet(dir string) ([]TestnetNode, error) {
	var nodes []TestnetNode
	for i := range testnetMax {
		home := filepath.Join(dir, fmt.Sprintf("node%d", i))
		if _, err := os.Stat(filepath.Join(home, "config", AppFile)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		c, err := Load(home, nil)
		if err != nil {
			return nil, err
		}
		id, err := ReadIdentity(home)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, TestnetNode{
			Identity: id, Home: home, Moniker: c.Engine.Moniker, BasePort: c.basePort(), API: "http://" + c.API.Listen,
		})
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("%s holds no network: there is no %s", dir, filepath.Join(dir, "node0"))
	}
	return nodes, nil
}

func (s TestnetSpec) withDefaults() TestnetSpec {
	if s.Validators == 0 {
		s.Validators = 4
	}
	if s.BasePort == 0 {
		s.BasePort = BasePort
	}
	if s.Time.IsZero() {
		s.Time = time.Now().UTC().Truncate(time.Millisecond)
	}
	if s.ChainID == "" {
		s.ChainID = "tetrad-" + s.Time.Format("20060102-150405")
	}
	if s.Accounts == nil {
		s.Accounts = []string{"alice", "bob", "carol", "dave"}
	}
	if s.Profile == "" {
		s.Profile = ProfileLAN
	}
	return s
}

func (s TestnetSpec) check() error {
	if s.Dir == "" {
		return errors.New("a network needs a directory")
	}
	if s.Validators < 1 || s.Validators > testnetMax {
		return fmt.Errorf("%d validators: a network on one machine has 1 to %d", s.Validators, testnetMax)
	}
	if last := s.BasePort + (s.Validators-1)*PortStep + portsUsed - 1; s.BasePort < 1 || last > 65535 {
		return fmt.Errorf("base port %d: %d validators use ports up to %d, the last one there is is 65535", s.BasePort, s.Validators, last)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at %s: %w", s.Dir, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: a network of its own needs a directory of its own", s.Dir)
	}
	if len(s.Regions) > 0 && len(s.Regions) != s.Validators {
		return fmt.Errorf("%d regions for %d validators: name one for each", len(s.Regions), s.Validators)
	}
	for _, region := range s.Regions {
		if r := ledger.CheckRegion(region); r != nil {
			return errors.New(r.Detail)
		}
	}
	seen := map[string]bool{}
	for _, name := range s.Accounts {
		if err := crypto.CheckKeyName(name); err != nil {
			return fmt.Errorf("account: %w", err)
		}
		if seen[name] {
			return fmt.Errorf("account %s is named twice", name)
		}
		seen[name] = true
	}
	return nil
}

// member is a validator while its network is being written.
type member struct {
	node  TestnetNode
	files []file // its keys
}

// write makes everything below dir, and describes it as it will be below s.Dir.
func (s TestnetSpec) write(dir string) (TestnetLayout, error) {
	members, err := s.members()
	if err != nil {
		return TestnetLayout{}, err
	}
	document, err := s.genesis(members)
	if err != nil {
		return TestnetLayout{}, err
	}
	layout := TestnetLayout{
		ClientHome: filepath.Join(s.Dir, "client"), ChainID: s.ChainID, GenesisHash: crypto.Sum(document), Accounts: s.Accounts,
	}
	for i, m := range members {
		spec := InitSpec{
			Moniker: m.node.Moniker, BasePort: m.node.BasePort, Profile: s.Profile, LibP2P: s.LibP2P,
			Peers: peersOf(members, i),
		}
		files := append(m.files,
			file{"config/" + EngineFile, render(engineTemplate, spec), 0o644},
			file{"config/" + AppFile, render(appTemplate, spec), 0o644},
			file{"config/genesis.json", document, 0o644})
		if err := writeFiles(filepath.Join(dir, m.node.Moniker), files); err != nil {
			return TestnetLayout{}, err
		}
		layout.Nodes = append(layout.Nodes, m.node)
	}
	return layout, s.writeClient(filepath.Join(dir, "client"), layout)
}

// members makes the validators' keys and gives them their places.
func (s TestnetSpec) members() ([]member, error) {
	members := make([]member, s.Validators)
	for i := range members {
		files, id, err := newKeys()
		if err != nil {
			return nil, err
		}
		moniker, port := fmt.Sprintf("node%d", i), s.BasePort+i*PortStep
		members[i] = member{
			node: TestnetNode{
				Identity: id, Home: filepath.Join(s.Dir, moniker), Moniker: moniker, BasePort: port,
				API: "http://" + localAddress(port, portAPI),
			},
			files: files,
		}
	}
	return members, nil
}

func peersOf(members []member, self int) []Peer {
	var peers []Peer
	for i, m := range members {
		if i != self {
			peers = append(peers, Peer{m.node.Identity, localAddress(m.node.BasePort, portP2P)})
		}
	}
	return peers
}

// validatorPower is every testnet validator's; any equal figure would do.
const validatorPower = 10

func (s TestnetSpec) genesis(members []member) ([]byte, error) {
	var validators []genesis.Validator
	for i, m := range members {
		v := genesis.Validator{
			Name: m.node.Moniker, Key: m.node.Validator, Power: validatorPower,
			Operator: crypto.DevKey(operatorName(i)).Public().Address(),
			Node: genesis.Node{
				ServiceKey: m.node.Service.Bytes, URLs: []string{m.node.API},
				Plane: fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", m.node.BasePort+portPlane),
			},
		}
		if len(s.Regions) > 0 {
			v.Node.Region = s.Regions[i]
		}
		validators = append(validators, v)
	}
	spec := genesis.DevSpec(s.ChainID, s.Time, validators, s.Accounts...)
	spec.Bench = s.Bench
	document, err := genesis.Build(spec)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return document, nil
}

// operatorName is the name of the key that operates a testnet's validator.
func operatorName(i int) string { return fmt.Sprintf("operator%d", i) }

// writeClient makes a client's home with the keys of the funded accounts, of the issuer and of the operators.
func (s TestnetSpec) writeClient(dir string, layout TestnetLayout) error {
	ring, err := crypto.OpenKeyring(filepath.Join(dir, "keys"), crypto.KindTest)
	if err != nil {
		return fmt.Errorf("make the keyring: %w", err)
	}
	names := append([]string{genesis.DevIssuer}, s.Accounts...)
	for i := range layout.Nodes {
		names = append(names, operatorName(i))
	}
	added := map[string]bool{}
	for _, name := range names {
		if added[name] {
			continue
		}
		added[name] = true
		if _, err := ring.Add(name, crypto.DevKey(name), nil); err != nil {
			return fmt.Errorf("make the key of %s: %w", name, err)
		}
	}
	data := struct {
		ChainID, GenesisHash, DefaultKey string
		Endpoints                        []string
	}{ChainID: s.ChainID, GenesisHash: layout.GenesisHash.String()}
	if len(s.Accounts) > 0 {
		data.DefaultKey = s.Accounts[0]
	}
	for _, n := range layout.Nodes {
		data.Endpoints = append(data.Endpoints, n.API)
	}
	return writeFiles(dir, []file{{"config/client.toml", render(clientTemplate, data), 0o644}})
}

// basePort is the port of p2p.laddr, from which a testnet counts the others.
func (c Config) basePort() int {
	address, err := tcpAddress(c.Engine.P2P.ListenAddress)
	if err != nil {
		return 0 // Load refuses such a file
	}
	_, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text) // tcpAddress saw that it is a number
	return port
}
