package store

import (
	"bytes"
	"fmt"

	"github.com/tetradledger/tetrad/ledger"
)

// touched checks the lists of touched accounts: one for each receipt, of accounts that the record changes, and
// empty exactly where the transaction did nothing.
func (r *recordCheck) touched(receipts []ledger.Receipt) {
	if r.e.Chunks[sectionTouched] == 0 {
		return
	}
	whole := !r.broken
	accounts := r.accounts()
	tx := 0
	r.chunks(sectionTouched, func(_ uint32, chunk []byte) error {
		return eachTouched(chunk, func(names []byte, width int) error {
			if whole && tx < len(receipts) && (len(names) > 0) != (receipts[tx].Outcome() == ledger.CodeOK) {
				r.f.fault(r.where, "transaction %d touched %d accounts; its receipt says code %s", tx, len(names)/width, receipts[tx].Outcome())
			}
			tx++
			for ; len(names) > 0; names = names[width:] {
				if accounts.find(names[:width]) < 0 && whole {
					return fmt.Errorf("it names account %x, which did not change", names[:width])
				}
			}
			return nil
		})
	})
	if whole && !r.broken && tx != len(receipts) {
		r.f.fault(r.where, "it has %d receipts and %d lists of touched accounts", len(receipts), tx)
	}
}

// accounts lists the accounts that the record changes. What does not decode was said already.
func (r *recordCheck) accounts() *blockTouches {
	b := &blockTouches{}
	for i := range r.e.Chunks[sectionState] {
		_ = readValue(r.f.txn, recordKey(r.e.Height, r.e.Root, sectionState, i), func(chunk []byte) error {
			return eachItem(chunk, func(key, value []byte) error {
				if bytes.HasPrefix(key, []byte{ledger.PrefixAccount}) {
					_ = b.addEnd(key, value)
				}
				return nil
			})
		})
	}
	return b
}
