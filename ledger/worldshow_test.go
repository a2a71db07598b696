package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
)

func (w *world) showReceipt(r *Receipt, touched []crypto.Address) string {
	if r.Code != 0 {
		text := fmt.Sprintf("%d %s", r.Code, Code(r.Code))
		if r.Op != 0 {
			text += fmt.Sprintf(" op=%d", r.Op)
		}
		return text + "\n"
	}
	var names []string
	for _, a := range touched {
		names = append(names, w.names[a])
	}
	return "committed, logged for " + strings.Join(names, " ") + "\n"
}

func (w *world) showUpdates(updates []ValidatorUpdate) (text string) {
	var lines []string
	for _, u := range updates {
		v := Validator{KeyType: u.KeyType, PublicKey: u.PublicKey}
		lines = append(lines, fmt.Sprintf("\nvalidator %s power=%d", w.validatorName(v.ID()), u.Power))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func (w *world) validatorName(id crypto.ValidatorID) string {
	if leaf := w.state[string(KeyValidator(id))]; leaf != nil {
		if v, err := DecodeValidator(leaf); err == nil {
			return v.Name
		}
	}
	return id.String()
}

// show prints leaves: accounts by name, and asset, entry, namespace, validator, chain, buckets, record.
func (w *world) show(a arguments) string {
	switch a.words[0] {
	case "asset":
		return w.showAsset(a.words[1])
	case "entry":
		return w.showEntry(w.account(a.words[1]), a.words[2])
	case "namespace":
		return w.showNamespace(a.words[1])
	case "validator":
		return w.showValidator(a.words[1])
	case "node":
		return w.showNode(a.words[1])
	case "buckets":
		return w.showBuckets()
	case "record":
		return w.showRecord(a.words[1])
	}
	var b strings.Builder
	for _, name := range a.words {
		b.WriteString(w.showAccount(name) + "\n")
	}
	return b.String()
}

func (w *world) showAccount(name string) string {
	leaf := w.state[string(KeyAccount(w.account(name)))]
	if leaf == nil {
		return name + ": no leaf"
	}
	account, err := DecodeAccount(leaf)
	if err != nil {
		return name + ": " + err.Error()
	}
	text := fmt.Sprintf("%s:", name)
	balances := account.Balances
	for page := range account.Pages {
		more, err := DecodePage(w.state[string(KeyPage(w.account(name), page))])
		if err != nil {
			return name + ": " + err.Error()
		}
		text += fmt.Sprintf(" page%d=%d", page, len(more))
	}
	if account.Pages > 0 {
		text += fmt.Sprintf(" inline=%d", len(balances))
		balances = nil
	}
	for _, balance := range balances {
		for code, scale := range w.scales {
			if AssetIDOf(code) == balance.Asset {
				text += " " + balance.Amount.Format(scale) + code
			}
		}
	}
	for _, lane := range account.Lanes {
		text += fmt.Sprintf(" lane%d=%d", lane.ID, lane.Seq)
	}
	if !account.Policy.IsDefault() {
		text += " policy=own"
	}
	if e := account.Equivocation; e.Count > 0 {
		text += fmt.Sprintf(" equivocated=%d last=%d barred=%v", e.Count, e.Height, e.Barred)
	}
	return text + fmt.Sprintf(" log=%d", account.LogCount)
}

func (w *world) showAsset(code string) string {
	leaf := w.state[string(KeyAsset(AssetIDOf(code)))]
	if leaf == nil {
		return code + ": no leaf"
	}
	a, err := DecodeAsset(leaf)
	if err != nil {
		return err.Error()
	}
	limit := a.MaxSupply.Format(a.Scale)
	if a.MaxSupply == SupplyMax {
		limit = "largest"
	}
	return fmt.Sprintf("%s: scale=%d issuer=%s supply=%s max=%s", a.Code, a.Scale, w.names[a.Issuer], a.Supply.Format(a.Scale), limit)
}

func (w *world) showEntry(namespace crypto.Address, path string) string {
	leaf := w.state[string(KeyEntry(namespace, path))]
	if leaf == nil {
		return path + ": no leaf"
	}
	e, err := DecodeEntry(leaf)
	if err != nil {
		return err.Error()
	}
	if e.Kind == KindRegister {
		return fmt.Sprintf("%s: %q version=%d height=%d", path, e.Value, e.Version, e.ModifiedHeight)
	}
	text := fmt.Sprintf("%s: %s", path, e.Kind)
	switch e.Kind {
	case KindCounter:
		text += " " + e.Sum.String()
	case KindLast:
		text += fmt.Sprintf(" %q depth=%d by %s", e.Value, e.Depth, w.rename(e.Tag.String()))
	}
	var lines []string
	for _, item := range e.Items {
		lines = append(lines, fmt.Sprintf("\n  %q by %s", item.Value, w.rename(item.Tag.String())))
	}
	for _, r := range e.Removed {
		lines = append(lines, fmt.Sprintf("\n  removed %s until %+d ms", w.rename(r.Tag.String()), int64(r.UntilMS)-int64(w.timeMS)))
	}
	slices.Sort(lines)
	return text + strings.Join(lines, "")
}

func (w *world) showNamespace(name string) string {
	leaf := w.state[string(KeyNamespace(w.account(name)))]
	if leaf == nil {
		return name + ": no leaf"
	}
	n, err := DecodeNamespace(leaf)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s: %d entries", name, n.Entries)
}

func (w *world) showValidator(name string) string {
	leaf := w.state[string(KeyValidator(validatorNamed(name)))]
	if leaf == nil {
		return name + ": no leaf"
	}
	v, err := DecodeValidator(leaf)
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("%s: power=%d faults=%d last=%d", v.Name, v.Power, v.Faults, v.LastFaultHeight)
	if !v.Operator.IsZero() {
		text += " operator=" + w.names[v.Operator]
	}
	return text
}

func (w *world) showNode(name string) string {
	leaf := w.state[string(KeyNode(validatorNamed(name)))]
	if leaf == nil {
		return name + ": no node"
	}
	n, err := DecodeNode(leaf)
	if err != nil {
		return err.Error()
	}
	var approvals []string
	for _, id := range n.Approvals {
		approvals = append(approvals, w.validators[id])
	}
	slices.Sort(approvals)
	text := fmt.Sprintf("%s: key=%x.. region=%q claimed=%q approvals=%s", name, n.ServiceKey[:4], n.Region(), n.Claimed, strings.Join(approvals, ","))
	if len(n.URLs) > 0 {
		text += " urls=" + strings.Join(n.URLs, ",")
	}
	if n.Plane != "" {
		text += " plane=" + n.Plane
	}
	return text
}

// showBuckets prints the replay buckets that have a leaf, by their end after genesis.
func (w *world) showBuckets() string {
	var lines []string
	for key, leaf := range w.state {
		if key[0] != PrefixBucket {
			continue
		}
		bucket := bucketOfKey([]byte(key))
		b, err := DecodeBucket(leaf)
		if err != nil {
			return err.Error()
		}
		end := (int64(w.params.BucketEndMS(bucket)) - testTimeMS) / 1000
		lines = append(lines, fmt.Sprintf("ends %8ds after genesis: %d records", end, b.Count))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (w *world) showRecord(name string) string {
	t := w.txs[name]
	for key, value := range w.state {
		if key[0] == PrefixRecord && bytes.HasSuffix([]byte(key), t.ID[:]) {
			r, err := DecodeRecord(value)
			if err != nil {
				return err.Error()
			}
			return fmt.Sprintf("%s: %s height=%d index=%d op=%d", name, r.Code, r.Height, r.Index, r.Op)
		}
	}
	return name + ": no record"
}
