package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *Assert) validate() *Reject {
	switch that := m.That.(type) {
	case *Assert_Balance:
		return that.Balance.validate().orNil("balance")
	case *Assert_Entry:
		if r := checkID("namespace", that.Entry.Namespace); r != nil {
			return r.in("entry")
		}
		return checkPath(that.Entry.Path).orNil("entry")
	case *Assert_Height:
		return checkRange(that.Height.Min, that.Height.Max).orNil("height")
	case *Assert_Time:
		return checkRange(that.Time.MinMs, that.Time.MaxMs).orNil("time")
	}
	return reject(CodeBadField, "says nothing to assert")
}

func (m *AssertBalance) validate() *Reject {
	if r := checkID("account", m.Account); r != nil {
		return r
	}
	if r := checkID("asset", m.Asset); r != nil {
		return r
	}
	low, err := AmountFromBytes(m.Min)
	if err != nil {
		return err.(*Reject).in("min")
	}
	high, err := AmountFromBytes(m.Max)
	if err != nil {
		return err.(*Reject).in("max")
	}
	if len(m.Max) > 0 && low.Cmp(high) > 0 || len(m.Min)+len(m.Max) == 0 {
		return reject(CodeBadField, "no bound, or min above max")
	}
	return nil
}

// checkRange accepts a range that some value lies in and some does not; a max of 0 is no upper bound.
func checkRange(low, high uint64) *Reject {
	if low == 0 && high == 0 || high != 0 && low > high {
		return reject(CodeBadField, "no bound, or min above max")
	}
	return nil
}

// apply changes nothing; it fails the whole transaction unless what it says holds at this point of it.
func (m *Assert) apply(s *state, _ crypto.Address) error {
	switch that := m.That.(type) {
	case *Assert_Balance:
		return that.Balance.holds(s)
	case *Assert_Entry:
		c, err := s.entries.get(s, entryID{namespace: crypto.Address(that.Entry.Namespace), path: that.Entry.Path})
		if err != nil {
			return err
		}
		if c.value.Version != that.Entry.Version {
			return reject(CodeAssertFailed, "%s is at version %d, not %d", that.Entry.Path, c.value.Version, that.Entry.Version)
		}
	case *Assert_Height:
		return within("height", s.height, that.Height.Min, that.Height.Max)
	case *Assert_Time:
		return within("time", s.timeMS, that.Time.MinMs, that.Time.MaxMs)
	}
	return nil
}

func (m *AssertBalance) holds(s *state) error {
	asset, err := s.asset(crypto.Hash(m.Asset))
	if err != nil {
		return err
	}
	c, err := s.accounts.get(s, crypto.Address(m.Account))
	if err != nil {
		return err
	}
	have, _, _, err := s.balance(c, asset.id)
	if err != nil {
		return err
	}
	if have.Cmp(amountOf(m.Min)) < 0 || len(m.Max) > 0 && have.Cmp(amountOf(m.Max)) > 0 {
		return reject(CodeAssertFailed, "balance is %s", have)
	}
	return nil
}

func within(what string, value, low, high uint64) error {
	if value < low || high != 0 && value > high {
		return reject(CodeAssertFailed, "%s is %d", what, value)
	}
	return nil
}
