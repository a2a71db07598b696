package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *Assert) validate(crypto.Address) *Reject {
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
		if c.exists && c.value.Kind != KindRegister {
			return reject(CodeAssertFailed, "%s is a %s, which has no version", that.Entry.Path, c.value.Kind)
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

// jsonAssert is the JSON form of assert; exactly one field is present.
type jsonAssert struct {
	Balance *jsonAssertBalance `json:"balance,omitempty"`
	Entry   *jsonAssertEntry   `json:"entry,omitempty"`
	Height  *jsonAssertHeight  `json:"height,omitempty"`
	Time    *jsonAssertTime    `json:"time,omitempty"`
}

type jsonAssertBalance struct {
	Account  string `json:"account"`
	Asset    string `json:"asset"`
	Min      string `json:"min,omitempty"`
	MinUnits string `json:"min_units,omitempty"`
	Max      string `json:"max,omitempty"`
	MaxUnits string `json:"max_units,omitempty"`
}

type jsonAssertEntry struct {
	Namespace string `json:"namespace"`
	Path      string `json:"path"`
	Version   uint64 `json:"version"`
}

type jsonAssertHeight struct {
	Min uint64 `json:"min,omitempty"`
	Max uint64 `json:"max,omitempty"`
}

type jsonAssertTime struct {
	MinMS uint64 `json:"min_ms,omitempty"`
	MaxMS uint64 `json:"max_ms,omitempty"`
}

func (m *Assert) show(n Names) any {
	switch that := m.That.(type) {
	case *Assert_Balance:
		b := that.Balance
		form := &jsonAssertBalance{Account: n.show(b.Account), Asset: n.showAsset(b.Asset)}
		if len(b.Min) > 0 {
			form.Min, form.MinUnits = n.showAmount(b.Asset, b.Min)
		}
		if len(b.Max) > 0 {
			form.Max, form.MaxUnits = n.showAmount(b.Asset, b.Max)
		}
		return jsonAssert{Balance: form}
	case *Assert_Entry:
		return jsonAssert{Entry: &jsonAssertEntry{Namespace: n.show(that.Entry.Namespace), Path: that.Entry.Path, Version: that.Entry.Version}}
	case *Assert_Height:
		return jsonAssert{Height: &jsonAssertHeight{Min: that.Height.Min, Max: that.Height.Max}}
	case *Assert_Time:
		return jsonAssert{Time: &jsonAssertTime{MinMS: that.Time.MinMs, MaxMS: that.Time.MaxMs}}
	}
	return jsonAssert{}
}

func parseAssert(o *jsonObject) isOp_Kind {
	m := &Assert{}
	if b := o.inner("balance"); b != nil {
		that := &AssertBalance{Account: b.needAccount("account"), Asset: b.asset("asset")}
		that.Min = b.amountOrUnits("min", "min_units", that.Asset).Bytes()
		that.Max = b.amountOrUnits("max", "max_units", that.Asset).Bytes()
		b.end()
		m.set(o, &Assert_Balance{Balance: that})
	}
	if e := o.inner("entry"); e != nil {
		m.set(o, &Assert_Entry{Entry: &AssertEntry{
			Namespace: e.needAccount("namespace"), Path: e.need("path"), Version: e.number("version", 1<<64-1),
		}})
		e.end()
	}
	if h := o.inner("height"); h != nil {
		m.set(o, &Assert_Height{Height: &AssertHeight{Min: h.number("min", 1<<64-1), Max: h.number("max", 1<<64-1)}})
		h.end()
	}
	if t := o.inner("time"); t != nil {
		m.set(o, &Assert_Time{Time: &AssertTime{MinMs: t.number("min_ms", 1<<64-1), MaxMs: t.number("max_ms", 1<<64-1)}})
		t.end()
	}
	return &Op_Assert{Assert: m}
}

// set takes one alternative and refuses a second.
func (m *Assert) set(o *jsonObject, that isAssert_That) {
	if m.That != nil {
		o.r.fail(o.path, "only one thing to assert allowed")
	}
	m.That = that
}
