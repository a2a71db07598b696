package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// lightBlockBytesMax is a header and, for the most validators a network may have, 400 bytes of key and
// signature each.
const lightBlockBytesMax = 16<<10 + ledger.ValidatorsLimit*400

// keyTypeEd25519 is what CometBFT calls the only key type that validators have here.
const keyTypeEd25519 = "ed25519"

// fetchBlock gets the light block of a height from one node: checked in itself, but not yet against anything
// that is trusted.
func (c *Client) fetchBlock(ctx context.Context, node, chainID string, height uint64) (*cmttypes.LightBlock, error) {
	var out rpc.LightBlock
	r := request{method: http.MethodGet, path: rpc.PathLight + "/" + strconv.FormatUint(height, 10), aside: true}
	if err := c.ask(ctx, node, r, &out); err != nil {
		return nil, err
	}
	block, err := decodeBlock(out.Light, chainID)
	if err == nil && uint64(block.Height) != height {
		err = lie(LieHeader, "asked for header %d, got %d", height, block.Height)
	}
	if err != nil {
		return nil, from(node, height, err)
	}
	return block, nil
}

// decodeBlock reads a light block from outside. What no header or signature covers is made anew, so that two
// honest copies of a block are equal: the order in which validators propose is of no interest here.
func decodeBlock(encoded []byte, chainID string) (*cmttypes.LightBlock, error) {
	if len(encoded) == 0 || len(encoded) > lightBlockBytesMax {
		return nil, lie(LieHeader, "a light block of %d bytes, at most %d are possible", len(encoded), lightBlockBytesMax)
	}
	var p cmtproto.LightBlock
	if err := p.Unmarshal(encoded); err != nil {
		return nil, lie(LieHeader, "the light block does not decode: %v", err)
	}
	if p.SignedHeader == nil || p.SignedHeader.Header == nil || p.SignedHeader.Commit == nil || p.ValidatorSet == nil {
		return nil, lie(LieHeader, "the light block is not whole")
	}
	if n, m := len(p.ValidatorSet.Validators), len(p.SignedHeader.Commit.Signatures); n == 0 || n > ledger.ValidatorsLimit || m != n {
		return nil, lie(LieHeader, "%d validators and %d signatures", n, m)
	}
	var validators []*cmttypes.Validator
	for _, v := range p.ValidatorSet.Validators {
		decoded, err := cmttypes.ValidatorFromProto(v)
		if err != nil {
			return nil, lie(LieHeader, "a validator does not decode: %v", err)
		}
		validators = append(validators, decoded)
	}
	set, err := validatorSet(validators)
	if err != nil {
		return nil, lie(LieHeader, "%v", err)
	}
	signed, err := cmttypes.SignedHeaderFromProto(p.SignedHeader)
	if err != nil {
		return nil, lie(LieHeader, "the header does not decode: %v", err)
	}
	block := &cmttypes.LightBlock{SignedHeader: signed, ValidatorSet: set}
	if err := block.ValidateBasic(chainID); err != nil {
		return nil, lie(LieHeader, "%v", err)
	}
	if len(block.AppHash) != crypto.HashSize {
		return nil, lie(LieHeader, "an app hash of %d bytes", len(block.AppHash))
	}
	return block, nil
}

// validatorSet makes a set of keys and powers, after checking everything that would make CometBFT panic.
func validatorSet(list []*cmttypes.Validator) (*cmttypes.ValidatorSet, error) {
	plain := make([]*cmttypes.Validator, 0, len(list))
	for i, v := range list {
		if v.PubKey == nil || v.PubKey.Type() != keyTypeEd25519 {
			return nil, fmt.Errorf("validator %d has no ed25519 key", i)
		}
		if v.VotingPower <= 0 || v.VotingPower > ledger.ValidatorPowerMax {
			return nil, fmt.Errorf("validator %d has the power %d", i, v.VotingPower)
		}
		for _, other := range plain {
			if bytes.Equal(other.PubKey.Bytes(), v.PubKey.Bytes()) {
				return nil, fmt.Errorf("validator %d is there twice", i)
			}
		}
		plain = append(plain, cmttypes.NewValidator(v.PubKey, v.VotingPower))
	}
	if len(plain) == 0 || len(plain) > ledger.ValidatorsLimit {
		return nil, fmt.Errorf("%d validators", len(plain))
	}
	return cmttypes.NewValidatorSet(plain), nil
}

// encodeBlock is the reverse of decodeBlock.
func encodeBlock(block *cmttypes.LightBlock) ([]byte, error) {
	p, err := block.ToProto()
	if err != nil {
		return nil, fmt.Errorf("encode light block %d: %w", block.Height, err)
	}
	return p.Marshal()
}

// genesisTrust is what the genesis document says about who may sign the first block.
type genesisTrust struct {
	chainID    string
	time       time.Time
	validators *cmttypes.ValidatorSet
	document   []byte
}

// readGenesis takes the validators out of a genesis document whose hash is the expected one.
func readGenesis(document []byte, hash crypto.Hash, chainID string) (*genesisTrust, error) {
	if got := crypto.Hash(sha256.Sum256(document)); got != hash {
		return nil, lie(LieGenesis, "its hash is %s, the network's is %s", got, hash)
	}
	doc, err := cmttypes.GenesisDocFromJSON(document)
	if err != nil {
		return nil, fmt.Errorf("read the genesis document: %w", err)
	}
	if chainID != "" && doc.ChainID != chainID {
		return nil, fmt.Errorf("the genesis document is of the chain %q, not %q", doc.ChainID, chainID)
	}
	list := make([]*cmttypes.Validator, 0, len(doc.Validators))
	for _, v := range doc.Validators {
		list = append(list, &cmttypes.Validator{PubKey: v.PubKey, VotingPower: v.Power})
	}
	set, err := validatorSet(list)
	if err != nil {
		return nil, fmt.Errorf("read the genesis document: %w", err)
	}
	return &genesisTrust{chainID: doc.ChainID, time: doc.GenesisTime, validators: set, document: document}, nil
}

// fetchGenesis gets the genesis document from one node.
func (c *Client) fetchGenesis(ctx context.Context, node string, hash crypto.Hash, chainID string) (*genesisTrust, error) {
	var document rawAnswer
	if err := c.ask(ctx, node, request{method: http.MethodGet, path: rpc.PathGenesis, aside: true, grace: genesisPatience}, &document); err != nil {
		return nil, err
	}
	trust, err := readGenesis(document, hash, chainID)
	return trust, from(node, 0, err)
}

// genesisPatience is for a document of many megabytes.
const genesisPatience = 30 * time.Second

// rawAnswer keeps an answer's bytes exactly as they came, for what is hashed.
type rawAnswer []byte
