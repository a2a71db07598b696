package ledger

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var amountMax = Amount{Hi: 1<<64 - 1, Lo: 1<<64 - 1}

func genAmount() *rapid.Generator[Amount] {
	word := rapid.OneOf(rapid.Uint64(), rapid.Just(uint64(0)), rapid.Just(uint64(1<<64-1)), rapid.Uint64Range(0, 20))
	return rapid.Custom(func(t *rapid.T) Amount { return Amount{Hi: word.Draw(t, "hi"), Lo: word.Draw(t, "lo")} })
}

// TestAmountIsAnInteger compares every operation with math/big.
func TestAmountIsAnInteger(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	rapid.Check(t, func(t *rapid.T) {
		a, b := genAmount().Draw(t, "a"), genAmount().Draw(t, "b")
		x, y := toBig(a), toBig(b)
		if got := a.Cmp(b); got != x.Cmp(y) {
			t.Fatalf("Cmp is %d", got)
		}
		sum, ok := a.Add(b)
		if want := new(big.Int).Add(x, y); ok != (want.Cmp(limit) < 0) || ok && toBig(sum).Cmp(want) != 0 {
			t.Fatalf("Add is %v, %v", sum, ok)
		}
		difference, ok := a.Sub(b)
		if want := new(big.Int).Sub(x, y); ok != (want.Sign() >= 0) || ok && toBig(difference).Cmp(want) != 0 {
			t.Fatalf("Sub is %v, %v", difference, ok)
		}
		if !bytes.Equal(a.Bytes(), x.Bytes()) || a.String() != x.String() || a.IsZero() != (x.Sign() == 0) {
			t.Fatalf("%x, %s", a.Bytes(), a)
		}
		if back, err := AmountFromBytes(a.Bytes()); err != nil || back != a {
			t.Fatalf("%v, %v", back, err)
		}
		scale := rapid.Uint8Range(0, ScaleMax).Draw(t, "scale")
		if back, err := ParseAmount(a.Format(scale), scale); err != nil || back != a {
			t.Fatalf("%s parses as %v: %v", a.Format(scale), back, err)
		}
	})
}

func TestFormatAmount(t *testing.T) {
	for _, c := range []struct {
		amount Amount
		scale  uint8
		want   string
	}{
		{Amount{}, 0, "0"},
		{Amount{}, 2, "0.00"},
		{Amount{Lo: 5}, 2, "0.05"},
		{Amount{Lo: 1250}, 2, "12.50"},
		{Amount{Lo: 100_000_000}, 2, "1000000.00"},
		{Amount{Lo: 1}, 30, "0.000000000000000000000000000001"},
		{amountMax, 0, "340282366920938463463374607431768211455"},
		{SupplyMax, 0, "79228162514264337593543950335"},
	} {
		if got := c.amount.Format(c.scale); got != c.want {
			t.Errorf("%#v at scale %d is %q, want %q", c.amount, c.scale, got, c.want)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale uint8
		want  Amount
		fault string
	}{
		{"12.50", 2, Amount{Lo: 1250}, ""},
		{"12.5", 2, Amount{Lo: 1250}, ""},
		{"12", 2, Amount{Lo: 1200}, ""},
		{"0", 2, Amount{}, ""},
		{"0.00", 2, Amount{}, ""},
		{"007", 0, Amount{Lo: 7}, ""},
		{"340282366920938463463374607431768211455", 0, amountMax, ""},
		{"340282366920938463463374607431768211456", 0, Amount{}, "is too large"},
		{"3402823669209384634633746074317682114550", 0, Amount{}, "is too large"},
		{"3.40282366920938463463374607431768211455", 30, Amount{}, "has 38 decimals, at most 30 allowed"},
		{"12.505", 2, Amount{}, "has 3 decimals, at most 2 allowed"},
		{"12.500", 2, Amount{}, "has 3 decimals, at most 2 allowed"},
		{"12.0", 0, Amount{}, "has 1 decimals, at most 0 allowed"},
		{"", 2, Amount{}, "is empty"},
		{"-1", 2, Amount{}, "is negative"},
		{"+1", 2, Amount{}, `unexpected '+'`},
		{".5", 2, Amount{}, "needs digits on both sides of the point"},
		{"5.", 2, Amount{}, "needs digits on both sides of the point"},
		{".", 2, Amount{}, "needs digits on both sides of the point"},
		{"1e3", 2, Amount{}, `unexpected 'e'`},
		{"1,000", 2, Amount{}, `unexpected ','`},
		{" 1", 2, Amount{}, `unexpected ' '`},
		{"1.2.3", 4, Amount{}, `unexpected '.'`},
		{"0x10", 2, Amount{}, `unexpected 'x'`},
		{strings.Repeat("0", amountTextMax), 0, Amount{}, ""},
		{strings.Repeat("0", amountTextMax+1), 0, Amount{}, "is longer than 80 characters"},
	} {
		got, err := ParseAmount(c.text, c.scale)
		switch {
		case c.fault == "" && (err != nil || got != c.want):
			t.Errorf("%q is %v, %v", c.text, got, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: %v, want %q", c.text, err, c.fault)
		}
	}
}

func TestAmountBytesBounds(t *testing.T) {
	if a, err := AmountFromBytes(bytes.Repeat([]byte{255}, 16)); err != nil || a != amountMax {
		t.Errorf("16 bytes: %v, %v", a, err)
	}
	for _, c := range []struct {
		bytes []byte
		want  string
	}{
		{make([]byte, 17), "17 bytes, at most 16 allowed"},
		{[]byte{0}, "leading zero byte"},
		{[]byte{0, 1}, "leading zero byte"},
	} {
		if _, err := AmountFromBytes(c.bytes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%x: %v, want %q", c.bytes, err, c.want)
		}
	}
}
