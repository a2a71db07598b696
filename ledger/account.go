package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// Account is the leaf of an account: who may act for it, where its lanes are, the head of the chain of
// transactions that touched it, and its first balances.
type Account struct {
	Policy   Policy      // default: the key the address is derived from
	Lanes    []LaneState // ascending by id
	LogCount uint64
	LogHead  crypto.Hash
	Pages    uint32    // pages of further balances, each full but the last
	Balances []Balance // in order of arrival; none is zero

	Equivocation Equivocation `json:",omitzero"`
}

// Equivocation is what was proven of an account that says different things in one place.
type Equivocation struct {
	Count  uint32 // proofs, each of another key
	Height uint64 // of the last one
	Barred bool   // from operations that merge, until the account has another key
}

// equivocationVersion is the version byte of the leaf of an account that was proven to equivocate. All others have
// the older layout without.
const equivocationVersion = 2

// LaneState is the last sequence number that was used in a lane.
type LaneState struct{ ID, Seq uint64 }

// Balance is what an account holds of an asset.
type Balance struct {
	Asset  crypto.Hash
	Amount Amount
}

// Append appends the leaf's encoding.
func (a *Account) Append(b []byte) []byte {
	b = a.Equivocation.append(b)
	b = a.Policy.append(b)
	b = append(b, byte(len(a.Lanes)))
	for _, lane := range a.Lanes {
		b = binary.BigEndian.AppendUint64(b, lane.ID)
		b = binary.BigEndian.AppendUint64(b, lane.Seq)
	}
	b = binary.BigEndian.AppendUint64(b, a.LogCount)
	b = append(b, a.LogHead[:]...)
	b = binary.BigEndian.AppendUint32(b, a.Pages)
	return appendBalances(b, a.Balances)
}

// DecodeAccount reads an account's leaf.
func DecodeAccount(b []byte) (Account, error) {
	var a Account
	return a, a.decode(b)
}

// decode reads a leaf into an account that may bring room for its lists.
func (a *Account) decode(b []byte) error {
	r := leafReader{rest: b}
	a.Equivocation.read(&r)
	a.Policy.read(&r)
	lanes := r.count("lanes", LanesMax)
	if lanes > 0 {
		a.Lanes = make([]LaneState, 0, lanes)
	}
	for i := range lanes {
		lane := LaneState{ID: r.u64(), Seq: r.u64()}
		if r.fault == "" && (lane.Seq == 0 || i > 0 && a.Lanes[i-1].ID >= lane.ID) {
			r.fail("lanes are not ascending or hold a zero")
		}
		a.Lanes = append(a.Lanes, lane)
	}
	a.LogCount = r.u64()
	a.LogHead = r.b32()
	a.Pages = r.u32()
	if a.Pages > PagesMax {
		r.fail("too many pages")
	}
	a.Balances = readBalances(&r, a.Balances, BalancesInline)
	if a.Pages > 0 && len(a.Balances) < BalancesInline {
		r.fail("pages behind a list that is not full")
	}
	return r.end("account")
}

// append begins the leaf: with its version, and what was proven.
func (e *Equivocation) append(b []byte) []byte {
	if e.Count == 0 {
		return append(b, leafVersion)
	}
	b = binary.BigEndian.AppendUint32(append(b, equivocationVersion), e.Count)
	b = binary.BigEndian.AppendUint64(b, e.Height)
	if e.Barred {
		return append(b, 1)
	}
	return append(b, 0)
}

func (e *Equivocation) read(r *leafReader) {
	switch version := r.u8(); {
	case r.fault != "" || version == leafVersion:
		return
	case version != equivocationVersion:
		r.fail(fmt.Sprintf("version %d is not known", version))
		return
	}
	e.Count, e.Height = r.u32(), r.u64()
	barred := r.u8()
	e.Barred = barred == 1
	if r.fault == "" && (e.Count == 0 || barred > 1) {
		r.fail("an equivocation without a proof, or one that is neither barred nor not")
	}
}

// AppendPage appends the encoding of a page of balances.
func AppendPage(b []byte, balances []Balance) []byte {
	return appendBalances(append(b, leafVersion), balances)
}

// DecodePage reads a page of balances; a page is never empty.
func DecodePage(b []byte) ([]Balance, error) {
	r := readLeaf(b)
	balances := readBalances(&r, nil, BalancesPerPage)
	if len(balances) == 0 {
		r.fail("page is empty")
	}
	return balances, r.end("page")
}

func appendBalances(b []byte, balances []Balance) []byte {
	b = append(b, byte(len(balances)))
	for i := range balances {
		b = append(b, balances[i].Asset[:]...)
		b = appendAmount(b, balances[i].Amount)
	}
	return b
}

// readBalances appends a list of balances to the room it is given. A zero balance or an asset that comes
// twice means that somebody else wrote the leaf.
func readBalances(r *leafReader, room []Balance, max int) []Balance {
	n := r.count("balances", max)
	for range n {
		b := Balance{Asset: r.b32(), Amount: r.amount()}
		if r.fault != "" {
			return room
		}
		if b.Amount.IsZero() {
			r.fail("balance is zero")
		}
		for i := range room {
			if room[i].Asset == b.Asset {
				r.fail("two balances of one asset")
			}
		}
		room = append(room, b)
	}
	return room
}
