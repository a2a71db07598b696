package rpc

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// EntryData is what an entry of an account's namespace says. Which fields it has depends on its kind.
type EntryData struct {
	Path           string       `json:"path"`
	Kind           string       `json:"kind" enum:"register,counter,last,multi,set" doc:"What it is, and so which operations it takes: put; add; write_last; write_multi; set_add and set_remove"`
	Value          []byte       `json:"value,omitempty" doc:"Of a register, and of one in which the deepest write wins: standard base64"`
	Text           *string      `json:"text,omitempty" doc:"The value, if it is readable text"`
	Version        uint64       `json:"version,omitempty" doc:"Of a register: grows with every write to the ledger's registers and is never used twice: a fencing token"`
	ModifiedHeight uint64       `json:"modified_height,omitempty" doc:"Of a register"`
	Sum            string       `json:"sum,omitempty" doc:"Of a counter: a decimal number, perhaps with a minus. A counter at zero is no entry"`
	Depth          uint64       `json:"depth,omitempty" doc:"Of a register in which the deepest write wins: a write that follows on this one has one more"`
	Tag            string       `json:"tag,omitempty" doc:"Of the same: the write that won"`
	Values         []EntryValue `json:"values,omitempty" doc:"Of a set: its elements; of a register that keeps all values: those that nobody has replaced"`
	Removed        int          `json:"removed,omitempty" doc:"How many writes it remembers as taken back that could still come"`
}

// EntryValue is one of the values that an entry holds.
type EntryValue struct {
	Value []byte   `json:"value" doc:"Standard base64"`
	Text  *string  `json:"text,omitempty" doc:"The value, if it is readable text"`
	Tags  []string `json:"tags" doc:"The writes that put it there: each a transaction's id, a slash and the position of the operation. Whoever takes the value back names them"`
}

// Entry is one entry of an account's namespace.
type Entry struct {
	Namespace string `json:"namespace" doc:"Address of the account that writes it"`
	EntryData
	Height   uint64 `json:"height"`
	Verified bool   `json:"verified"`
	// CanProve is there, and false, where what is said rests on transactions that no block holds.
	CanProve *bool    `json:"provable,omitempty" doc:"false, with include_pending only: what no block holds cannot be proven"`
	Pending  *Pending `json:"pending,omitempty" doc:"With include_pending: what the entry was joined with"`
	Provable
}

// Entries is a page of a namespace's entries, in order of their paths.
type Entries struct {
	Namespace string      `json:"namespace" doc:"Address of the account that writes them"`
	Prefix    string      `json:"prefix,omitempty" doc:"What the paths begin with, if that was asked for"`
	Count     uint64      `json:"count" doc:"How many entries the whole namespace has, whatever their paths"`
	Entries   []EntryData `json:"entries"`
	Next      string      `json:"next,omitempty" doc:"The list goes on: ask again with after, and with height, so that the pages are of one state. A page may be short, and even empty, and still have a next; absent: the list ends here"`
	Height    uint64      `json:"height"`
	Verified  bool        `json:"verified"`
	Provable
}

type entryInput struct {
	Namespace string `path:"namespace" doc:"The account whose namespace it is in: an address or a system account's name"`
	Path      string `path:"path" doc:"The entry's path; slashes need no escaping" example:"config/limits"`
	// IncludePending asks for more than the state.
	IncludePending bool `query:"include_pending" doc:"Join the entry with the operations on it that wait at this node for a block: its own clients' and those of the nodes it can reach. Not with proof=true or height"`
	Freshness
}

type entriesInput struct {
	Namespace string `path:"namespace" doc:"The account whose namespace it is: an address or a system account's name"`
	Prefix    string `query:"prefix" doc:"Only entries whose path begins so. Not with proof=true: what shows that a list is complete is the number of all entries" example:"config/"`
	After     string `query:"after" doc:"Only entries behind this path, which is next of the page before"`
	Limit     uint64 `query:"limit" doc:"At most so many entries, up to 500; 0 or absent: 100" example:"100"`
	Freshness
}

func readEntry(snap Snapshot, in *entryInput) (Entry, error) {
	namespace, err := parseAccount("namespace", in.Namespace)
	if err != nil {
		return Entry{}, err
	}
	if err := checkPathBytes("path path", in.Path); err != nil {
		return Entry{}, err
	}
	e, found, err := get(snap, ledger.KeyEntry(namespace, in.Path), ledger.DecodeEntry)
	if err != nil {
		return Entry{}, err
	}
	if !found {
		return Entry{}, notFound("There is no entry %q in the namespace of %s.", shorten(in.Path), in.Namespace)
	}
	return Entry{Namespace: namespace.String(), EntryData: DescribeEntry(in.Path, &e), Height: snap.Height()}, nil
}

func checkPathBytes(where, path string) error {
	if len(path) > ledger.EntryPathMax {
		return badRequest("%s: it has %d characters, at most %d are possible.", where, len(path), ledger.EntryPathMax)
	}
	return nil
}

// DescribeEntry says what the leaf of an entry says.
func DescribeEntry(path string, e *ledger.Entry) EntryData {
	out := EntryData{
		Path: path, Kind: e.Kind.String(), Value: e.Value, Text: textOf(e.Value), Version: e.Version, ModifiedHeight: e.ModifiedHeight,
		Depth: e.Depth, Removed: len(e.Removed),
	}
	switch e.Kind {
	case ledger.KindRegister:
	case ledger.KindCounter:
		out.Sum, out.Text = e.Sum.String(), nil
	case ledger.KindLast:
		out.Tag = e.Tag.String()
	default:
		out.Values, out.Text = describeItems(e.Items), nil
	}
	return out
}

// describeItems puts the writes of one value together. Values come in the order of their bytes.
func describeItems(items []ledger.Item) []EntryValue {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b ledger.Item) int { return bytes.Compare(a.Value, b.Value) })
	var out []EntryValue
	for i, item := range items {
		if i == 0 || !bytes.Equal(items[i-1].Value, item.Value) {
			out = append(out, EntryValue{Value: item.Value, Text: textOf(item.Value)})
		}
		last := &out[len(out)-1]
		last.Tags = append(last.Tags, item.Tag.String())
	}
	return out
}

// textOf is a value as text; nil if it is not readable.
func textOf(value []byte) *string {
	if !readable(value) {
		return nil
	}
	text := string(value)
	return &text
}

// readable tells whether bytes are text that no terminal is harmed by.
func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	return !strings.ContainsFunc(string(b), func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0
	})
}

// listEntries reads a page of a namespace, unless as many lists are being read as may be.
func (s *server) listEntries(snap Snapshot, in *entriesInput) (Entries, error) {
	if !enter(s.listing) {
		return Entries{}, busy(cap(s.listing))
	}
	defer leave(s.listing)
	return readEntries(snap, in)
}

// readEntries reads the leaf that counts the namespace's entries, and a page of them. What was read is what a
// proof shows: whoever has collected as many different entries as the leaf counts, at one height, has them all.
func readEntries(snap Snapshot, in *entriesInput) (Entries, error) {
	namespace, err := in.check()
	if err != nil {
		return Entries{}, err
	}
	count, _, err := get(snap, ledger.KeyNamespace(namespace), ledger.DecodeNamespace)
	if err != nil {
		return Entries{}, err
	}
	out := Entries{
		Namespace: namespace.String(), Prefix: in.Prefix, Count: count.Entries, Entries: []EntryData{}, Height: snap.Height(),
	}
	if count.Entries == 0 {
		return out, nil
	}
	var after []byte
	if in.After != "" {
		after = ledger.KeyEntry(namespace, in.After)
	}
	keys, next, err := snap.Scan(ledger.KeyEntry(namespace, in.Prefix), after, int(in.Limit))
	if err != nil {
		return Entries{}, err
	}
	size := 0
	decode := func(leaf []byte) (ledger.Entry, error) {
		size += len(leaf)
		return ledger.DecodeEntry(leaf)
	}
	for i, key := range keys {
		e, err := mustGet(snap, key, decode)
		if err != nil {
			return Entries{}, err
		}
		out.Entries = append(out.Entries, DescribeEntry(pathOf(key), &e))
		if size >= entriesPageBytes && i+1 < len(keys) {
			next = key
			break
		}
	}
	if next != nil {
		out.Next = pathOf(next)
	}
	return out, nil
}

// check checks what is asked for and fills in the limit.
func (in *entriesInput) check() (crypto.Address, error) {
	namespace, err := parseAccount("namespace", in.Namespace)
	if err != nil {
		return namespace, err
	}
	if err := checkPathBytes("query prefix", in.Prefix); err != nil {
		return namespace, err
	}
	if err := checkPathBytes("query after", in.After); err != nil {
		return namespace, err
	}
	if in.Limit == 0 {
		in.Limit = entriesPageDefault
	}
	if in.Limit > EntriesPageMax {
		return namespace, badRequest("query limit: %d is more than %d.", in.Limit, EntriesPageMax)
	}
	if in.Proof && in.Prefix != "" {
		return namespace, badRequest("query prefix: a part of a list cannot be shown to be complete; ask for all of it with proof=true, and choose then.")
	}
	return namespace, nil
}

// pathOf is the path in the key of an entry.
func pathOf(key []byte) string { return string(key[1+crypto.AddressSize:]) }
