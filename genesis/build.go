package genesis

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Spec is what a new document is made of. Zero Params and Consensus mean the defaults.
type Spec struct {
	ChainID    string
	Time       time.Time
	Validators []Validator
	Assets     []Asset
	Accounts   []Account
	Bench      []Bench
	Params     *ledger.Params
	Consensus  *Consensus
}

// Build writes a document that Validate accepts, or says what is wrong with the spec.
func Build(s Spec) ([]byte, error) {
	data, err := Draft(s)
	if err != nil {
		return nil, err
	}
	doc, err := Parse(data)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(); err != nil {
		return nil, err
	}
	return data, nil
}

// Draft writes a document that may still lack validators or accounts: the beginning of a ceremony.
func Draft(s Spec) ([]byte, error) {
	if s.Time.IsZero() {
		return nil, errors.New("a genesis document needs a time")
	}
	doc := &Doc{
		ChainID: s.ChainID, TimeMS: uint64(s.Time.UnixMilli()), Validators: s.Validators,
		Consensus: DefaultConsensus(), Params: ledger.DefaultParams(),
		Assets: s.Assets, Accounts: s.Accounts, Bench: s.Bench, initialHeight: 1, format: format,
	}
	if s.Params != nil {
		doc.Params = *s.Params
	}
	if s.Consensus != nil {
		doc.Consensus = *s.Consensus
	}
	return doc.encode()
}

// DevAsset is the asset of development networks, issued by the account DevIssuer.
const (
	DevAsset   = "usd"
	DevIssuer  = "treasury"
	devScale   = 2
	devBalance = "1000000.00"
)

// DevSpec is a development network: the asset usd, issued by treasury, and named accounts with a million
// each. Their keys are crypto.DevKey of the name, which everybody can compute.
func DevSpec(chainID string, at time.Time, validators []Validator, names ...string) Spec {
	s := Spec{
		ChainID: chainID, Time: at, Validators: validators,
		Assets:   []Asset{{Code: DevAsset, Scale: devScale, Issuer: DevIssuer}},
		Accounts: []Account{{Name: DevIssuer, Address: crypto.DevKey(DevIssuer).Public().Address()}},
	}
	for _, name := range names {
		if name != DevIssuer {
			s.Accounts = append(s.Accounts, Account{
				Name: name, Address: crypto.DevKey(name).Public().Address(),
				Balances: []Balance{{DevAsset, devBalance}},
			})
		}
	}
	return s
}

// encode writes the document; the same document always becomes the same bytes.
func (d *Doc) encode() ([]byte, error) {
	var listed []registered
	for i := range d.Validators {
		if r, any := d.Validators[i].registration(); any {
			listed = append(listed, r)
		}
	}
	out := document{
		GenesisTime:   time.UnixMilli(int64(d.TimeMS)).UTC().Format(time.RFC3339Nano),
		ChainID:       d.ChainID,
		InitialHeight: d.initialHeight, ConsensusParams: &d.Consensus, AppHash: d.appHash,
		Validators: []validator{},
		AppState:   &appState{Format: d.format, Params: &d.Params, Validators: listed, Assets: d.Assets, Accounts: d.Accounts, Bench: d.Bench},
	}
	for i, v := range d.Validators {
		if err := v.Key.Validate(); err != nil {
			return nil, fmt.Errorf("validators[%d].pub_key: %w", i, err)
		}
		address := crypto.ConsensusAddress(v.Key.Bytes)
		out.Validators = append(out.Validators, validator{
			Address: strings.ToUpper(hex.EncodeToString(address[:])), Name: v.Name, Power: v.Power,
			PubKey: validatorKey{Type: keyTypeEd25519, Value: v.Key.Bytes},
		})
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the genesis document: %w", err)
	}
	return append(data, '\n'), nil
}
