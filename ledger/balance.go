package ledger

import "github.com/tetradledger/tetrad/crypto"

// Balances are kept in order of arrival: first in the account's leaf, then in pages, each full but the
// last. A balance that becomes zero is removed and the very last one takes its place, so that the list
// stays dense and its length bounded by what the account really holds.

type accountCell = cell[crypto.Address, accountState]

// slot is where a balance lies: in the leaf (page -1) or in a page.
type slot struct {
	page  int
	index int
}

const inline = -1

// balance finds what the account holds of an asset; found is false if that is nothing.
func (s *state) balance(c *accountCell, asset crypto.Hash) (amount Amount, at slot, found bool, err error) {
	if i := indexOf(c.value.Balances, asset); i >= 0 {
		return c.value.Balances[i].Amount, slot{inline, i}, true, nil
	}
	for page := range int(c.value.Pages) {
		p, err := s.page(c, page)
		if err != nil {
			return Amount{}, slot{}, false, err
		}
		if i := indexOf(p.value, asset); i >= 0 {
			return p.value[i].Amount, slot{page, i}, true, nil
		}
	}
	return Amount{}, slot{}, false, nil
}

func indexOf(balances []Balance, asset crypto.Hash) int {
	for i := range balances {
		if balances[i].Asset == asset {
			return i
		}
	}
	return -1
}

// page returns a page of the account's balances, which is empty if it does not exist yet.
func (s *state) page(c *accountCell, page int) (*cell[pageID, []Balance], error) {
	return s.pages.get(s, pageID{account: c.id, page: uint32(page)})
}

// list returns the list that holds a slot, ready to be changed.
func (s *state) list(c *accountCell, page int) (*[]Balance, error) {
	if page == inline {
		return &c.value.Balances, nil
	}
	p, err := s.page(c, page)
	if err != nil {
		return nil, err
	}
	s.pages.change(s, p)
	p.exists = true
	return &p.value, nil
}

// credit adds to a balance.
func (s *state) credit(c *accountCell, asset crypto.Hash, amount Amount) error {
	have, at, found, err := s.balance(c, asset)
	if err != nil {
		return err
	}
	sum, ok := have.Add(amount)
	if !ok {
		return reject(CodeAmountOverflow, "balance %s and %s", have, amount)
	}
	s.touch(c)
	if !found {
		return s.appendBalance(c, Balance{Asset: asset, Amount: sum})
	}
	list, err := s.list(c, at.page)
	if err != nil {
		return err
	}
	(*list)[at.index].Amount = sum
	return nil
}

// appendBalance makes room for a further asset.
func (s *state) appendBalance(c *accountCell, b Balance) error {
	if len(c.value.Balances) < BalancesInline {
		c.value.Balances = append(c.value.Balances, b)
		return nil
	}
	last := int(c.value.Pages) - 1
	if last >= 0 {
		list, err := s.list(c, last)
		if err != nil {
			return err
		}
		if len(*list) < BalancesPerPage {
			*list = append(*list, b)
			return nil
		}
	}
	if c.value.Pages == PagesMax {
		return reject(CodeBalancesFull, "account %s", c.id)
	}
	list, err := s.list(c, last+1)
	if err != nil {
		return err
	}
	*list = append((*list)[:0], b)
	c.value.Pages++
	return nil
}

// debit takes from a balance, which must suffice.
func (s *state) debit(c *accountCell, asset crypto.Hash, amount Amount) error {
	have, at, found, err := s.balance(c, asset)
	if err != nil {
		return err
	}
	rest, ok := have.Sub(amount)
	if !ok || !found {
		return reject(CodeInsufficientFunds, "have %s, need %s", have, amount)
	}
	s.touch(c)
	if rest.IsZero() {
		return s.removeBalance(c, at)
	}
	list, err := s.list(c, at.page)
	if err != nil {
		return err
	}
	(*list)[at.index].Amount = rest
	return nil
}

// removeBalance takes a slot out by moving the last balance of all into it.
func (s *state) removeBalance(c *accountCell, at slot) error {
	lastPage := int(c.value.Pages) - 1 // inline when there is none
	last, err := s.list(c, lastPage)
	if err != nil {
		return err
	}
	list, err := s.list(c, at.page)
	if err != nil {
		return err
	}
	end := len(*last) - 1
	(*list)[at.index] = (*last)[end]
	*last = (*last)[:end]
	if end == 0 && lastPage != inline {
		p, err := s.page(c, lastPage)
		if err != nil {
			return err
		}
		p.exists = false
		c.value.Pages--
	}
	return nil
}
