package client

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// validForDefault is how long a transaction may still enter a block where its author does not say: long
// enough to survive a failing node, short enough that never_will comes soon.
const validForDefault = 60 * time.Second

// Draft is a transaction in the making. Its methods return it, so that they can be chained; the first fault
// is kept and reported by Sign.
type Draft struct {
	genesis crypto.Hash
	body    ledger.Body
	err     error
}

// Signed is a transaction ready to be sent, any number of times and to any number of nodes.
type Signed struct {
	TxID crypto.Hash
	Raw  []byte
	// ValidUntilMS is the block time from which on it can no longer enter a block; 0: no end (lanes only).
	ValidUntilMS uint64
	// InLane says that a lane protects it against replay. It leaves no replay record, so that no node can
	// tell from a missing one that it never will be.
	InLane bool
}

// tellUntilMS is the end of validity that a node may judge by.
func (s Signed) tellUntilMS() uint64 {
	if s.InLane {
		return 0
	}
	return s.ValidUntilMS
}

// NewTx begins a transaction for the network with the chain id and genesis document. Operations that name no
// actor of their own are the actor's.
func NewTx(chainID string, genesis crypto.Hash, actor crypto.Address) *Draft {
	return &Draft{genesis: genesis, body: ledger.Body{Version: 1, ChainId: chainID, Actor: actor[:]}}
}

// Op adds any operation.
func (d *Draft) Op(op ledger.Op) *Draft {
	d.body.Ops = append(d.body.Ops, op)
	return d
}

// Transfer moves an amount of the asset with the code to another account.
func (d *Draft) Transfer(to crypto.Address, asset string, amount ledger.Amount) *Draft {
	return d.transfer(to, asset, amount, false)
}

// TransferUpTo moves what there is, at most the amount.
func (d *Draft) TransferUpTo(to crypto.Address, asset string, amount ledger.Amount) *Draft {
	return d.transfer(to, asset, amount, true)
}

func (d *Draft) transfer(to crypto.Address, asset string, amount ledger.Amount, upTo bool) *Draft {
	id := ledger.AssetIDOf(asset)
	return d.Op(ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
		To: to[:], Asset: id[:], Amount: amount.Bytes(), UpTo: upTo,
	}}})
}

// SetKey makes the actor's account answer to another key.
func (d *Draft) SetKey(key crypto.PublicKey) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_SetAccount{SetAccount: &ledger.SetAccount{Policy: ledger.SingleKey(key)}}})
}

// CreateAccount makes an account that answers to the key; its address is ledger.CreatedAddress of the actor,
// the salt and the policy.
func (d *Draft) CreateAccount(key crypto.PublicKey, salt [ledger.SaltLen]byte) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_SetAccount{SetAccount: &ledger.SetAccount{Policy: ledger.SingleKey(key), Salt: salt[:]}}})
}

// SetAsset creates an asset that the actor issues, or lowers the maximum supply of one.
func (d *Draft) SetAsset(code string, scale uint8, maxSupply ledger.Amount) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_SetAsset{SetAsset: &ledger.SetAsset{
		Code: code, Scale: uint32(scale), MaxSupply: maxSupply.Bytes(),
	}}})
}

// Put writes a register in the actor's namespace; an empty value deletes it.
func (d *Draft) Put(path string, value []byte) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_Put{Put: &ledger.Put{Path: path, Value: value}}})
}

// PutIf is Put on the condition that the register is at the version; 0: that there is none.
func (d *Draft) PutIf(path string, value []byte, version uint64) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_Put{Put: &ledger.Put{
		Path: path, Value: value, IfVersion: &ledger.IfVersion{Version: version},
	}}})
}

// Fence adds an operation that changes nothing and always succeeds. What was acknowledged to anybody before the
// transaction was signed is in the state of the height at which it is committed.
func (d *Draft) Fence() *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_Assert{Assert: &ledger.Assert{
		That: &ledger.Assert_Height{Height: &ledger.AssertHeight{Min: 1}},
	}}})
}

// SetNode registers a validator's node, or replaces what was registered; the actor operates the validator.
func (d *Draft) SetNode(set ledger.SetNode) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_SetNode{SetNode: &set}})
}

// ApproveRegion agrees with a node's claim for every validator that the actor operates.
func (d *Draft) ApproveRegion(validator crypto.ValidatorID, region string) *Draft {
	return d.Op(ledger.Op{Kind: &ledger.Op_ApproveRegion{ApproveRegion: &ledger.ApproveRegion{Validator: validator[:], Region: region}}})
}

// Memo attaches a short text.
func (d *Draft) Memo(text string) *Draft {
	d.body.Memo = text
	return d
}

// ValidFor lets the transaction enter a block from now on for so long, by this machine's clock.
func (d *Draft) ValidFor(span time.Duration) *Draft {
	if span <= 0 {
		d.fail(fmt.Errorf("a transaction cannot be valid for %s", span))
		return d
	}
	return d.ValidUntilMS(uint64(time.Now().Add(span).UnixMilli()))
}

// ValidUntilMS sets the block time from which on the transaction can no longer enter a block.
func (d *Draft) ValidUntilMS(ms uint64) *Draft {
	d.body.ValidUntilMs = ms
	return d
}

// Lane orders the transaction after all others of the same lane with smaller numbers, instead of a nonce.
func (d *Draft) Lane(id, seq uint64) *Draft {
	d.body.Lane = &ledger.Lane{Id: id, Seq: seq}
	return d
}

// Nonce sets the nonce. Two drafts that are equal, nonce and end of validity included, are one transaction:
// that is what an idempotency key is made of. Without it Sign takes a random one.
func (d *Draft) Nonce(nonce [ledger.NonceLen]byte) *Draft {
	d.body.Nonce = slices.Clone(nonce[:])
	return d
}

func (d *Draft) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Body completes the draft and returns its encoding: what signatures are about, for signing elsewhere.
func (d *Draft) Body() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	if d.body.Lane == nil && len(d.body.Nonce) == 0 {
		d.body.Nonce = make([]byte, ledger.NonceLen)
		rand.Read(d.body.Nonce) // never fails
	}
	if d.body.Lane == nil && d.body.ValidUntilMs == 0 {
		d.ValidFor(validForDefault)
	}
	return d.body.Marshal()
}

// Sign completes the draft and signs it with the keys. The result has passed the same checks of shape that
// every node applies, so an error here is a *ledger.Reject that no node needs to be asked about.
func (d *Draft) Sign(keys ...crypto.PrivateKey) (Signed, error) {
	body, err := d.Body()
	if err != nil {
		return Signed{}, err
	}
	return SignBody(body, d.genesis, keys...)
}

// SignBody signs an encoded body.
func SignBody(body []byte, genesis crypto.Hash, keys ...crypto.PrivateKey) (Signed, error) {
	return assemble(ledger.Tx{Body: body}, genesis, keys)
}

// Countersign adds signatures to a transaction that may already have some. A key that signed before is not
// asked again.
func Countersign(raw []byte, genesis crypto.Hash, keys ...crypto.PrivateKey) (Signed, error) {
	var tx ledger.Tx
	if err := tx.Unmarshal(raw); err != nil {
		return Signed{}, &ledger.Reject{Code: ledger.CodeBadEncoding, Detail: err.Error()}
	}
	return assemble(tx, genesis, keys)
}

// assemble signs the body of tx and checks the whole as a node would.
func assemble(tx ledger.Tx, genesis crypto.Hash, keys []crypto.PrivateKey) (Signed, error) {
	message := crypto.SignBytes(crypto.TagTx, genesis, crypto.Sum(tx.Body))
	for _, key := range keys {
		pub := key.Public()
		signed := slices.ContainsFunc(tx.Sigs, func(s ledger.Sig) bool {
			return s.KeyType == uint32(pub.Type) && slices.Equal(s.PublicKey, pub.Bytes)
		})
		if !signed {
			tx.Sigs = append(tx.Sigs, ledger.Sig{
				KeyType: uint32(pub.Type), PublicKey: pub.Bytes, Signature: key.Sign(message[:]),
			})
		}
	}
	raw, err := tx.Marshal()
	if err != nil {
		return Signed{}, fmt.Errorf("encode the transaction: %w", err)
	}
	return Decode(raw)
}

// Decode reads a signed transaction that somebody else made, and checks its shape.
func Decode(raw []byte) (Signed, error) {
	t, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return Signed{}, err
	}
	return Signed{TxID: t.ID, Raw: raw, ValidUntilMS: t.ValidUntilMS(), InLane: t.Body.Lane != nil}, nil
}
