package genesis

import (
	"slices"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// What CometBFT is given. Its own defaults are unsafe here: blocks of up to 53 MiB would outlast
// every timeout, and any key type the engine knows would be let in.
const (
	// BlockBytesDefault lets a block cross a local network well within the propose timeout.
	BlockBytesDefault = 2 << 20
	// BlockBytesMin leaves room for one full frame beside header, evidence and commit.
	BlockBytesMin = 512 << 10
	// BlockBytesMax is where a block no longer crosses a wide-area link within a propose timeout.
	BlockBytesMax = 8 << 20

	// Evidence counts while it is younger than either bound, so the duration is what holds however
	// fast blocks come. Two days is how long an operator may take to bring a network back.
	evidenceAgeBlocks   = 100_000
	evidenceAgeDuration = 48 * time.Hour
	evidenceAgeMin      = time.Hour
	evidenceBytesMax    = 128 << 10
)

// Consensus holds CometBFT's parameters as its JSON writes them: 64-bit integers are strings.
type Consensus struct {
	Block     BlockParams     `json:"block"`
	Evidence  EvidenceParams  `json:"evidence"`
	Validator ValidatorParams `json:"validator"`
	Version   VersionParams   `json:"version"`
	ABCI      ABCIParams      `json:"abci"`
	Authority AuthorityParams `json:"authority"`
}

// BlockParams bounds blocks.
type BlockParams struct {
	MaxBytes int64 `json:"max_bytes,string"`
	MaxGas   int64 `json:"max_gas,string"`
}

// EvidenceParams says how long proof of misbehaviour counts.
type EvidenceParams struct {
	MaxAgeNumBlocks int64         `json:"max_age_num_blocks,string"`
	MaxAgeDuration  time.Duration `json:"max_age_duration,string"`
	MaxBytes        int64         `json:"max_bytes,string"`
}

// ValidatorParams lists the key types validators may have.
type ValidatorParams struct {
	PubKeyTypes []string `json:"pub_key_types"`
}

// VersionParams is the version of the rules by which the network executes blocks, as in block headers.
type VersionParams struct {
	App uint64 `json:"app,string"`
}

// ABCIParams switches vote extensions on; we have none.
type ABCIParams struct {
	VoteExtensionsEnableHeight int64 `json:"vote_extensions_enable_height,string"`
}

// AuthorityParams names an authority over parameters outside governance; we have none.
type AuthorityParams struct {
	Authority string `json:"authority"`
}

// DefaultConsensus is what Build writes.
func DefaultConsensus() Consensus {
	return Consensus{
		Block:     BlockParams{MaxBytes: BlockBytesDefault, MaxGas: -1},
		Evidence:  EvidenceParams{evidenceAgeBlocks, evidenceAgeDuration, evidenceBytesMax},
		Validator: ValidatorParams{PubKeyTypes: []string{"ed25519"}},
		Version:   VersionParams{App: ledger.RulesVersion},
	}
}

// faults lists what is wrong or unsafe.
func (c Consensus) faults(f *Faults) {
	const in = "consensus_params."
	if c.Block.MaxBytes < BlockBytesMin || c.Block.MaxBytes > BlockBytesMax {
		f.addf(in+"block.max_bytes", "%d is not between %d and %d", c.Block.MaxBytes, BlockBytesMin, BlockBytesMax)
	}
	if c.Block.MaxGas != -1 {
		f.addf(in+"block.max_gas", "%d: transactions have no gas, so it must be -1", c.Block.MaxGas)
	}
	if c.Evidence.MaxAgeNumBlocks < 1 {
		f.addf(in+"evidence.max_age_num_blocks", "%d is less than 1", c.Evidence.MaxAgeNumBlocks)
	}
	if c.Evidence.MaxAgeDuration < evidenceAgeMin {
		f.addf(in+"evidence.max_age_duration", "%s is less than %s: a double signer only had to wait", c.Evidence.MaxAgeDuration, evidenceAgeMin)
	}
	if c.Evidence.MaxBytes < 1 || c.Evidence.MaxBytes > c.Block.MaxBytes/2 {
		f.addf(in+"evidence.max_bytes", "%d is not between 1 and half of block.max_bytes", c.Evidence.MaxBytes)
	}
	if !slices.Equal(c.Validator.PubKeyTypes, []string{"ed25519"}) {
		f.addf(in+"validator.pub_key_types", `%q: this version takes ["ed25519"] only`, c.Validator.PubKeyTypes)
	}
	if age := "an older"; c.Version.App != ledger.RulesVersion {
		if c.Version.App > ledger.RulesVersion {
			age = "a newer"
		}
		f.addf(in+"version.app", "%d: the network was begun by %s tetrad, whose rules this one, of rules %d, does not follow; run that version, "+
			"or begin a new network (a development network with `tetrad dev --reset`)", c.Version.App, age, ledger.RulesVersion)
	}
	if c.ABCI.VoteExtensionsEnableHeight != 0 {
		f.addf(in+"abci.vote_extensions_enable_height", "%d: there are no vote extensions, so it must be 0", c.ABCI.VoteExtensionsEnableHeight)
	}
	if c.Authority.Authority != "" {
		f.addf(in+"authority.authority", "%q: parameters change by governance only, so it must be empty", c.Authority.Authority)
	}
}
