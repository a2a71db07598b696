package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// vectors pins every encoding that leaves the process, for this and for other implementations. The file is
// checked both ways: what it says encodes to its bytes, and its bytes decode to what it says.
type vectors struct {
	About        string              `json:"about"`
	Genesis      string              `json:"genesis_hash"`
	Addresses    []addressVector     `json:"addresses"`
	Assets       map[string]string   `json:"asset_ids"`
	Transactions []transactionVector `json:"transactions"`
	Frames       []frameVector       `json:"frames"`
	Receipts     []receiptVector     `json:"receipts"`
	Log          []logVector         `json:"log_chain"`
	Leaves       []leafVector        `json:"leaves"`
}

type addressVector struct {
	Name      string `json:"name"`
	Seed      string `json:"seed"`
	PublicKey string `json:"public_key"`
	Address   string `json:"address"`
}

type transactionVector struct {
	Name      string          `json:"name"`
	Form      json.RawMessage `json:"form"`
	Body      string          `json:"body"`
	Tx        string          `json:"tx"`
	TxID      string          `json:"txid"`
	BodyHash  string          `json:"body_sha256"`
	SignBytes string          `json:"sign_bytes"`
}

type frameVector struct {
	Txs   []string `json:"txs"`
	Frame string   `json:"frame"`
}

type receiptVector struct {
	TxID     string `json:"txid"`
	Height   uint64 `json:"height"`
	Index    uint32 `json:"index"`
	Code     uint32 `json:"code"`
	Op       uint32 `json:"op"`
	Encoding string `json:"encoding"`
}

type logVector struct {
	Head   string `json:"head"`
	TxID   string `json:"txid"`
	Height uint64 `json:"height"`
	Next   string `json:"next"`
}

type leafVector struct {
	Kind  string          `json:"kind"`
	Key   string          `json:"key"`
	Value string          `json:"value"`
	Says  json.RawMessage `json:"says"`
}

const vectorsPath = "testdata/vectors.json"

// vectorGenesis stands for the hash of a genesis document.
var vectorGenesis = crypto.Sum([]byte("genesis document of the test vectors"))

// vectorBodies are the bodies that the vectors pin: every kind of operation, lanes, other actors.
func vectorBodies() (names []string, bodies []Body, signers [][]party) {
	alice, bob, carol := testKey("alice"), testKey("bob"), testKey("carol")
	usd := AssetIDOf("usd")
	add := func(name string, b Body, by ...party) {
		names, bodies, signers = append(names, name), append(bodies, b), append(signers, by)
	}
	body := func(ops ...Op) Body {
		return Body{
			Version: 1, ChainId: "vectors-1", Actor: alice.address[:], Nonce: []byte("sixteen bytes ok"),
			ValidUntilMs: testTimeMS + 60_000, Ops: ops,
		}
	}
	policy := SingleKey(carol.key.Public())
	add("transfer", body(opTransfer(bob.address, "usd", 1250)), alice)
	add("transfer the largest amount, up to", body(Op{Kind: &Op_Transfer{Transfer: &Transfer{
		To: bob.address[:], Asset: usd[:], Amount: amountMax.Bytes(), UpTo: true,
	}}}), alice)
	swap := body(opTransfer(bob.address, "usd", 100), opTransfer(alice.address, "eur", 90))
	swap.Ops[1].Actor = bob.address[:]
	swap.Memo = "swap № 7"
	add("swap with two signatures", swap, alice, bob)
	lane := body(opTransfer(bob.address, "usd", 1))
	lane.Nonce, lane.Lane, lane.ValidUntilMs = nil, &Lane{Id: 7, Seq: 300}, 0
	add("lane without end", lane, alice)
	add("rotate a key", body(Op{Kind: &Op_SetAccount{SetAccount: &SetAccount{Policy: policy}}}), alice)
	add("create an account", body(Op{Kind: &Op_SetAccount{SetAccount: &SetAccount{Policy: policy, Salt: []byte("salt of sixteen.")}}}), alice)
	add("create an asset", body(opSetAsset("eur", 2), Op{Kind: &Op_SetAsset{SetAsset: &SetAsset{
		Code: "gold", MaxSupply: Amount{Lo: 21_000_000}.Bytes(),
	}}}), alice)
	add("write, compare and set, delete", body(put("config/colour", []byte("blue")),
		Op{Kind: &Op_Put{Put: &Put{Path: "config/colour", Value: []byte{0, 255}, IfVersion: &IfVersion{Version: 7}}}},
		Op{Kind: &Op_Put{Put: &Put{Path: "lock", Value: []byte("a"), IfVersion: &IfVersion{}}}}, put("old", nil)), alice)
	add("operations that do not conflict", body(
		Op{Kind: &Op_Add{Add: &Add{Path: "visits", Delta: 1 << 40}}}, Op{Kind: &Op_Add{Add: &Add{Path: "visits", Delta: -3}}},
		Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: "friends", Element: []byte("bob")}}},
		Op{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: "friends", Seen: []Seen{{Txid: usd[:]}, {Txid: usd[:], Op: 63, PendingUntilMs: testTimeMS + 5}}}}},
		Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "status", Value: []byte{0, 255}, Depth: 7}}},
		Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "draft", Value: []byte("text"), Seen: []Seen{{Txid: usd[:], Op: 1}}}}},
		Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "draft", Seen: []Seen{{Txid: usd[:], Op: 2}}}}}), alice)
	validator := crypto.ValidatorIDOf(crypto.KeyEd25519, alice.public)
	add("register a node, approve its region", body(
		Op{Kind: &Op_SetNode{SetNode: &SetNode{
			Validator: validator[:], ServiceKey: carol.public, Region: "eu/de/fra1",
			Urls: []string{"https://a.example:8443/api", "http://192.0.2.1:26658"}, Plane: "/ip4/192.0.2.1/tcp/26659",
		}}},
		Op{Kind: &Op_SetNode{SetNode: &SetNode{Validator: validator[:], ServiceKey: carol.public}}},
		Op{Kind: &Op_ApproveRegion{ApproveRegion: &ApproveRegion{Validator: validator[:], Region: "eu/de/fra1"}}}), alice)
	add("assert", body(
		Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Balance{Balance: &AssertBalance{Account: bob.address[:], Asset: usd[:], Min: []byte{1}, Max: []byte{2, 0}}}}}},
		Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Entry{Entry: &AssertEntry{Namespace: bob.address[:], Path: "lock", Version: 9}}}}},
		Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Height{Height: &AssertHeight{Min: 1, Max: 1 << 40}}}}},
		Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Time{Time: &AssertTime{MinMs: testTimeMS}}}}}), alice)
	add("prove an equivocation", body(equivocation("vectors-1", alice)), bob)
	return names, bodies, signers
}

// equivocation proves that somebody said two things under one nonce.
func equivocation(chainID string, by party) Op {
	var said []*Transaction
	for _, delta := range []int64{1, 2} {
		b := Body{
			Version: 1, ChainId: chainID, Actor: by.address[:], Nonce: []byte("one nonce for two"), ValidUntilMs: testTimeMS + 60_000,
			Ops: []Op{{Kind: &Op_Add{Add: &Add{Path: "visits", Delta: delta}}}},
		}
		b.Nonce = b.Nonce[:NonceLen]
		message := crypto.SignBytes(crypto.TagTx, vectorGenesis, crypto.Sum(b.Encode()))
		tx := Tx{Body: b.Encode(), Sigs: []Sig{{KeyType: uint32(crypto.KeyEd25519), PublicKey: by.public, Signature: by.key.Sign(message[:])}}}
		raw, err := tx.Marshal()
		if err != nil {
			panic(err)
		}
		t, err := DecodeTransaction(raw)
		if err != nil {
			panic(err)
		}
		said = append(said, t)
	}
	op, _ := EvidenceFor(said[0], said[1])
	return op
}

// makeVectors computes the whole file.
func makeVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{
		About: "Encodings of tetrad.v1. Bytes are hexadecimal; seeds are ed25519 private seeds of test keys. " +
			"Written by go test ./ledger -run TestVectors -rewrite; a change here is a change of consensus.",
		Genesis: vectorGenesis.String(), Assets: map[string]string{},
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		p := testKey(name)
		seed := p.key.Seed()
		v.Addresses = append(v.Addresses, addressVector{name, hex.EncodeToString(seed[:]), hex.EncodeToString(p.public), p.address.String()})
	}
	v.Addresses = append(v.Addresses, addressVector{Name: "@gov", Address: GovAddress.String()})
	created := CreatedAddress(testKey("alice").address, []byte("salt of sixteen."), SingleKey(testKey("carol").key.Public()))
	v.Addresses = append(v.Addresses, addressVector{Name: "created by alice for carol", Address: created.String()})
	for _, code := range []string{"usd", "eur", "gold"} {
		v.Assets[code] = AssetIDOf(code).String()
	}
	var raws []string
	names, bodies, signers := vectorBodies()
	for i := range bodies {
		tx := makeTransactionVector(t, names[i], bodies[i], signers[i])
		v.Transactions = append(v.Transactions, tx)
		raws = append(raws, tx.Tx)
	}
	for _, txs := range [][]string{raws[:1], raws[:3]} {
		v.Frames = append(v.Frames, frameVector{txs, hex.EncodeToString(EncodeFrame(decodeAll(t, txs)))})
	}
	for _, r := range []Receipt{{Height: 1}, {Height: 300, Index: 77, Code: uint32(CodeInsufficientFunds), Op: 2}} {
		r.Txid = decodeHex(t, v.Transactions[0].TxID)
		v.Receipts = append(v.Receipts, receiptVector{v.Transactions[0].TxID, r.Height, r.Index, r.Code, r.Op, hex.EncodeToString(r.Encode())})
	}
	head := crypto.Hash{}
	for i, tx := range v.Transactions[:2] {
		next := LogHead(head, TxID(decodeHex(t, tx.TxID)), uint64(i+1))
		v.Log = append(v.Log, logVector{head.String(), tx.TxID, uint64(i + 1), next.String()})
		head = next
	}
	leaves := someLeaves()
	for _, kind := range leafKinds {
		l := leaves[kind]
		v.Leaves = append(v.Leaves, leafVector{kind, hex.EncodeToString(l.key), hex.EncodeToString(l.leaf), saysOf(t, kind, l.leaf)})
	}
	return v
}

func makeTransactionVector(t *testing.T, name string, b Body, signers []party) transactionVector {
	encoded := b.Encode()
	message := crypto.SignBytes(crypto.TagTx, vectorGenesis, crypto.Sum(encoded))
	tx := Tx{Body: encoded}
	for _, s := range signers {
		tx.Sigs = append(tx.Sigs, Sig{KeyType: uint32(crypto.KeyEd25519), PublicKey: s.public, Signature: s.key.Sign(message[:])})
	}
	raw, err := tx.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := DecodeTransaction(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	form, err := FormatTransaction(decoded, Names{})
	if err != nil {
		t.Fatal(err)
	}
	return transactionVector{
		name, form, hex.EncodeToString(encoded), hex.EncodeToString(raw), decoded.ID.String(), decoded.BodyHash.String(),
		hex.EncodeToString(message[:]),
	}
}

// TestVectors compares the file with what this code makes of the same values.
func TestVectors(t *testing.T) {
	want := makeVectors(t)
	if *rewrite {
		text, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsPath, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := readVectors(t)
	for i := range want.Transactions {
		want.Transactions[i].Form = compact(t, want.Transactions[i].Form)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s does not say what this code does", vectorsPath)
	}
}

// TestVectorsDecode reads the file's bytes without any of the code that made them.
func TestVectorsDecode(t *testing.T) {
	v := readVectors(t)
	genesis, err := crypto.ParseHash(v.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range v.Transactions {
		tx, err := DecodeTransaction(decodeHex(t, x.Tx))
		if err != nil {
			t.Errorf("%s: %v", x.Name, err)
			continue
		}
		if tx.ID.String() != x.TxID || tx.BodyHash.String() != x.BodyHash || hex.EncodeToString(tx.Tx.Body) != x.Body {
			t.Errorf("%s: id, hash or body differ", x.Name)
		}
		for i, s := range tx.Signed(genesis) { // those of evidence come behind its own
			own := i < len(tx.Tx.Sigs)
			if own != (hex.EncodeToString(s.Message) == x.SignBytes) || !crypto.Verify(s.Type, s.Public, s.Message, s.Signature) {
				t.Errorf("%s: a signature does not verify over the sign bytes", x.Name)
			}
		}
		form, err := FormatTransaction(tx, Names{})
		if err != nil || !bytes.Equal(compact(t, form), x.Form) {
			t.Errorf("%s: reads as %s, %v", x.Name, form, err)
		}
		body, sigs, err := ParseTransaction(x.Form, Names{})
		again := Tx{Body: body.Encode(), Sigs: sigs}
		if raw, merr := again.Marshal(); err != nil || merr != nil || hex.EncodeToString(raw) != x.Tx {
			t.Errorf("%s: the form does not encode to the bytes: %v", x.Name, err)
		}
	}
	for _, x := range v.Frames {
		txs, err := DecodeFrame(decodeHex(t, x.Frame))
		if err != nil || !reflect.DeepEqual(txs, decodeAll(t, x.Txs)) {
			t.Errorf("frame of %d: %v", len(x.Txs), err)
		}
	}
	for _, x := range v.Receipts {
		r, err := DecodeReceipt(decodeHex(t, x.Encoding))
		if err != nil || r.ID().String() != x.TxID || r.Height != x.Height || r.Index != x.Index || r.Code != x.Code || r.Op != x.Op {
			t.Errorf("receipt %+v: %+v, %v", x, r, err)
		}
	}
	for _, x := range v.Leaves {
		leaf := decodeHex(t, x.Value)
		if err := CheckLeaf(decodeHex(t, x.Key), leaf); err != nil {
			t.Errorf("leaf %s: %v", x.Kind, err)
		}
		if says := saysOf(t, x.Kind, leaf); !bytes.Equal(says, x.Says) {
			t.Errorf("leaf %s says %s, the file %s", x.Kind, says, x.Says)
		}
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for i := range v.Transactions {
		v.Transactions[i].Form = compact(t, v.Transactions[i].Form)
	}
	for i := range v.Leaves {
		v.Leaves[i].Says = compact(t, v.Leaves[i].Says)
	}
	return v
}

var leafKinds = []string{"account", "page", "asset", "entry", "counter", "last", "multi", "set", "namespace", "validator", "validators", "node", "params", "chain", "record", "bucket", "barred"}

// saysOf is what a leaf says, as JSON. Keys and values in it are base64, amounts their two 64-bit halves.
func saysOf(t *testing.T, kind string, leaf []byte) json.RawMessage {
	t.Helper()
	var says any
	var err error
	switch kind {
	case "account", "barred":
		says, err = DecodeAccount(leaf)
	case "page":
		says, err = DecodePage(leaf)
	case "asset":
		says, err = DecodeAsset(leaf)
	case "entry", "counter", "last", "multi", "set":
		says, err = DecodeEntry(leaf)
	case "namespace":
		says, err = DecodeNamespace(leaf)
	case "validator":
		says, err = DecodeValidator(leaf)
	case "validators":
		says, err = DecodeValidators(leaf)
	case "node":
		says, err = DecodeNode(leaf)
	case "params":
		says, err = DecodeParams(leaf)
	case "chain":
		says, err = DecodeChain(leaf)
	case "record":
		says, err = DecodeRecord(leaf)
	case "bucket":
		says, err = DecodeBucket(leaf)
	}
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	text, err := json.Marshal(says)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compact(t *testing.T, text []byte) json.RawMessage {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decodeHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeAll(t *testing.T, texts []string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, decodeHex(t, text))
	}
	return all
}
