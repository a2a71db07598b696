package ledger

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// Amount is an unsigned 128-bit integer in an asset's smallest unit. Arithmetic is checked: a result that
// does not fit is reported, never wrapped.
type Amount struct{ Hi, Lo uint64 }

// Add returns a+b, and false if it does not fit.
func (a Amount) Add(b Amount) (Amount, bool) {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, over := bits.Add64(a.Hi, b.Hi, carry)
	return Amount{Hi: hi, Lo: lo}, over == 0
}

// Sub returns a-b, and false if b is larger than a.
func (a Amount) Sub(b Amount) (Amount, bool) {
	lo, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	hi, under := bits.Sub64(a.Hi, b.Hi, borrow)
	return Amount{Hi: hi, Lo: lo}, under == 0
}

// Cmp returns -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Amount) Cmp(b Amount) int {
	switch {
	case a == b:
		return 0
	case a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo:
		return -1
	default:
		return 1
	}
}

// IsZero reports whether the amount is zero.
func (a Amount) IsZero() bool { return a == Amount{} }

// Bytes is the form on the wire: big-endian without leading zero bytes, and so empty for zero.
func (a Amount) Bytes() []byte {
	var b [16]byte
	a.put(b[:])
	n := (bits.LeadingZeros64(a.Hi)) / 8
	if a.Hi == 0 {
		n = 8 + bits.LeadingZeros64(a.Lo)/8
	}
	return b[n:]
}

// AmountFromBytes reads the form on the wire: at most 16 bytes, no leading zero byte.
func AmountFromBytes(b []byte) (Amount, error) {
	if len(b) > 16 {
		return Amount{}, reject(CodeBadAmount, "%d bytes, at most 16 allowed", len(b))
	}
	if len(b) > 0 && b[0] == 0 {
		return Amount{}, reject(CodeBadAmount, "leading zero byte")
	}
	return amountOf(b), nil
}

// amountOf reads an amount whose shape was checked before.
func amountOf(b []byte) Amount {
	var a Amount
	for _, c := range b {
		a.Hi = a.Hi<<8 | a.Lo>>56
		a.Lo = a.Lo<<8 | uint64(c)
	}
	return a
}

// put writes the 16 bytes of the form in leaves.
func (a Amount) put(b []byte) {
	binary.BigEndian.PutUint64(b, a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
}

// div10 returns a/10 and the remainder.
func (a Amount) div10() (Amount, byte) {
	hi, rem := bits.Div64(0, a.Hi, 10)
	lo, rem := bits.Div64(rem, a.Lo, 10)
	return Amount{Hi: hi, Lo: lo}, byte(rem)
}

// mul10Add returns a*10+d, and false if it does not fit.
func (a Amount) mul10Add(d byte) (Amount, bool) {
	over, hi := bits.Mul64(a.Hi, 10)
	carry, lo := bits.Mul64(a.Lo, 10)
	sum, ok := Amount{Hi: hi}.Add(Amount{Hi: carry, Lo: lo})
	if over != 0 || !ok {
		return Amount{}, false
	}
	return sum.Add(Amount{Lo: uint64(d)})
}

// String is the amount in smallest units, without a point.
func (a Amount) String() string { return a.Format(0) }

// Format is the amount as people write it, with exactly scale digits after the point.
func (a Amount) Format(scale uint8) string {
	digits := make([]byte, 0, 48) // least significant first
	for rest := a; !rest.IsZero() || len(digits) <= int(scale); {
		var d byte
		rest, d = rest.div10()
		digits = append(digits, '0'+d)
	}
	var text strings.Builder
	for i := len(digits) - 1; i >= 0; i-- {
		text.WriteByte(digits[i])
		if i == int(scale) && scale > 0 {
			text.WriteByte('.')
		}
	}
	return text.String()
}

// ParseAmount reads a decimal such as 12.5 as an amount of an asset with the scale. What cannot be held
// exactly is refused, never rounded: too many decimals, signs, exponents, separators, blanks.
func ParseAmount(text string, scale uint8) (Amount, error) {
	bad := func(format string, args ...any) (Amount, error) {
		return Amount{}, reject(CodeBadAmount, "%q "+format, append([]any{text}, args...)...)
	}
	if len(text) > amountTextMax {
		text = text[:amountTextMax]
		return bad("... is longer than %d characters", amountTextMax)
	}
	whole, fraction, pointed := strings.Cut(text, ".")
	switch {
	case text == "":
		return bad("is empty")
	case text[0] == '-':
		return bad("is negative")
	case whole == "" || pointed && fraction == "":
		return bad("needs digits on both sides of the point")
	case len(fraction) > int(scale):
		return bad("has %d decimals, at most %d allowed", len(fraction), scale)
	}
	digits := whole + fraction + strings.Repeat("0", int(scale)-len(fraction))
	var sum Amount
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return bad("is not a decimal number: unexpected %q", digits[i])
		}
		var ok bool
		if sum, ok = sum.mul10Add(digits[i] - '0'); !ok {
			return bad("is too large")
		}
	}
	return sum, nil
}

// GoString helps a failing test say what it saw.
func (a Amount) GoString() string { return fmt.Sprintf("Amount(%s)", a.Format(0)) }
