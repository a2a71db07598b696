package ledger

// Sum is what a counter holds: a signed integer of 128 bits and a sign. A counter at zero is no entry.
type Sum struct {
	Negative  bool
	Magnitude Amount
}

// Add returns the sum and a difference, and false if that does not fit, which takes more additions than there
// ever will be.
func (s Sum) Add(delta int64) (Sum, bool) {
	d := Sum{Negative: delta < 0, Magnitude: Amount{Lo: uint64(delta)}}
	if d.Negative {
		d.Magnitude.Lo = -uint64(delta) // right for the smallest integer, too
	}
	if s.Negative == d.Negative {
		sum, ok := s.Magnitude.Add(d.Magnitude)
		return Sum{s.Negative, sum}, ok
	}
	if s.Magnitude.Cmp(d.Magnitude) < 0 {
		s, d = d, s
	}
	rest, _ := s.Magnitude.Sub(d.Magnitude)
	return Sum{s.Negative && !rest.IsZero(), rest}, true
}

// IsZero reports whether the sum is zero.
func (s Sum) IsZero() bool { return s.Magnitude.IsZero() }

// String is the sum as a decimal number.
func (s Sum) String() string {
	if s.Negative {
		return "-" + s.Magnitude.String()
	}
	return s.Magnitude.String()
}

func (s Sum) append(b []byte) []byte {
	sign := byte(0)
	if s.Negative {
		sign = 1
	}
	return appendAmount(append(b, sign), s.Magnitude)
}

func (s *Sum) read(r *leafReader) {
	sign := r.u8()
	s.Negative, s.Magnitude = sign == 1, r.amount()
	if r.fault == "" && (sign > 1 || s.Magnitude.IsZero()) {
		r.fail("the sum is zero or has a sign that is not known")
	}
}
