package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"math"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
)

const (
	// ReceiptBytesMax bounds a receipt's or a proof's file: a genesis document of the largest size served, the
	// headers of many complete changes of validators, and a full block.
	ReceiptBytesMax = 64 << 20
	// anyAge makes CometBFT's check of a header's age pass. Files are for archives: no clock says how old the
	// keys of former validators may be. Each step needs more than two thirds of the validators before it instead.
	anyAge = 100 * 365 * 24 * time.Hour
)

// Lineage is the part of a file that leads from the genesis hash, which its reader knows, to a header: the genesis
// document, and as many headers as the changes of validators demand, the last one being the header.
type Lineage struct {
	ChainID     string      `json:"chain_id"`
	GenesisHash crypto.Hash `json:"genesis_hash"`
	LightBlocks [][]byte    `json:"light_blocks"` // CometBFT's LightBlock
	Genesis     []byte      `json:"genesis_gzip"`
}

// check looks at the bounds.
func (l *Lineage) check() error {
	if len(l.LightBlocks) == 0 || len(l.LightBlocks) > climbFetchMax+1 {
		return lie(LieShape, "%d headers", len(l.LightBlocks))
	}
	return nil
}

// checkHeight looks at the height that a file names. The header of the next one must exist.
func checkHeight(height uint64) error {
	if height >= math.MaxInt64/2 {
		return lie(LieShape, "there is no height %d", height)
	}
	return nil
}

// genesisTrust unpacks the genesis document and checks its hash.
func (l *Lineage) genesisTrust(hash crypto.Hash) (*genesisTrust, error) {
	if l.GenesisHash != hash {
		return nil, lie(LieGenesis, "it is of the network with the genesis hash %s, asked about %s", l.GenesisHash, hash)
	}
	z, err := gzip.NewReader(bytes.NewReader(l.Genesis))
	if err != nil {
		return nil, lie(LieGenesis, "the document does not unpack: %v", err)
	}
	document, err := readBounded(z, answerBytesMax)
	if err != nil {
		return nil, lie(LieGenesis, "the document does not unpack: %v", err)
	}
	return readGenesis(document, hash, l.ChainID)
}

// walk checks the headers, each against the one before, and returns the last, which must be that of a height.
func (l *Lineage) walk(root *genesisTrust, height uint64, now time.Time) (*cmttypes.LightBlock, error) {
	base := anchor{genesis: root}
	rules := stepRules{chainID: l.ChainID, period: anyAge, level: twoThirds, now: now}
	for _, encoded := range l.LightBlocks {
		block, err := decodeBlock(encoded, l.ChainID)
		if err != nil {
			return nil, err
		}
		if err := rules.step(base, block); err != nil {
			return nil, lie(LieHeader, "header %d: %v", block.Height, err)
		}
		base = anchor{block: block}
	}
	if uint64(base.block.Height) != height {
		return nil, lie(LieHeight, "its last header is %d, its proof needs that of %d", base.block.Height, height)
	}
	return base.block, nil
}

// lineage collects the genesis document and the headers from there to one that is trusted already.
func (l *lightClient) lineage(ctx context.Context, node string, height uint64) (Lineage, error) {
	out := Lineage{ChainID: l.chainID, GenesisHash: l.genesisHash}
	target, err := l.header(ctx, node, height)
	if err != nil {
		return out, err
	}
	genesis, err := l.genesisDocument(ctx, node)
	if err != nil {
		return out, err
	}
	rules := stepRules{chainID: l.chainID, period: anyAge, level: twoThirds, now: l.now()}
	trace, err := climb(rules, anchor{genesis: genesis}, target, func(height int64) (*cmttypes.LightBlock, error) {
		return l.client.fetchBlock(ctx, node, l.chainID, uint64(height))
	}, node)
	if err != nil {
		return out, err
	}
	for _, block := range trace {
		encoded, err := encodeBlock(block)
		if err != nil {
			return out, err
		}
		out.LightBlocks = append(out.LightBlocks, encoded)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(genesis.document)
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	out.Genesis = packed.Bytes()
	return out, err
}

// genesisDocument gives the document that all trust comes from.
func (l *lightClient) genesisDocument(ctx context.Context, node string) (*genesisTrust, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.loadGenesis(ctx, node)
	return l.genesis, err
}
