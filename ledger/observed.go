package ledger

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
)

// A set, and a register of many values, hold what was written and not taken back. Each write has a tag, and
// whoever takes back names the tags that it has seen: a write it does not know of stays. So the outcome is the
// same in whatever order the operations come, provided that a write is remembered as taken back which comes later
// than that. It is remembered until its transaction can come no more: a transaction has an end.

// Tag names a write for ever: its transaction, and the position of its operation in it, from 0.
type Tag struct {
	TxID TxID
	Op   uint8
}

// Cmp orders tags by their transactions, and within one by position.
func (t Tag) Cmp(other Tag) int {
	return cmp.Or(bytes.Compare(t.TxID[:], other.TxID[:]), cmp.Compare(t.Op, other.Op))
}

// String is the form in JSON and on the command line: the transaction's id, a slash and the position.
func (t Tag) String() string { return t.TxID.String() + "/" + strconv.Itoa(int(t.Op)) }

// ParseTag reads what String writes.
func ParseTag(text string) (Tag, error) {
	id, position, _ := strings.Cut(text, "/")
	hash, err := crypto.ParseHash(id)
	op, err2 := strconv.ParseUint(position, 10, 8)
	tag := Tag{TxID: hash, Op: uint8(op)}
	if err != nil || err2 != nil || op >= OpsMax || tag.String() != text {
		return Tag{}, fmt.Errorf("%q is not the id of a transaction, a slash, and the position of an operation", text)
	}
	return tag, nil
}

func (t Tag) append(b []byte) []byte { return append(append(b, t.TxID[:]...), t.Op) }

func (t *Tag) read(r *leafReader) { t.TxID, t.Op = r.b32(), r.u8() }

// Item is a write that nobody has taken back.
type Item struct {
	Tag   Tag
	Value []byte
}

// Removed is a write that was taken back and could still come, until the block time at which its transaction ends.
type Removed struct {
	Tag     Tag
	UntilMS uint64
}

func appendObserved(b []byte, items []Item, removed []Removed) []byte {
	b = append(b, byte(len(items)))
	for i := range items {
		b = appendShort(items[i].Tag.append(b), items[i].Value)
	}
	b = append(b, byte(len(removed)))
	for i := range removed {
		b = binary.BigEndian.AppendUint64(removed[i].Tag.append(b), removed[i].UntilMS)
	}
	return b
}

// readObserved reads two lists that are ascending and share no tag; one of them holds something.
func (e *Entry) readObserved(r *leafReader, itemsMax, valueMax int) {
	for i := range r.count("items", itemsMax) {
		var item Item
		item.Tag.read(r)
		item.Value = r.short(1, valueMax)
		if r.fault == "" && i > 0 && e.Items[i-1].Tag.Cmp(item.Tag) >= 0 {
			r.fail("items are not ascending")
		}
		e.Items = append(e.Items, item)
	}
	for i := range r.count("removed", RemovedMax) {
		var one Removed
		one.Tag.read(r)
		one.UntilMS = r.u64()
		if r.fault == "" && (one.UntilMS == 0 || i > 0 && e.Removed[i-1].Tag.Cmp(one.Tag) >= 0) {
			r.fail("removed are not ascending, or one has no end")
		}
		if _, both := findItem(e.Items, one.Tag); both {
			r.fail("a tag is both there and removed")
		}
		e.Removed = append(e.Removed, one)
	}
	if len(e.Items)+len(e.Removed) == 0 {
		r.fail("it holds nothing")
	}
}

func findItem(items []Item, tag Tag) (int, bool) {
	return slices.BinarySearchFunc(items, tag, func(i Item, tag Tag) int { return i.Tag.Cmp(tag) })
}

func findRemoved(removed []Removed, tag Tag) (int, bool) {
	return slices.BinarySearchFunc(removed, tag, func(r Removed, tag Tag) int { return r.Tag.Cmp(tag) })
}

// observe takes back the writes that were seen and adds one, unless it was taken back before it came; a nil value
// adds none. What no transaction can bring any more is forgotten. The lists are copied, never changed in place.
func (s *state) observe(c *entryCell, kind EntryKind, itemsMax int, seen []Seen, value []byte) error {
	e := Entry{Kind: kind, Items: slices.Clone(c.value.Items)}
	for _, r := range c.value.Removed {
		if r.UntilMS > s.timeMS {
			e.Removed = append(e.Removed, r)
		}
	}
	for i := range seen {
		if err := s.takeBack(&e, &seen[i]); err != nil {
			return err
		}
	}
	if _, removed := findRemoved(e.Removed, s.tag); value != nil && !removed {
		if at, there := findItem(e.Items, s.tag); !there {
			e.Items = slices.Insert(e.Items, at, Item{Tag: s.tag, Value: value})
		}
	}
	switch {
	case len(e.Items) > itemsMax:
		return reject(CodeEntryFull, "%s would hold %d values, at most %d allowed", c.id.path, len(e.Items), itemsMax)
	case len(e.Removed) > RemovedMax:
		return reject(CodeEntryFull, "%s would remember %d writes as removed, at most %d allowed", c.id.path, len(e.Removed), RemovedMax)
	case len(e.Items)+len(e.Removed) > 0:
		return s.setEntry(c, e)
	case c.exists:
		return s.dropEntry(c)
	}
	return nil
}

// takeBack removes a write. One that its author saw before it was in a block is remembered, whether or not it
// came, so that the order in which the two come makes no difference.
func (s *state) takeBack(e *Entry, seen *Seen) error {
	tag := seen.tag()
	if at, there := findItem(e.Items, tag); there {
		e.Items = slices.Delete(e.Items, at, at+1)
	}
	until := seen.PendingUntilMs
	if until <= s.timeMS {
		return nil
	}
	if until-s.timeMS > s.params.ValidForMaxMS {
		return reject(CodeSeenTooFar, "%s is said to be valid until %d", tag, until)
	}
	at, there := findRemoved(e.Removed, tag)
	if !there {
		e.Removed = slices.Insert(e.Removed, at, Removed{Tag: tag})
	}
	e.Removed[at].UntilMS = max(e.Removed[at].UntilMS, until)
	return nil
}

func (m *Seen) tag() Tag { return Tag{TxID: TxID(m.Txid), Op: uint8(m.Op)} }

// checkSeen checks the shape of a list of writes.
func checkSeen(list []Seen) *Reject {
	if len(list) > SeenMax {
		return reject(CodeTooMany, "%d writes named as seen, at most %d allowed", len(list), SeenMax)
	}
	for i := range list {
		if r := checkID("txid", list[i].Txid); r != nil {
			return r.at("seen", i)
		}
		if list[i].Op >= OpsMax {
			return reject(CodeBadField, "op is %d, at most %d allowed", list[i].Op, OpsMax-1).at("seen", i)
		}
		for j := range i {
			if list[i].tag() == list[j].tag() {
				return reject(CodeBadField, "seen[%d] and seen[%d] are the same", j, i)
			}
		}
	}
	return nil
}

// jsonSeen is the JSON form of a write that was seen.
type jsonSeen struct {
	Tag            string `json:"tag"`
	PendingUntilMS uint64 `json:"pending_until_ms,omitempty"`
}

func showSeen(list []Seen) []jsonSeen {
	var out []jsonSeen
	for i := range list {
		out = append(out, jsonSeen{list[i].tag().String(), list[i].PendingUntilMs})
	}
	return out
}

func parseSeen(o *jsonObject) []Seen {
	list, path := o.list("seen")
	if len(list) > SeenMax {
		o.r.fail(path, "%d writes, at most %d allowed", len(list), SeenMax)
		return nil
	}
	var out []Seen
	for i, value := range list {
		one := o.r.object(value, fmt.Sprintf("%s[%d]", path, i))
		tag, err := ParseTag(one.need("tag"))
		if err != nil {
			one.r.fail(joinPath(one.path, "tag"), "%s", err)
		}
		out = append(out, Seen{Txid: bytes.Clone(tag.TxID[:]), Op: uint32(tag.Op), PendingUntilMs: one.number("pending_until_ms", 1<<64-1)})
		one.end()
	}
	return out
}

// jsonBytes shows bytes as text where they are text, and else under the other name.
func jsonBytes(b []byte) (text, base64Text string) {
	if isText(b) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}

// bytes takes bytes that jsonBytes showed under a name and that name with _base64; absent is nil.
func (o *jsonObject) bytes(name string) []byte {
	b := o.base64(name + "_base64")
	if text := o.text(name); text != "" {
		if b != nil {
			o.r.fail(o.path, "%s and %s_base64 are both present", name, name)
		}
		b = []byte(text)
	}
	return b
}
