package main

import (
	"strings"

	"github.com/tetradledger/tetrad/ledger"
)

// amountText is an amount as typed, 12.50usd, taken apart but not yet understood: the asset's scale comes
// from the ledger.
type amountText struct {
	text   string // as typed, for messages
	number string
	asset  string
}

// splitAmount checks everything about an amount that can be checked without knowing the asset.
func splitAmount(text string) (amountText, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return amountText{}, badAmount("amount is empty")
	}
	at := strings.IndexFunc(trimmed, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
	if at < 0 {
		return amountText{}, badAmount("amount %q names no asset", text)
	}
	number, asset := strings.TrimSpace(trimmed[:at]), trimmed[at:]
	switch {
	case number == "":
		return amountText{}, badAmount("amount %q has no number", text)
	case strings.HasPrefix(number, "-"):
		return amountText{}, badAmount("amount %q is negative: an amount is more than zero", text)
	case strings.ContainsAny(number, ",_ '"):
		return amountText{}, badAmount("amount %q has a separator: write digits and at most one point", text)
	}
	return amountText{text: text, number: number, asset: asset}, nil
}

// at reads the number at the asset's scale.
func (a amountText) at(scale uint8) (ledger.Amount, error) {
	amount, err := ledger.ParseAmount(a.number, scale)
	if err != nil {
		return ledger.Amount{}, badAmount("amount %q: %v", a.text, err)
	}
	if amount.IsZero() {
		return ledger.Amount{}, badAmount("amount %q is zero: an amount is more than zero", a.text)
	}
	return amount, nil
}

func badAmount(format string, args ...any) *failure {
	f := usagef(format, args...).next("an amount is a number and an asset, such as 12.50usd")
	f.slug = "bad_amount"
	return f
}
