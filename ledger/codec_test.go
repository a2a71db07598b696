package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// field is one field of a hand-made message.
func field(number uint64, wire uint64, content []byte) []byte {
	b := binary.AppendUvarint(nil, number<<3|wire)
	if wire == wireBytes {
		b = binary.AppendUvarint(b, uint64(len(content)))
	}
	return append(b, content...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// handMade holds the fields of a good transaction, so that a test can put them together wrongly.
type handMade struct {
	version, chain, actor, nonce, until, op []byte
	transfer                                []byte // content of the op's transfer
	sig                                     []byte // content of the signature
}

func newHandMade() handMade {
	alice, bob := testKey("alice"), testKey("bob")
	asset := AssetIDOf("usd")
	h := handMade{
		version:  field(1, wireVarint, []byte{1}),
		chain:    field(2, wireBytes, []byte("test-1")),
		actor:    field(3, wireBytes, alice.address[:]),
		nonce:    field(4, wireBytes, make([]byte, NonceLen)),
		until:    field(6, wireVarint, binary.AppendUvarint(nil, testTimeMS)),
		transfer: join(field(1, wireBytes, bob.address[:]), field(2, wireBytes, asset[:]), field(3, wireBytes, []byte{7})),
		sig: join(field(1, wireVarint, []byte{1}), field(2, wireBytes, alice.public),
			field(3, wireBytes, make([]byte, crypto.SignatureSize))),
	}
	h.op = field(7, wireBytes, field(2, wireBytes, h.transfer))
	return h
}

func (h handMade) body() []byte {
	return join(h.version, h.chain, h.actor, h.nonce, h.until, h.op)
}

func (h handMade) tx() []byte { return h.around(h.body()) }

func (h handMade) around(body []byte) []byte {
	return join(field(1, wireBytes, body), field(2, wireBytes, h.sig))
}

// padded is a uvarint with a needless last byte.
func padded(v uint64) []byte {
	b := binary.AppendUvarint(nil, v)
	b[len(b)-1] |= 0x80
	return append(b, 0)
}

func TestDecodeAcceptsOneEncoding(t *testing.T) {
	h := newHandMade()
	tx, err := DecodeTransaction(h.tx())
	if err != nil {
		t.Fatal(err)
	}
	again, err := tx.Tx.Marshal()
	if err != nil || !bytes.Equal(again, h.tx()) {
		t.Fatalf("encodes back to %x, %v", again, err)
	}
	if tx.ID != crypto.SumTagged(crypto.TagTxID, h.body()) || tx.BodyHash != crypto.Sum(h.body()) {
		t.Error("id or body hash is not of the body")
	}
	if tx.Actor() != testKey("alice").address || tx.ValidUntilMS() != testTimeMS || tx.Body.TxID() != tx.ID {
		t.Errorf("decoded as %+v", tx.Body)
	}
	if &tx.Tx.Body[0] != &tx.Raw[2+1] {
		t.Error("the body does not alias the raw bytes")
	}
}

func TestDecodeNamesTheFault(t *testing.T) {
	h := newHandMade()
	policyDeep := field(3, wireBytes, field(1, wireBytes, field(2, wireBytes, field(9, wireBytes, []byte{1}))))
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":                {nil, "body is missing"},
		"no body":              {field(2, wireBytes, h.sig), "body is missing"},
		"trailing bytes":       {join(h.tx(), []byte{0x1a, 0x00}), "field 3: unknown field"},
		"trailing zero":        {join(h.tx(), []byte{0}), "field 0: unknown field"},
		"cut short":            {h.tx()[:len(h.tx())-1], "sigs[0]: ends early"},
		"two bodies":           {join(field(1, wireBytes, h.body()), h.tx()), "body: appears twice"},
		"signature first":      {join(field(2, wireBytes, h.sig), field(1, wireBytes, h.body())), "body: out of order"},
		"group":                {join(field(1, wireBytes, h.body()), []byte{0x13, 0x14}), "sigs: wire type 3, must be 2"},
		"padded tag":           {join(padded(1<<3|wireBytes), h.tx()[1:]), "field tag: integer is padded"},
		"padded length":        {join([]byte{0x0a}, padded(uint64(len(h.body()))), h.body(), field(2, wireBytes, h.sig)), "body: integer is padded"},
		"huge tag":             {bytes.Repeat([]byte{0xff}, 11), "field tag: integer too large"},
		"length past the end":  {[]byte{0x0a, 0x7f, 1}, "body: ends early"},
		"unknown in signature": {join(field(1, wireBytes, h.body()), field(2, wireBytes, join(h.sig, field(4, wireBytes, []byte{1})))), "sigs[0].field 4: unknown field"},
		"key type zero":        {join(field(1, wireBytes, h.body()), field(2, wireBytes, join([]byte{8, 0}, h.sig[2:]))), "sigs[0].key_type: a zero is left out"},
		"key type out of range": {
			join(field(1, wireBytes, h.body()), field(2, wireBytes, join([]byte{8}, binary.AppendUvarint(nil, 1<<32+1), h.sig[2:]))),
			"sigs[0].key_type: out of range",
		},

		"body unknown field":  {h.around(join(h.body(), field(11, wireVarint, []byte{1}))), "body.field 11: unknown field"},
		"body reserved field": {h.around(join(h.body(), field(9, wireVarint, []byte{1}))), "body.field 9: unknown field"},
		"body wrong order":    {h.around(join(h.chain, h.version, h.actor, h.nonce, h.until, h.op)), "body.version: out of order"},
		"body field twice":    {h.around(join(h.version, h.chain, h.chain, h.actor, h.nonce, h.until, h.op)), "body.chain_id: appears twice"},
		"body wrong type":     {h.around(join(field(1, wireBytes, []byte{1}), h.chain)), "body.version: wire type 2, must be 0"},
		"body padded integer": {h.around(join([]byte{8}, padded(1), h.chain, h.actor, h.nonce, h.until, h.op)), "body.version: integer is padded"},
		"body empty memo":     {h.around(join(h.body(), field(8, wireBytes, nil))), "body.memo: an empty field is left out"},
		"body ends early":     {h.around(h.body()[:len(h.body())-1]), "body.ops[0]: ends early"},

		"op padded": {h.around(join(h.version, h.chain, h.actor, h.nonce, h.until,
			join([]byte{7<<3 | 2}, padded(2), []byte{0x12, 0}))), "body.ops[0]: integer is padded"},
		"op of two kinds": {
			h.around(join(h.version, h.chain, h.actor, h.nonce, h.until,
				field(7, wireBytes, join(field(2, wireBytes, h.transfer), field(5, wireBytes, field(1, wireBytes, []byte("a"))))))),
			"body.ops[0].put: only one alternative allowed, transfer came before",
		},
		"op of one kind twice": {
			h.around(join(h.version, h.chain, h.actor, h.nonce, h.until,
				field(7, wireBytes, join(field(2, wireBytes, h.transfer), field(2, wireBytes, h.transfer))))),
			"body.ops[0].transfer: only one alternative allowed, transfer came before",
		},
		"op reserved kind": {
			h.around(join(h.version, h.chain, h.actor, h.nonce, h.until, field(7, wireBytes, field(8, wireBytes, nil)))),
			"body.ops[0].field 8: unknown field",
		},
		"transfer unknown field": {h.around(join(h.version, h.chain, h.actor, h.nonce, h.until,
			field(7, wireBytes, field(2, wireBytes, join(h.transfer, field(5, wireVarint, []byte{1})))))), "body.ops[0].transfer.field 5: unknown field"},
		"transfer flag of two": {h.around(join(h.version, h.chain, h.actor, h.nonce, h.until,
			field(7, wireBytes, field(2, wireBytes, join(h.transfer, field(4, wireVarint, []byte{2})))))), "body.ops[0].transfer.up_to: out of range"},
		"transfer flag of zero": {h.around(join(h.version, h.chain, h.actor, h.nonce, h.until,
			field(7, wireBytes, field(2, wireBytes, join(h.transfer, field(4, wireVarint, []byte{0})))))), "body.ops[0].transfer.up_to: a zero is left out"},
		"nested deeper than the schema": {
			h.around(join(h.version, h.chain, h.actor, h.nonce, h.until, field(7, wireBytes, policyDeep))),
			"body.ops[0].set_account.policy.members[0].field 9: unknown field",
		},
	} {
		_, err := DecodeTransaction(c.raw)
		var r *Reject
		if !errors.As(err, &r) || r.Detail != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestDecodeSurvivesDeepNesting feeds nesting far deeper than any schema, which only a group can express.
func TestDecodeSurvivesDeepNesting(t *testing.T) {
	h := newHandMade()
	deep := bytes.Repeat([]byte{15<<3 | 3}, TxBytesMax-len(h.tx()))
	if _, err := DecodeTransaction(join(h.tx(), deep)); err == nil {
		t.Error("groups were accepted")
	}
	inner := []byte{}
	for len(inner) < TxBytesMax/2 {
		inner = field(7, wireBytes, inner)
	}
	if _, err := DecodeTransaction(h.around(inner)); err == nil {
		t.Error("deep messages were accepted")
	}
}

// edit returns a transaction after a change to its body.
func edit(change func(b *Body)) []byte {
	alice := testKey("alice")
	b := Body{
		Version: 1, ChainId: "test-1", Actor: bytes.Clone(alice.address[:]), Nonce: make([]byte, NonceLen), ValidUntilMs: 1,
		Ops: []Op{opTransfer(testKey("bob").address, "usd", 1)},
	}
	change(&b)
	return encodeTx(b, alice)
}

func put(path string, value []byte) Op {
	return Op{Kind: &Op_Put{Put: &Put{Path: path, Value: value}}}
}

// TestBodyBounds tries every limit at its last good value and one beyond.
func TestBodyBounds(t *testing.T) {
	many := func(n int) func(*Body) {
		return func(b *Body) {
			for len(b.Ops) < n {
				b.Ops = append(b.Ops, b.Ops[0])
			}
		}
	}
	account := func(m *SetAccount) func(*Body) {
		return func(b *Body) { b.Ops = []Op{{Kind: &Op_SetAccount{SetAccount: m}}} }
	}
	key := testKey("carol").public
	single := SingleKey(crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: key})
	members := func(n int) *Policy {
		return &Policy{Threshold: 1, Members: make([]Member, n)}
	}
	asset := func(limit []byte) func(*Body) {
		return func(b *Body) { b.Ops = []Op{{Kind: &Op_SetAsset{SetAsset: &SetAsset{Code: "usd", MaxSupply: limit}}}} }
	}
	for name, c := range map[string]struct {
		change func(b *Body)
		code   Code
		detail string
	}{
		"good":               {func(*Body) {}, 0, ""},
		"version 0":          {func(b *Body) { b.Version = 0 }, CodeUnknownVersion, "version is 0, must be 1"},
		"version 2":          {func(b *Body) { b.Version = 2 }, CodeUnknownVersion, "version is 2, must be 1"},
		"chain id none":      {func(b *Body) { b.ChainId = "" }, CodeBadField, "chain_id has 0 bytes"},
		"chain id longest":   {func(b *Body) { b.ChainId = strings.Repeat("c", ChainIDMax) }, 0, ""},
		"chain id too long":  {func(b *Body) { b.ChainId = strings.Repeat("c", ChainIDMax+1) }, CodeBadField, "chain_id has 51 bytes"},
		"chain id control":   {func(b *Body) { b.ChainId = "a\nb" }, CodeBadField, "chain_id holds the control character U+000A"},
		"actor short":        {func(b *Body) { b.Actor = b.Actor[:31] }, CodeBadField, "actor has 31 bytes, must have 32"},
		"actor long":         {func(b *Body) { b.Actor = append(b.Actor, 0) }, CodeBadField, "actor has 33 bytes, must have 32"},
		"no nonce":           {func(b *Body) { b.Nonce = nil }, CodeBadReplayGuard, "nonce has 0 bytes, must have 16"},
		"nonce short":        {func(b *Body) { b.Nonce = b.Nonce[1:] }, CodeBadReplayGuard, "nonce has 15 bytes, must have 16"},
		"nonce long":         {func(b *Body) { b.Nonce = append(b.Nonce, 0) }, CodeBadReplayGuard, "nonce has 17 bytes, must have 16"},
		"nonce and lane":     {func(b *Body) { b.Lane = &Lane{Id: 1, Seq: 1} }, CodeBadReplayGuard, "both nonce and lane are present"},
		"lane":               {func(b *Body) { b.Nonce, b.Lane = nil, &Lane{Seq: 1} }, 0, ""},
		"lane without seq":   {func(b *Body) { b.Nonce, b.Lane = nil, &Lane{} }, CodeBadReplayGuard, "lane.seq counts from 1"},
		"lane without end":   {func(b *Body) { b.Nonce, b.Lane, b.ValidUntilMs = nil, &Lane{Seq: 1}, 0 }, 0, ""},
		"nonce without end":  {func(b *Body) { b.ValidUntilMs = 0 }, CodeBadReplayGuard, "valid_until_ms is missing"},
		"memo longest":       {func(b *Body) { b.Memo = strings.Repeat("m", MemoBytesMax) }, 0, ""},
		"memo too long":      {func(b *Body) { b.Memo = strings.Repeat("m", MemoBytesMax+1) }, CodeTooLarge, "memo has 257 bytes, at most 256 allowed"},
		"memo control":       {func(b *Body) { b.Memo = "a\x1b[31m" }, CodeBadField, "memo holds the control character U+001B"},
		"memo not text":      {func(b *Body) { b.Memo = "\xff" }, CodeBadField, "memo is not UTF-8"},
		"no op":              {func(b *Body) { b.Ops = nil }, CodeNoOps, ""},
		"most ops":           {many(OpsMax), 0, ""},
		"too many ops":       {many(OpsMax + 1), CodeTooMany, "65 operations, at most 64 allowed"},
		"op of no kind":      {func(b *Body) { b.Ops[0].Kind = nil }, CodeUnknownOp, "ops[0]"},
		"op actor short":     {func(b *Body) { b.Ops[0].Actor = []byte{1} }, CodeBadField, "ops[0]: actor has 1 bytes"},
		"transfer to nobody": {func(b *Body) { b.Ops[0].GetTransfer().To = nil }, CodeBadField, "ops[0]: transfer: to has 0 bytes"},
		"transfer no asset":  {func(b *Body) { b.Ops[0].GetTransfer().Asset = nil }, CodeBadField, "ops[0]: transfer: asset has 0 bytes"},
		"transfer zero":      {func(b *Body) { b.Ops[0].GetTransfer().Amount = nil }, CodeBadAmount, "ops[0]: transfer: amount is zero"},
		"transfer zero byte": {func(b *Body) { b.Ops[0].GetTransfer().Amount = []byte{0, 1} }, CodeBadAmount, "ops[0]: transfer: amount: leading zero byte"},
		"transfer most":      {func(b *Body) { b.Ops[0].GetTransfer().Amount = bytes.Repeat([]byte{255}, 16) }, 0, ""},
		"transfer 17 bytes":  {func(b *Body) { b.Ops[0].GetTransfer().Amount = bytes.Repeat([]byte{255}, 17) }, CodeBadAmount, "17 bytes, at most 16 allowed"},
		"transfer to self":   {func(b *Body) { b.Ops[0].GetTransfer().To = b.Actor }, CodeSelfTransfer, "ops[0]: transfer: account tet1"},
		"transfer to @gov":   {func(b *Body) { b.Ops[0].GetTransfer().To = GovAddress[:] }, CodeSystemRecipient, "ops[0]: transfer: to"},
		"path longest":       {func(b *Body) { b.Ops[0] = put(strings.Repeat("p", EntryPathMax), nil) }, 0, ""},
		"path too long":      {func(b *Body) { b.Ops[0] = put(strings.Repeat("p", EntryPathMax+1), nil) }, CodeBadField, "path has 129 characters"},
		"path empty":         {func(b *Body) { b.Ops[0] = put("", nil) }, CodeBadField, "path has 0 characters"},
		"path not text":      {func(b *Body) { b.Ops[0] = put("a\xff", nil) }, CodeBadField, "holds 'ÿ'"},
		"value longest":      {func(b *Body) { b.Ops[0] = put("p", make([]byte, EntryValueMax)) }, 0, ""},
		"value too long":     {func(b *Body) { b.Ops[0] = put("p", make([]byte, EntryValueMax+1)) }, CodeTooLarge, "value has 4097 bytes"},
		"policy missing":     {account(&SetAccount{}), CodeBadField, "set_account: policy is missing"},
		"policy empty":       {account(&SetAccount{Policy: &Policy{}}), CodeUnsupportedPolicy, "one member"},
		"policy most":        {account(&SetAccount{Policy: members(PolicyMembersMax)}), CodeUnsupportedPolicy, "one member"},
		"policy too many":    {account(&SetAccount{Policy: members(PolicyMembersMax + 1)}), CodeTooMany, "policy has 33 members"},
		"salt":               {account(&SetAccount{Policy: single, Salt: make([]byte, SaltLen)}), 0, ""},
		"salt short":         {account(&SetAccount{Policy: single, Salt: make([]byte, SaltLen-1)}), CodeBadField, "salt has 15 bytes"},
		"salt long":          {account(&SetAccount{Policy: single, Salt: make([]byte, SaltLen+1)}), CodeBadField, "salt has 17 bytes"},
		"weight of two":      {account(&SetAccount{Policy: &Policy{Threshold: 2, Members: []Member{{Weight: 2, KeyType: 1, PublicKey: key}}}}), CodeUnsupportedPolicy, ""},
		"key type":           {account(&SetAccount{Policy: &Policy{Threshold: 1, Members: []Member{{Weight: 1, KeyType: 2, PublicKey: key}}}}), CodeUnsupportedKey, "policy.members[0]: key type 2"},
		"key length":         {account(&SetAccount{Policy: &Policy{Threshold: 1, Members: []Member{{Weight: 1, KeyType: 1, PublicKey: key[1:]}}}}), CodeBadField, "policy.members[0]: public key has 31 bytes"},
		"key of small order": {account(&SetAccount{Policy: &Policy{Threshold: 1, Members: []Member{{Weight: 1, KeyType: 1, PublicKey: make([]byte, 32)}}}}), CodeBadField, "has small order"},
		"key is no point":    {account(&SetAccount{Policy: &Policy{Threshold: 1, Members: []Member{{Weight: 1, KeyType: 1, PublicKey: append([]byte{2}, make([]byte, 31)...)}}}}), CodeBadField, "is not a point"},
		"largest supply":     {asset(SupplyMax.Bytes()), 0, ""},
		"supply too large":   {asset(Amount{Hi: 1 << 32}.Bytes()), CodeBadAmount, "max_supply is larger than 79228162514264337593543950335"},
		"assert nothing":     {func(b *Body) { b.Ops[0].Kind = &Op_Assert{Assert: &Assert{}} }, CodeBadField, "ops[0]: assert: says nothing to assert"},
		"set_validator": {func(b *Body) {
			b.Ops[0].Kind = &Op_SetValidator{SetValidator: &SetValidator{KeyType: 1, PublicKey: key}}
		}, CodeSystemOnly, "set_validator"},
	} {
		_, err := DecodeTransaction(edit(c.change))
		var r *Reject
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.code == 0:
		case !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Detail, c.detail):
			t.Errorf("%s: %v, want %s with %q", name, err, c.code, c.detail)
		}
	}
}

func TestValidatorBounds(t *testing.T) {
	key := testKey("v").public
	for _, c := range []struct {
		m    SetValidator
		want Code
	}{
		{SetValidator{KeyType: 1, PublicKey: key, Power: ValidatorPowerMax, Name: strings.Repeat("n", ValidatorNameMax)}, 0},
		{SetValidator{KeyType: 1, PublicKey: key, Power: ValidatorPowerMax + 1}, CodeBadField},
		{SetValidator{KeyType: 1, PublicKey: key, Name: strings.Repeat("n", ValidatorNameMax+1)}, CodeBadField},
		{SetValidator{KeyType: 1, PublicKey: key, Operator: make([]byte, 31)}, CodeBadField},
		{SetValidator{KeyType: 1, PublicKey: key, Operator: make([]byte, 32)}, CodeBadField},
		{SetValidator{KeyType: 1, PublicKey: key, Operator: key}, 0},
		{SetValidator{KeyType: 1, PublicKey: key, Operator: GovAddress[:]}, CodeBadField},
		{SetValidator{KeyType: 2, PublicKey: key}, CodeUnsupportedKey},
		{SetValidator{KeyType: 1, PublicKey: key[1:]}, CodeBadField},
	} {
		r := c.m.validate(crypto.Address{})
		if c.want == 0 && r != nil || c.want != 0 && (r == nil || r.Code != c.want) {
			t.Errorf("power %d, name of %d: %v, want %s", c.m.Power, len(c.m.Name), r, c.want)
		}
	}
}

func TestEnvelopeBounds(t *testing.T) {
	good := Body{Version: 1, ChainId: "c", Actor: make([]byte, 32), Nonce: make([]byte, NonceLen), ValidUntilMs: 1, Ops: []Op{put("p", nil)}}
	var signers []party
	for i := range SigsMax + 1 {
		signers = append(signers, testKey(string(rune('A'+i))))
	}
	large := good
	large.Ops = nil
	for range 15 {
		large.Ops = append(large.Ops, put("p", make([]byte, EntryValueMax)))
	}
	room := TxBytesMax - len(encodeTx(large, signers[0]))
	exact, over := large, large
	exact.Ops = append(large.Ops[:15:15], put("p", make([]byte, room-12)))
	over.Ops = append(large.Ops[:15:15], put("p", make([]byte, room-11)))
	mutated := func(change func(s *Sig)) []byte {
		tx := Tx{Body: good.Encode(), Sigs: []Sig{{KeyType: 1, PublicKey: signers[0].public, Signature: make([]byte, 64)}}}
		change(&tx.Sigs[0])
		raw, _ := tx.Marshal()
		return raw
	}
	for name, c := range map[string]struct {
		raw    []byte
		code   Code
		detail string
	}{
		"most signatures":     {encodeTx(good, signers[:SigsMax]...), 0, ""},
		"too many signatures": {encodeTx(good, signers...), CodeTooMany, "33 signatures, at most 32 allowed"},
		"no signature":        {encodeTx(good), CodeNotAuthorised, "no signature"},
		"same key twice":      {encodeTx(good, signers[0], signers[1], signers[0]), CodeDuplicateSignature, "sigs[0] and sigs[2]"},
		"largest":             {encodeTx(exact, signers[0]), 0, ""},
		"too large":           {encodeTx(over, signers[0]), CodeTooLarge, "65537 bytes, at most 65536 allowed"},
		"key type":            {mutated(func(s *Sig) { s.KeyType = 2 }), CodeUnsupportedKey, "sigs[0]: key type 2 is not supported"},
		"key short":           {mutated(func(s *Sig) { s.PublicKey = s.PublicKey[1:] }), CodeBadField, "sigs[0]: public key has 31 bytes"},
		"signature short":     {mutated(func(s *Sig) { s.Signature = s.Signature[1:] }), CodeBadField, "sigs[0]: signature has 63 bytes"},
		"signature long":      {mutated(func(s *Sig) { s.Signature = append(s.Signature, 0) }), CodeBadField, "sigs[0]: signature has 65 bytes"},
	} {
		_, err := DecodeTransaction(c.raw)
		var r *Reject
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%s (%d bytes): %v", name, len(c.raw), err)
		case c.code == 0:
		case !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Detail, c.detail):
			t.Errorf("%s (%d bytes): %v, want %s with %q", name, len(c.raw), err, c.code, c.detail)
		}
	}
	if n := len(encodeTx(exact, signers[0])); n != TxBytesMax {
		t.Errorf("the largest transaction has %d bytes, not %d", n, TxBytesMax)
	}
}

func TestCheckChain(t *testing.T) {
	tx, err := DecodeTransaction(edit(func(*Body) {}))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.CheckChain("test-1"); err != nil {
		t.Error(err)
	}
	var r *Reject
	if err := tx.CheckChain("test-2"); !errors.As(err, &r) || r.Code != CodeWrongChain {
		t.Errorf("another chain: %v", err)
	}
}

func TestUndecodableTransaction(t *testing.T) {
	tx := UndecodableTransaction([]byte("junk"), CodeBadEncoding)
	if tx.Actor() != (crypto.Address{}) || tx.Fault != CodeBadEncoding || tx.ID.IsZero() {
		t.Errorf("%+v", tx)
	}
}
