package genesis

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// BytesMax bounds a document. Every node keeps it and serves it to light clients; large sets of
// accounts of load tests are derived (see Bench), real ones are created by transactions.
const BytesMax = 64 << 20

// format is the layout of app_state this version reads and writes.
const format = 1

// document is genesis.json as CometBFT v0.40 reads it.
type document struct {
	GenesisTime     string      `json:"genesis_time"`
	ChainID         string      `json:"chain_id"`
	InitialHeight   int64       `json:"initial_height,string"`
	ConsensusParams *Consensus  `json:"consensus_params"`
	Validators      []validator `json:"validators"`
	AppHash         string      `json:"app_hash"`
	AppState        *appState   `json:"app_state"`
}

type validator struct {
	Address string       `json:"address,omitempty"`
	PubKey  validatorKey `json:"pub_key"`
	Power   uint64       `json:"power,string"`
	Name    string       `json:"name"`
}

type validatorKey struct {
	Type  string `json:"type"`
	Value []byte `json:"value"`
}

// keyTypeEd25519 is CometBFT's name of ed25519 keys in JSON.
const keyTypeEd25519 = "tendermint/PubKeyEd25519"

// appState is the ledger's part.
type appState struct {
	Format     uint32         `json:"format"`
	Params     *ledger.Params `json:"params,omitempty"`
	Validators []registered   `json:"validators,omitempty"`
	Assets     []Asset        `json:"assets,omitempty"`
	Accounts   []Account      `json:"accounts,omitempty"`
	Bench      []Bench        `json:"bench,omitempty"`
}

// Parse reads a genesis.json. It refuses what it does not understand and names it; whether the document
// makes sense is for Validate.
func Parse(data []byte) (*Doc, error) {
	if len(data) > BytesMax {
		return nil, fmt.Errorf("genesis document: %d bytes, at most %d", len(data), BytesMax)
	}
	if err := checkFields(data, reflect.TypeFor[document]()); err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	// A parameter that is absent keeps its default.
	defaults := ledger.DefaultParams()
	in := document{AppState: &appState{Params: &defaults}}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("genesis document: %w", placed(err))
	}
	if in.ConsensusParams == nil {
		return nil, errors.New("genesis document: consensus_params: missing, and CometBFT's defaults (blocks of 53 MiB) are unsafe here")
	}
	if in.AppState == nil || in.AppState.Format == 0 {
		return nil, errors.New("genesis document: app_state: missing: this is no Tetrad genesis document")
	}
	if in.AppState.Params == nil { // written as null
		in.AppState.Params = &defaults
	}
	timeMS, err := parseTime(in.GenesisTime)
	if err != nil {
		return nil, fmt.Errorf("genesis document: genesis_time: %w", err)
	}
	doc := &Doc{
		ChainID: in.ChainID, TimeMS: timeMS, Consensus: *in.ConsensusParams,
		Params: *in.AppState.Params, Assets: in.AppState.Assets, Accounts: in.AppState.Accounts, Bench: in.AppState.Bench,
		raw: data, initialHeight: in.InitialHeight, appHash: in.AppHash, format: in.AppState.Format,
	}
	for i, v := range in.Validators {
		if v.PubKey.Type != keyTypeEd25519 {
			return nil, fmt.Errorf("genesis document: validators[%d].pub_key.type: %q, this version takes %q", i, v.PubKey.Type, keyTypeEd25519)
		}
		key := crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: v.PubKey.Value}
		doc.Validators = append(doc.Validators, Validator{Name: v.Name, Key: key, Power: v.Power, address: v.Address})
	}
	if err := doc.register(in.AppState.Validators); err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	return doc, nil
}

// parseTime reads the time as CometBFT does, which wants UTC written with a Z.
func parseTime(text string) (uint64, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || text[len(text)-1] != 'Z' {
		return 0, fmt.Errorf("%q is not a time in UTC such as 2026-11-23T08:00:00Z", text)
	}
	if ms := t.UnixMilli(); ms > 0 && ms < math.MaxInt64/int64(time.Millisecond) {
		return uint64(ms), nil
	}
	return 0, fmt.Errorf("%s is not a time a ledger can begin at", text)
}

// placed turns encoding/json's errors into one that names the place.
func placed(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Errorf("%s: a JSON %s where a %s belongs", wrongType.Field, wrongType.Value, wrongType.Type)
	}
	return err
}
