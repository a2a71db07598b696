package genesis

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// chainIDShape keeps chain ids unambiguous in file names, addresses and logs.
var chainIDShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,48}[a-z0-9])?$`)

// nameShape is what keyrings take as a name.
var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Validate lists everything that is wrong with the document, as Faults. What it accepts has an Outcome.
func (d *Doc) Validate() error {
	var f Faults
	d.checkHead(&f)
	d.Consensus.faults(&f)
	d.checkValidators(&f)
	if err := d.Params.Validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			f.addf("app_state.params", "%s", line)
		}
	}
	d.checkAssets(&f)
	d.checkAccounts(&f)
	d.checkBench(&f)
	if len(f) == 0 {
		d.checkOutcome(&f)
	}
	return f.err()
}

func (d *Doc) checkHead(f *Faults) {
	if !chainIDShape.MatchString(d.ChainID) {
		f.addf("chain_id", "%q: must be 1 to %d lower-case letters, digits and . _ - that begin and end with a letter or digit", d.ChainID, ledger.ChainIDMax)
	}
	if d.initialHeight != 1 {
		f.addf("initial_height", `%d: a ledger begins at height "1"`, d.initialHeight)
	}
	if d.appHash != "" {
		f.addf("app_hash", "%q: must be empty, the ledger computes it", d.appHash)
	}
	if d.format != format {
		f.addf("app_state.format", "%d: this version reads format %d", d.format, format)
	}
}

func (d *Doc) checkValidators(f *Faults) {
	if len(d.Validators) == 0 {
		f.addf("validators", "none: add at least one")
	}
	names, keys := map[string]int{}, map[string]int{}
	for i, v := range d.Validators {
		at := fmt.Sprintf("validators[%d]", i)
		if v.Name == "" {
			f.addf(at+".name", "empty")
		} else if first, twice := names[v.Name]; twice {
			f.addf(at+".name", "%q is the name of validators[%d] too", v.Name, first)
		}
		names[v.Name] = i
		if err := v.Key.CheckPoint(); err != nil {
			f.addf(at+".pub_key", "%v", err)
		} else if first, twice := keys[string(v.Key.Bytes)]; twice {
			f.addf(at+".pub_key", "is the key of validators[%d] too", first)
		}
		keys[string(v.Key.Bytes)] = i
		if v.Power < 1 || v.Power > ledger.ValidatorPowerMax {
			f.addf(at+".power", "%d is not between 1 and %d", v.Power, uint64(ledger.ValidatorPowerMax))
		}
		v.checkNode(f, at)
		address := crypto.ConsensusAddress(v.Key.Bytes)
		if want := hex.EncodeToString(address[:]); v.address != "" && !strings.EqualFold(v.address, want) {
			f.addf(at+".address", "%q is not the address of the key, %s", v.address, strings.ToUpper(want))
		}
	}
}

func (d *Doc) checkAssets(f *Faults) {
	codes := map[string]int{}
	for i, a := range d.Assets {
		at := fmt.Sprintf("app_state.assets[%d]", i)
		if first, twice := codes[a.Code]; twice {
			f.addf(at+".code", "%q is the code of app_state.assets[%d] too", a.Code, first)
		}
		codes[a.Code] = i
		if a.Scale > ledger.ScaleMax {
			f.addf(at+".scale", "%d is more than %d", a.Scale, ledger.ScaleMax)
		} else if a.MaxSupply != "" {
			if _, err := ledger.ParseAmount(a.MaxSupply, uint8(a.Scale)); err != nil {
				f.addf(at+".max_supply", "%v", err)
			}
		}
		if _, err := d.issuer(a); err != nil {
			f.addf(at+".issuer", "%q is no account of this document and no address: %v", a.Issuer, err)
		}
	}
}

func (d *Doc) checkAccounts(f *Faults) {
	names, addresses, mints := map[string]int{}, map[crypto.Address]int{}, d.mints()
	for i, a := range d.Accounts {
		at := fmt.Sprintf("app_state.accounts[%d]", i)
		if !nameShape.MatchString(a.Name) {
			f.addf(at+".name", "%q: must be 1 to 63 lower-case letters, digits and . _ - that begin with a letter or digit", a.Name)
		} else if first, twice := names[a.Name]; twice {
			f.addf(at+".name", "%q is the name of app_state.accounts[%d] too", a.Name, first)
		}
		names[a.Name] = i
		if a.Address.IsZero() {
			f.addf(at+".address", "missing")
		} else if first, twice := addresses[a.Address]; twice {
			f.addf(at+".address", "is the address of app_state.accounts[%d] too", first)
		}
		addresses[a.Address] = i
		held := map[string]int{}
		for k, b := range a.Balances {
			in := fmt.Sprintf("%s.balances[%d]", at, k)
			if first, twice := held[b.Asset]; twice {
				f.addf(in+".asset", "%q is the asset of balances[%d] too", b.Asset, first)
			}
			held[b.Asset] = k
			if _, err := mints.fund(a.Address, b); err != nil {
				f.addf(in, "%v", err)
			}
		}
	}
}

func (d *Doc) checkBench(f *Faults) {
	seeds, total, mints := map[string]int{}, 0, d.mints()
	for i, b := range d.Bench {
		at := fmt.Sprintf("app_state.bench[%d]", i)
		if first, twice := seeds[b.Seed]; twice {
			f.addf(at+".seed", "%q is the seed of app_state.bench[%d] too", b.Seed, first)
		}
		seeds[b.Seed] = i
		if b.Count < 1 || b.Count > BenchAccountsMax-total {
			f.addf(at+".count", "%d is not between 1 and %d", b.Count, BenchAccountsMax-total)
			continue
		}
		total += b.Count
		if _, err := mints.fund(BenchKey(b.Seed, 0).Public().Address(), Balance{b.Asset, b.Amount}); err != nil {
			f.addf(at, "%v", err)
		}
	}
}

// checkOutcome lets the ledger itself judge what has no fault of form: sums over the largest supply, codes,
// the number of assets of an account. Of bench accounts one stands for all, since deriving them takes long.
func (d *Doc) checkOutcome(f *Faults) {
	sample := *d
	sample.Bench = make([]Bench, len(d.Bench))
	for i, b := range d.Bench {
		asset, _ := d.Asset(b.Asset)
		amount, _ := ledger.ParseAmount(b.Amount, uint8(asset.Scale))
		total, fits := ledger.Amount{}, true
		for bit := 31; bit >= 0 && fits; bit-- { // count times amount, with checked additions only
			if total, fits = total.Add(total); fits && b.Count>>bit&1 == 1 {
				total, fits = total.Add(amount)
			}
		}
		if !fits {
			f.addf(fmt.Sprintf("app_state.bench[%d]", i), "the sum of all balances is larger than an amount can be")
			return
		}
		b.Count, b.Amount = 1, total.Format(uint8(asset.Scale))
		sample.Bench[i] = b
	}
	if _, err := sample.Outcome(); err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner
		}
		f.addf("app_state", "%v", err)
	}
}
