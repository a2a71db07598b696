package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmtcrypto "github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtlp2p "github.com/cometbft/cometbft/lp2p"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtprivval "github.com/cometbft/cometbft/privval"

	"github.com/tetradledger/tetrad/crypto"
)

// Identity is who a node is to its peers and to the ledger.
type Identity struct {
	NodeID    string           // classic transport: 40 hex digits
	PeerID    string           // libp2p: 12D3Koo...
	Validator crypto.PublicKey // consensus key
	Service   crypto.PublicKey // for what the node signs outside consensus; zero where the home has no such key
}

// loadNodeKey reads the key that names this node to its peers.
func loadNodeKey(path string) (*cmtp2p.NodeKey, error) {
	data, err := readSecret(path, "node key")
	if err != nil {
		return nil, err
	}
	key := new(cmtp2p.NodeKey)
	if err := cmtjson.Unmarshal(data, key); err != nil || key.PrivKey == nil {
		return nil, fmt.Errorf("%s is not a node key: %w", path, errOr(err, "it holds no private key"))
	}
	return key, nil
}

// ServiceKeyFile, below config/, holds the key for what the node signs outside consensus, in the form of
// node_key.json. Its public half is registered on the ledger.
const ServiceKeyFile = "service_key.json"

// loadServiceKey reads that key. The error is fs.ErrNotExist where a home has none.
func loadServiceKey(path string) (cmtcrypto.PrivKey, error) {
	data, err := readSecret(path, "service key")
	if err != nil {
		return nil, err
	}
	key := new(cmtp2p.NodeKey)
	if err := cmtjson.Unmarshal(data, key); err != nil || key.PrivKey == nil {
		return nil, fmt.Errorf("%s is not a service key: %w", path, errOr(err, "it holds no private key"))
	}
	if key.PrivKey.Type() != cmted25519.KeyType {
		return nil, fmt.Errorf("%s holds a key of type %s; service keys are ed25519", path, key.PrivKey.Type())
	}
	return key.PrivKey, nil
}

// ReadServiceKey is the public half of the service key in a node's home.
func ReadServiceKey(home string) (crypto.PublicKey, error) {
	key, err := loadServiceKey(filepath.Join(home, "config", ServiceKeyFile))
	if err != nil {
		return crypto.PublicKey{}, err
	}
	return publicHalf(key), nil
}

// NewServiceKey makes a new service key in a node's home and keeps the old one beside it, under the same name with
// ".old". The old one is renamed first: after a crash in between, the node has none and says so.
func NewServiceKey(home string) (crypto.PublicKey, error) {
	path := filepath.Join(home, "config", ServiceKeyFile)
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return crypto.PublicKey{}, fmt.Errorf("%s is no node's home: %w", home, err)
	}
	key := cmted25519.GenPrivKey()
	data, err := cmtjson.MarshalIndent(&cmtp2p.NodeKey{PrivKey: key}, "", "  ")
	if err != nil {
		return crypto.PublicKey{}, fmt.Errorf("write the service key: %w", err)
	}
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return crypto.PublicKey{}, fmt.Errorf("keep the old service key: %w", err)
	}
	if err := writeNew(path, data, 0o600); err != nil {
		return crypto.PublicKey{}, fmt.Errorf("write %s: %w", path, err)
	}
	return publicHalf(key), nil
}

// loadValidator reads the validator's key and what it signed last. CometBFT's own loader ends the process
// when a file is missing or broken; this one says what to do.
//
// The state file is what keeps a validator from signing twice after a crash. It may be missing only where
// nothing can have been signed yet: when there are no blocks.
func loadValidator(keyPath, statePath string, hasBlocks bool) (*cmtprivval.FilePV, error) {
	data, err := readSecret(keyPath, "validator key")
	if err != nil {
		return nil, err
	}
	var key cmtprivval.FilePVKey
	if err := cmtjson.Unmarshal(data, &key); err != nil || key.PrivKey == nil {
		return nil, fmt.Errorf("%s is not a validator key: %w", keyPath, errOr(err, "it holds no private key"))
	}
	if key.PrivKey.Type() != cmted25519.KeyType {
		return nil, fmt.Errorf("%s holds a key of type %s; validators use ed25519", keyPath, key.PrivKey.Type())
	}
	if !wholeKey(key) {
		return nil, fmt.Errorf("%s is damaged: its private and its public half do not belong together; restore it from a copy", keyPath)
	}
	validator := cmtprivval.NewFilePV(key.PrivKey, keyPath, statePath)

	data, err = os.ReadFile(statePath)
	if errors.Is(err, fs.ErrNotExist) {
		if hasBlocks {
			return nil, fmt.Errorf("%s is missing although this node has blocks: without it the validator could sign twice and lose its power; "+
				"restore the newest copy, or start from an empty data directory", statePath)
		}
		return validator, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the validator's state: %w", err)
	}
	var state cmtprivval.FilePVLastSignState
	if err := cmtjson.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("%s is not a validator's state: %w", statePath, err)
	}
	if err := checkLastSign(state, key.PrivKey.PubKey()); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; with it the validator could sign twice: restore the newest copy, or let a new validator "+
			"take this one's place", statePath, err)
	}
	last := &validator.LastSignState // keeps its own path
	last.Height, last.Round, last.Step = state.Height, state.Round, state.Step
	last.Signature, last.SignBytes = state.Signature, state.SignBytes
	return validator, nil
}

// readSecret refuses key files that others on this machine can read.
func readSecret(path, what string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by other users (mode %04o); run `chmod 600 %s`", path, mode, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	return data, nil
}

// errOr is err, or what a missing part of a well-formed file means.
func errOr(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// identify derives all of a node's names.
func identify(nodeKey, validatorKey cmtcrypto.PrivKey) (Identity, error) {
	peerID, err := cmtlp2p.IDFromPrivateKey(nodeKey)
	if err != nil {
		return Identity{}, fmt.Errorf("derive the libp2p id: %w", err)
	}
	return Identity{
		NodeID:    string(cmtp2p.PubKeyToID(nodeKey.PubKey())),
		PeerID:    peerID.String(),
		Validator: publicHalf(validatorKey),
	}, nil
}

// publicHalf is the public key of an ed25519 key, as the ledger knows it.
func publicHalf(key cmtcrypto.PrivKey) crypto.PublicKey {
	return crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: key.PubKey().Bytes()}
}

// newKeys makes a node's keys and the files that hold them.
func newKeys() ([]file, Identity, error) {
	nodeKey, validatorKey, serviceKey := cmted25519.GenPrivKey(), cmted25519.GenPrivKey(), cmted25519.GenPrivKey()
	id, err := identify(nodeKey, validatorKey)
	if err != nil {
		return nil, id, err
	}
	id.Service = publicHalf(serviceKey)
	validator := cmtprivval.NewFilePV(validatorKey, "", "")
	var files []file
	for _, one := range []struct {
		path string
		says any
	}{
		{"config/node_key.json", &cmtp2p.NodeKey{PrivKey: nodeKey}},
		{"config/priv_validator_key.json", validator.Key},
		{"config/" + ServiceKeyFile, &cmtp2p.NodeKey{PrivKey: serviceKey}},
		{"data/priv_validator_state.json", &validator.LastSignState},
	} {
		data, err := cmtjson.MarshalIndent(one.says, "", "  ")
		if err != nil {
			return nil, id, fmt.Errorf("write %s: %w", one.path, err)
		}
		files = append(files, file{one.path, data, 0o600})
	}
	return files, id, nil
}
