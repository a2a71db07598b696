package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// InitSpec describes one node's home.
type InitSpec struct {
	Moniker  string
	BasePort int    // 0 means BasePort
	Profile  string // "" means lan
	LibP2P   bool   // the transport to begin with; both are configured
	ChainID  string // begins a genesis draft without validators or accounts; "" leaves the home without one
	Peers    []Peer // whom to connect to and let in; none for a node whose peers are not known yet
}

// A Peer is another node, as it stands in configuration files.
type Peer struct {
	Identity
	Address string // host:port of its p2p port
}

// homeFiles are what init writes below config/, in the order in which it looks for them.
var homeFiles = []string{"priv_validator_key.json", "node_key.json", ServiceKeyFile, EngineFile, AppFile, "genesis.json"}

// Init makes a node's home and says who that node is. It refuses a home that holds any of a node's files:
// overwriting a key would make a validator unable to vote, for good. When writing fails halfway, what was
// written is removed again.
func Init(home string, spec InitSpec) (Identity, error) {
	if spec.BasePort == 0 {
		spec.BasePort = BasePort
	}
	if spec.Profile == "" {
		spec.Profile = ProfileLAN
	}
	if err := spec.check(); err != nil {
		return Identity{}, err
	}
	for _, name := range homeFiles {
		path := filepath.Join(home, "config", name)
		if _, err := os.Lstat(path); err == nil {
			return Identity{}, fmt.Errorf("%s is initialised already: %s exists; choose another --home", home, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Identity{}, fmt.Errorf("look at %s: %w", path, err)
		}
	}
	files, id, err := newKeys()
	if err != nil {
		return Identity{}, err
	}
	files = append(files,
		file{"config/" + EngineFile, render(engineTemplate, spec), 0o644},
		file{"config/" + AppFile, render(appTemplate, spec), 0o644})
	if spec.ChainID != "" {
		draft, err := genesis.Draft(genesis.Spec{ChainID: spec.ChainID, Time: time.Now().UTC().Truncate(time.Millisecond)})
		if err != nil {
			return Identity{}, err
		}
		files = append(files, file{"config/genesis.json", draft, 0o644})
	}
	if err := writeFiles(home, files); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// ReadIdentity says who the node of a home is.
func ReadIdentity(home string) (Identity, error) {
	c := Default(home, ProfileLAN)
	nodeKey, err := loadNodeKey(c.Engine.NodeKeyFile())
	if err != nil {
		return Identity{}, err
	}
	validator, err := loadValidator(c.Engine.PrivValidatorKeyFile(), c.Engine.PrivValidatorStateFile(), false)
	if err != nil {
		return Identity{}, err
	}
	id, err := identify(nodeKey.PrivKey, validator.Key.PrivKey)
	if err != nil {
		return Identity{}, err
	}
	service, err := loadServiceKey(filepath.Join(home, "config", ServiceKeyFile))
	switch {
	case err == nil:
		id.Service = publicHalf(service)
	case !errors.Is(err, fs.ErrNotExist):
		return Identity{}, err
	}
	return id, nil
}

func (s InitSpec) check() error {
	if s.Moniker == "" || len(s.Moniker) > ledger.ValidatorNameMax || !utf8.ValidString(s.Moniker) ||
		strings.ContainsFunc(s.Moniker, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("moniker %q must have 1 to %d printable characters", s.Moniker, ledger.ValidatorNameMax)
	}
	if s.BasePort < 1 || s.BasePort+portsUsed-1 > 65535 {
		return fmt.Errorf("base port %d: the %d ports from there on must lie between 1 and 65535", s.BasePort, portsUsed)
	}
	if s.Profile != ProfileLAN && s.Profile != ProfileWAN {
		return fmt.Errorf("profile %q is not one of lan, wan", s.Profile)
	}
	return nil
}

// file is one file to write, with its path below a home.
type file struct {
	path string
	data []byte
	mode fs.FileMode
}

// writeFiles creates files that must not exist yet, or none of them.
func writeFiles(home string, files []file) (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, path := range written {
				_ = os.Remove(path) // the first error is the one to report
			}
		}
	}()
	for _, f := range files {
		path := filepath.Join(home, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		if err := writeNew(path, f.data, f.mode); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		written = append(written, path)
	}
	return nil
}

// writeNew creates a file and has it on disk before it returns.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(path) // half a file is worse than none
	}
	return err
}

func render(t *template.Template, data any) []byte {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		panic(fmt.Sprintf("node: template %s does not fit its data: %v", t.Name(), err))
	}
	return b.Bytes()
}
