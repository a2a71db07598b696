package ledger

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"

	"github.com/tetradledger/tetrad/crypto"
)

// transaction reads a line of a block:
//
//	tx ACTOR [name=N] [until=+60s] [lane=ID/SEQ] [nonce=N] [sigs=A,B] [fault=SLUG] OPERATION ... [; OPERATION ...]
//	again N [sigs=A,B]
//
// Each acting account signs with the key of its own name unless sigs says otherwise.
func (w *world) transaction(words []string) (*Transaction, error) {
	if words[0] == "again" {
		a := parseArguments(words[2:])
		t := w.txs[words[1]]
		if t == nil {
			w.t.Fatalf("%s: no transaction %q", w.place, words[1])
		}
		if sigs, ok := a.named["sigs"]; ok {
			return w.decode(t.Body, w.parties(sigs), "")
		}
		return t, nil
	}
	if words[0] != "tx" {
		w.t.Fatalf("%s: a line of a block begins with tx or again", w.place)
	}
	options := words[2:]
	for i, word := range options {
		if !strings.Contains(word, "=") {
			options = options[:i]
			break
		}
	}
	a := parseArguments(options)
	signers := words[1]
	var ops []Op
	for _, text := range strings.Split(strings.Join(words[2+len(options):], " "), ";") {
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		ops = append(ops, w.parseOp(fields))
		if by, ok := parseArguments(fields).named["by"]; ok && !strings.Contains(","+signers+",", ","+by+",") {
			signers += "," + by
		}
	}
	b := w.body(w.account(words[1]), ops...)
	w.options(&b, a)
	if sigs, ok := a.named["sigs"]; ok {
		signers = sigs
	}
	t, err := w.decode(b, w.parties(signers), a.named["fault"])
	if name, ok := a.named["name"]; ok && err == nil {
		w.txs[name] = t
	}
	return t, err
}

// options sets what a line says of the envelope.
func (w *world) options(b *Body, a arguments) {
	if until, ok := a.named["until"]; ok {
		b.ValidUntilMs = 0
		if until != "none" {
			b.ValidUntilMs = w.timeMS + w.milliseconds(until)
		}
	}
	if lane, ok := a.named["lane"]; ok {
		id, seq, _ := strings.Cut(lane, "/")
		b.Lane, b.Nonce = &Lane{Id: w.number(id), Seq: w.number(seq)}, nil
		if _, ok := a.named["until"]; !ok {
			b.ValidUntilMs = 0
		}
	}
	if nonce, ok := a.named["nonce"]; ok {
		b.Nonce = binary.BigEndian.AppendUint64(bytes.Repeat([]byte{0xff}, 8), w.number(nonce))
	}
	if memo, ok := a.named["memo"]; ok {
		b.Memo = memo
	}
}

// body is a body with a nonce of its own and a validity of a minute.
func (w *world) body(actor crypto.Address, ops ...Op) Body {
	w.nonces++
	nonce := make([]byte, NonceLen)
	binary.BigEndian.PutUint64(nonce[8:], w.nonces)
	return Body{Version: 1, ChainId: "script-1", Actor: actor[:], Nonce: nonce, ValidUntilMs: w.timeMS + 60_000, Ops: ops}
}

func (w *world) parties(names string) (parties []party) {
	if names == "none" {
		return nil
	}
	for _, name := range strings.Split(names, ",") {
		parties = append(parties, testKey(name))
	}
	return parties
}

func (w *world) decode(b Body, signers []party, fault string) (*Transaction, error) {
	t, err := DecodeTransaction(encodeTx(b, signers...))
	if err == nil && fault != "" {
		code, ok := CodeBySlug(fault)
		if !ok {
			w.t.Fatalf("%s: unknown code %q", w.place, fault)
		}
		t.Fault = code
	}
	return t, err
}

func (w *world) sign(b Body, signers ...party) *Transaction {
	t, err := w.decode(b, signers, "")
	if err != nil {
		w.t.Fatalf("%s: %v", w.place, err)
	}
	return t
}

// encodeTx is a transaction with signatures of the right shape: whether they verify is checked elsewhere.
func encodeTx(b Body, signers ...party) []byte {
	tx := Tx{Body: b.Encode()}
	for _, s := range signers {
		tx.Sigs = append(tx.Sigs, Sig{
			KeyType: uint32(crypto.KeyEd25519), PublicKey: s.public, Signature: make([]byte, crypto.SignatureSize),
		})
	}
	raw, err := tx.Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}

// parseOp reads an operation; by=NAME makes somebody else act in it.
func (w *world) parseOp(words []string) Op {
	a := parseArguments(words[1:])
	var op Op
	switch words[0] {
	case "transfer":
		asset, amount := w.amount(a.words[1])
		to := w.account(a.words[0])
		up := len(a.words) > 2 && a.words[2] == "up_to"
		op.Kind = &Op_Transfer{Transfer: &Transfer{To: to[:], Asset: asset[:], Amount: amount.Bytes(), UpTo: up}}
	case "set_account":
		m := &SetAccount{Policy: w.policy(a.named["key"])}
		if salt, ok := a.named["salt"]; ok {
			m.Salt = w.salt(salt)
		}
		op.Kind = &Op_SetAccount{SetAccount: m}
	case "set_asset":
		m := &SetAsset{Code: a.words[0], Scale: uint32(w.number(a.named["scale"]))}
		if limit := a.named["max"]; limit != "" {
			m.MaxSupply = w.decimal(limit, uint8(m.Scale)).Bytes()
		}
		if _, known := w.scales[m.Code]; !known {
			w.scales[m.Code] = uint8(m.Scale)
		}
		op.Kind = &Op_SetAsset{SetAsset: m}
	case "put", "delete":
		m := &Put{Path: a.words[0]}
		if words[0] == "put" {
			m.Value = []byte(a.words[1])
		}
		if version, ok := a.named["if"]; ok {
			m.IfVersion = &IfVersion{Version: w.number(version)}
		}
		op.Kind = &Op_Put{Put: m}
	case "assert":
		op.Kind = &Op_Assert{Assert: w.parseAssert(a)}
	case "set_validator":
		op.Kind = &Op_SetValidator{SetValidator: &SetValidator{
			KeyType: uint32(crypto.KeyEd25519), PublicKey: testKey(a.words[0]).public,
			Power: w.number(a.named["power"]), Name: a.words[0],
		}}
		if operator, ok := a.named["operator"]; ok {
			id := w.account(operator)
			op.GetSetValidator().Operator = id[:]
		}
	case "set_node":
		id := validatorNamed(a.words[0])
		set := &SetNode{Validator: id[:], ServiceKey: testKey(a.named["key"]).public, Region: a.named["region"], Plane: a.named["plane"]}
		if urls, ok := a.named["urls"]; ok {
			set.Urls = strings.Split(urls, ",")
		}
		op.Kind = &Op_SetNode{SetNode: set}
	case "approve_region":
		id := validatorNamed(a.words[0])
		op.Kind = &Op_ApproveRegion{ApproveRegion: &ApproveRegion{Validator: id[:], Region: a.named["region"]}}
	case "prove_equivocation":
		x, y := w.txs[a.words[0]], w.txs[a.words[1]]
		if x == nil || y == nil {
			w.t.Fatalf("%s: no transaction %q or %q", w.place, a.words[0], a.words[1])
		}
		op, _ = EvidenceFor(x, y)
		if len(a.words) > 2 { // as no honest program writes it
			m := op.GetProveEquivocation()
			m.TxA, m.TxB = m.TxB, m.TxA
		}
	case "add", "set_add", "set_remove", "write_last", "write_multi":
		op = w.parseMerging(words[0], a)
	default:
		w.t.Fatalf("%s: unknown operation %q", w.place, words[0])
	}
	if by, ok := a.named["by"]; ok {
		actor := w.account(by)
		op.Actor = actor[:]
	}
	return op
}

// validatorNamed is the validator whose key has the name.
func validatorNamed(name string) crypto.ValidatorID {
	return crypto.ValidatorIDOf(crypto.KeyEd25519, testKey(name).public)
}

// parseMerging reads an operation that does not conflict. A dash is an empty value.
func (w *world) parseMerging(kind string, a arguments) Op {
	value := func() []byte {
		if len(a.words) < 2 || a.words[1] == "-" {
			return nil
		}
		return []byte(a.words[1])
	}
	switch kind {
	case "add":
		delta, err := strconv.ParseInt(a.words[1], 10, 64)
		if err != nil {
			w.t.Fatalf("%s: %v", w.place, err)
		}
		return Op{Kind: &Op_Add{Add: &Add{Path: a.words[0], Delta: delta}}}
	case "set_add":
		return Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: a.words[0], Element: value()}}}
	case "set_remove":
		return Op{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: a.words[0], Seen: w.seen(a)}}}
	case "write_last":
		return Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: a.words[0], Value: value(), Depth: w.number(a.named["depth"])}}}
	}
	return Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: a.words[0], Value: value(), Seen: w.seen(a)}}}
}

// seen reads seen=NAME[/OP][~+60s],...: writes by the names of their transactions. Those that were seen before
// they were in a block have an end of validity.
func (w *world) seen(a arguments) (list []Seen) {
	for _, text := range strings.Split(a.named["seen"], ",") {
		if text == "" {
			continue
		}
		text, until, pending := strings.Cut(text, "~")
		name, op, _ := strings.Cut(text, "/")
		t := w.txs[name]
		if t == nil {
			w.t.Fatalf("%s: no transaction %q", w.place, name)
		}
		one := Seen{Txid: t.ID[:]}
		if op != "" {
			one.Op = uint32(w.number(op))
		}
		if pending {
			one.PendingUntilMs = w.timeMS + w.milliseconds(until)
		}
		list = append(list, one)
	}
	return list
}

func (w *world) parseAssert(a arguments) *Assert {
	bound := func(name string) uint64 {
		if text, ok := a.named[name]; ok {
			return w.number(text)
		}
		return 0
	}
	switch a.words[0] {
	case "balance":
		account := w.account(a.words[1])
		asset := AssetIDOf(a.words[2])
		m := &AssertBalance{Account: account[:], Asset: asset[:]}
		if text, ok := a.named["min"]; ok {
			m.Min = w.decimal(text, w.scales[a.words[2]]).Bytes()
		}
		if text, ok := a.named["max"]; ok {
			m.Max = w.decimal(text, w.scales[a.words[2]]).Bytes()
		}
		return &Assert{That: &Assert_Balance{Balance: m}}
	case "entry":
		namespace := w.account(a.words[1])
		return &Assert{That: &Assert_Entry{Entry: &AssertEntry{Namespace: namespace[:], Path: a.words[2], Version: bound("version")}}}
	case "height":
		return &Assert{That: &Assert_Height{Height: &AssertHeight{Min: bound("min"), Max: bound("max")}}}
	case "time": // milliseconds after genesis
		m := &AssertTime{}
		if min := bound("min"); min > 0 {
			m.MinMs = testTimeMS + min
		}
		if max := bound("max"); max > 0 {
			m.MaxMs = testTimeMS + max
		}
		return &Assert{That: &Assert_Time{Time: m}}
	}
	w.t.Fatalf("%s: unknown assertion %q", w.place, a.words[0])
	return nil
}

// amount reads 12.50usd.
func (w *world) amount(text string) (crypto.Hash, Amount) {
	at := strings.IndexFunc(text, unicode.IsLetter)
	if at < 0 {
		w.t.Fatalf("%s: %q is not an amount", w.place, text)
	}
	code := text[at:]
	return AssetIDOf(code), w.decimal(text[:at], w.scales[code])
}

func (w *world) decimal(text string, scale uint8) Amount {
	a, err := ParseAmount(text, scale)
	if err != nil {
		w.t.Fatalf("%s: %v", w.place, err)
	}
	return a
}

// policy is the policy of the key of a name; "two" is one that is not supported yet.
func (w *world) policy(name string) *Policy {
	if name == "two" {
		two := SingleKey(crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: testKey("alice").public})
		two.Members = append(two.Members, two.Members[0])
		return two
	}
	return SingleKey(crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: testKey(name).public})
}

func (w *world) salt(text string) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 8), w.number(text))
}
