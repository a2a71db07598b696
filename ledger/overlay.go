package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// Reader gives the state before a block. Get returns nil for an absent leaf. What it returns is not
// changed and must stay as it is until the call that was given the Reader returns; the key must not be kept.
type Reader interface {
	Get(key []byte) ([]byte, error)
}

// Prefetcher is a Reader that gains from knowing what it will be asked for soon. Prefetch has no other effect; the
// keys must not be kept.
type Prefetcher interface {
	Reader
	Prefetch(keys [][]byte)
}

// accountState is an account with room for the few balances that most accounts have.
type accountState struct {
	Account
	room [2]Balance
}

// pageID names a page of an account's balances.
type pageID struct {
	account crypto.Address
	page    uint32
}

// entryID names an entry.
type entryID struct {
	namespace crypto.Address
	path      string
}

// state is the state during a block: what the Reader has, and over it what the block changed so far.
type state struct {
	reader Reader
	height uint64
	timeMS uint64

	params Params
	chain  Chain
	before Chain // chain as it was before the current transaction
	loaded Chain // chain as it was before the block

	accounts   table[crypto.Address, accountState]
	pages      table[pageID, []Balance]
	assets     table[crypto.Hash, Asset]
	entries    table[entryID, Entry]
	namespaces table[crypto.Address, Namespace]
	validators table[crypto.ValidatorID, Validator]
	ids        table[struct{}, []crypto.ValidatorID]
	nodes      table[crypto.ValidatorID, Node]

	tag     Tag    // of the operation that is being executed
	txSeq   uint64 // counts transactions, so that each saves an object once
	bytes   arena
	touched []crypto.Address // room for the lists of touched accounts

	recordKey []byte   // of the transaction that is being executed
	ahead     [][]byte // room for the keys of prefetch

	records map[TxID]struct{} // ids that this block wrote a replay record for
	counts  map[uint64]uint64 // records by bucket, those before this block included
	changes []Change          // records and dropped buckets; the tables' changes join them at the end
}

// newState reads what every block needs. txs sizes the maps.
func newState(r Reader, height, timeMS uint64, txs int) (*state, error) {
	s := emptyState(r, height, timeMS, txs)
	leaf, err := r.Get(KeyParams())
	if err != nil {
		return nil, err
	}
	if leaf == nil {
		return nil, fmt.Errorf("the state holds no parameters: it was not made by a genesis")
	}
	if s.params, err = DecodeParams(leaf); err != nil {
		return nil, err
	}
	leaf, err = r.Get(KeyChain())
	if err != nil {
		return nil, err
	}
	if leaf != nil {
		if s.chain, err = DecodeChain(leaf); err != nil {
			return nil, err
		}
	}
	s.before, s.loaded = s.chain, s.chain
	return s, nil
}

func emptyState(r Reader, height, timeMS uint64, txs int) *state {
	return &state{
		reader: r, height: height, timeMS: timeMS, txSeq: 1,
		accounts:   newTable(accountLayout, 2*txs),
		pages:      newTable(pageLayout, 0),
		assets:     newTable(assetLayout, 0),
		entries:    newTable(entryLayout, 0),
		namespaces: newTable(namespaceLayout, 0),
		validators: newTable(validatorLayout, 0),
		ids:        newTable(idsLayout, 0),
		nodes:      newTable(nodeLayout, 0),
		records:    make(map[TxID]struct{}, txs),
		counts:     make(map[uint64]uint64),
		changes:    make([]Change, 0, 3*txs+8),
	}
}

// keep makes what the current transaction changed final and begins the next one.
func (s *state) keep() {
	s.accounts.keep()
	s.pages.keep()
	s.assets.keep()
	s.entries.keep()
	s.namespaces.keep()
	s.validators.keep()
	s.ids.keep()
	s.nodes.keep()
	s.before = s.chain
	s.txSeq++
}

// restore takes back what the current transaction changed and begins the next one.
func (s *state) restore() {
	s.accounts.restore()
	s.pages.restore()
	s.assets.restore()
	s.entries.restore()
	s.namespaces.restore()
	s.validators.restore()
	s.ids.restore()
	s.nodes.restore()
	s.chain = s.before
	s.txSeq++
}

// asset returns an asset that must exist.
func (s *state) asset(id crypto.Hash) (*cell[crypto.Hash, Asset], error) {
	c, err := s.assets.get(s, id)
	if err == nil && !c.exists {
		return nil, reject(CodeAssetNotFound, "id %s", id)
	}
	return c, err
}

// nextRevision is the version of the next write of an entry.
func (s *state) nextRevision() uint64 {
	s.chain.Revision++
	return s.chain.Revision
}

// touch announces a change of the account, which exists from then on.
func (s *state) touch(c *cell[crypto.Address, accountState]) {
	s.accounts.change(s, c)
	c.exists = true
}

// log appends the transaction to the log chain of every account that it changed or that acted in it.
func (s *state) log(id TxID) {
	for i := range s.accounts.undo {
		a := &s.accounts.undo[i].cell.value
		a.LogHead = LogHead(a.LogHead, id, s.height)
		a.LogCount++
	}
}

// LogHead is the head of an account's log chain after a transaction that was committed at the height.
func LogHead(head crypto.Hash, id TxID, height uint64) crypto.Hash {
	var h [8]byte
	binary.BigEndian.PutUint64(h[:], height)
	return crypto.SumTagged(crypto.TagLog, head[:], id[:], h[:])
}

var accountLayout = layout[crypto.Address, accountState]{
	appendKey: func(dst []byte, id crypto.Address) []byte { return append(append(dst, PrefixAccount), id[:]...) },
	decode: func(a *accountState, leaf []byte) error {
		a.Balances = a.room[:0]
		return a.Account.decode(leaf)
	},
	append: func(a *accountState, dst []byte) []byte { return a.Account.Append(dst) },
	copy: func(dst, src *accountState) {
		lanes, balances := dst.Lanes[:0], dst.Balances[:0]
		if balances == nil {
			balances = dst.room[:0]
		}
		dst.Account = src.Account // the policy's members are replaced, never changed in place
		dst.Lanes = append(lanes, src.Lanes...)
		dst.Balances = append(balances, src.Balances...)
	},
}

var pageLayout = layout[pageID, []Balance]{
	appendKey: func(dst []byte, id pageID) []byte {
		return binary.BigEndian.AppendUint32(append(append(dst, PrefixPage), id.account[:]...), id.page)
	},
	decode: func(p *[]Balance, leaf []byte) (err error) {
		*p, err = DecodePage(leaf)
		return err
	},
	append: func(p *[]Balance, dst []byte) []byte { return AppendPage(dst, *p) },
	copy:   func(dst, src *[]Balance) { *dst = append((*dst)[:0], *src...) },
}

var assetLayout = layout[crypto.Hash, Asset]{
	appendKey: func(dst []byte, id crypto.Hash) []byte { return append(append(dst, PrefixAsset), id[:]...) },
	decode: func(a *Asset, leaf []byte) (err error) {
		*a, err = DecodeAsset(leaf)
		return err
	},
	append: (*Asset).Append,
	copy:   func(dst, src *Asset) { *dst = *src },
}

var entryLayout = layout[entryID, Entry]{
	appendKey: func(dst []byte, id entryID) []byte {
		return append(append(append(dst, PrefixEntry), id.namespace[:]...), id.path...)
	},
	decode: func(e *Entry, leaf []byte) (err error) {
		*e, err = DecodeEntry(leaf)
		return err
	},
	append: (*Entry).Append,
	copy:   func(dst, src *Entry) { *dst = *src }, // values are replaced, never changed in place
}

var validatorLayout = layout[crypto.ValidatorID, Validator]{
	appendKey: func(dst []byte, id crypto.ValidatorID) []byte { return append(append(dst, PrefixValidator), id[:]...) },
	decode: func(v *Validator, leaf []byte) (err error) {
		*v, err = DecodeValidator(leaf)
		return err
	},
	append: (*Validator).Append,
	copy:   func(dst, src *Validator) { *dst = *src },
}

var nodeLayout = layout[crypto.ValidatorID, Node]{
	appendKey: func(dst []byte, id crypto.ValidatorID) []byte { return append(append(dst, PrefixNode), id[:]...) },
	decode: func(n *Node, leaf []byte) (err error) {
		*n, err = DecodeNode(leaf)
		return err
	},
	append: (*Node).Append,
	copy:   func(dst, src *Node) { *dst = *src }, // lists are replaced, never changed in place
}

// idsLayout is the one leaf that lists the validators.
var idsLayout = layout[struct{}, []crypto.ValidatorID]{
	appendKey: func(dst []byte, _ struct{}) []byte { return append(dst, PrefixValidators) },
	decode: func(ids *[]crypto.ValidatorID, leaf []byte) (err error) {
		*ids, err = DecodeValidators(leaf)
		return err
	},
	append: func(ids *[]crypto.ValidatorID, dst []byte) []byte { return AppendValidators(dst, *ids) },
	copy:   func(dst, src *[]crypto.ValidatorID) { *dst = append((*dst)[:0], *src...) },
}
