package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/tetradledger/tetrad/crypto"
)

// The JSON form is for people and scripts: what `tx send` reads and what explorers show. It carries the same
// meaning as the wire form and no bytes are ever hashed or signed in it. Amounts are decimal strings at
// the asset's scale; where the scale is not known they are whole numbers of units under another name,
// so that the two are never confused.

// Names connects the JSON form to what the caller knows. Every function may be nil.
type Names struct {
	// Account resolves what is not an address, such as the name of a key.
	Account func(text string) (crypto.Address, error)
	// Name is how an account is shown; empty for its address.
	Name func(crypto.Address) string
	// Asset finds an asset's code and scale.
	Asset func(id crypto.Hash) (code string, scale uint8, ok bool)
}

func (n Names) account(text string) (crypto.Address, error) {
	a, err := crypto.ParseAddress(text)
	if err == nil || n.Account == nil {
		return a, err
	}
	return n.Account(text)
}

func (n Names) show(account []byte) string {
	if len(account) == 0 {
		return ""
	}
	a := addressOf(account)
	if n.Name != nil {
		if name := n.Name(a); name != "" {
			return name
		}
	}
	return a.String()
}

func (n Names) asset(id crypto.Hash) (string, uint8, bool) {
	if n.Asset == nil {
		return "", 0, false
	}
	return n.Asset(id)
}

// showAsset is the asset's code, or its id.
func (n Names) showAsset(id []byte) string {
	if len(id) != crypto.HashSize {
		return ""
	}
	if code, _, ok := n.asset(crypto.Hash(id)); ok {
		return code
	}
	return hex.EncodeToString(id)
}

// showAmount is the amount as a decimal, or else as units.
func (n Names) showAmount(asset, amount []byte) (decimal, units string) {
	if len(asset) != crypto.HashSize || len(amount) > 16 {
		return "", ""
	}
	if _, scale, ok := n.asset(crypto.Hash(asset)); ok {
		return amountOf(amount).Format(scale), ""
	}
	return "", amountOf(amount).String()
}

// ParseOps reads a list of operations, or an object whose only field ops is such a list.
func ParseOps(text []byte, names Names) ([]Op, error) {
	tree, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	r := &jsonReader{names: names}
	list, ok := tree.([]any)
	path := ""
	if !ok {
		o := r.object(tree, "")
		list, path = o.list("ops")
		o.end()
	}
	ops := r.ops(list, path)
	if r.fault != nil {
		return nil, r.fault
	}
	return ops, nil
}

// ops reads operations and checks their shape.
func (r *jsonReader) ops(list []any, path string) []Op {
	switch {
	case r.fault != nil:
		return nil
	case len(list) == 0:
		r.fail(path, "holds no operation")
	case len(list) > OpsMax:
		r.fail(path, "%d operations, at most %d allowed", len(list), OpsMax)
	}
	ops := make([]Op, 0, len(list))
	for i, value := range list {
		if r.fault != nil {
			return nil
		}
		ops = append(ops, r.op(value, fmt.Sprintf("%s[%d]", path, i)))
	}
	return ops
}

// op reads one operation: a field named after its kind, and perhaps an actor.
func (r *jsonReader) op(value any, path string) Op {
	o := r.object(value, path)
	op := Op{Actor: o.account("actor")}
	for i := range opKinds {
		inner := o.inner(opKinds[i].name)
		if inner == nil {
			continue
		}
		if op.Kind != nil {
			r.fail(inner.path, "only one kind of operation allowed")
		}
		op.Kind = opKinds[i].parse(inner)
		inner.end()
	}
	o.end()
	if r.fault != nil {
		return Op{}
	}
	if _, fault := op.check(crypto.Address{}); fault != nil {
		r.fail(path, "%s", fault)
	}
	return op
}

// FormatOps writes operations as a JSON list.
func FormatOps(ops []Op, names Names) ([]byte, error) {
	list, err := showOps(ops, names)
	if err != nil {
		return nil, err
	}
	return marshalJSON(list)
}

func showOps(ops []Op, names Names) ([]map[string]any, error) {
	list := make([]map[string]any, 0, len(ops))
	for i := range ops {
		o, kind := ops[i].kind()
		if kind == nil {
			return nil, fmt.Errorf("operation %d is of no known kind", i)
		}
		shown := map[string]any{kind.name: o.show(names)}
		if len(ops[i].Actor) > 0 {
			shown["actor"] = names.show(ops[i].Actor)
		}
		list = append(list, shown)
	}
	return list, nil
}

// jsonTransaction is the form of a transaction; without txid and sigs it is one to be signed.
type jsonTransaction struct {
	TxID         string           `json:"txid,omitempty"`
	Version      uint32           `json:"version"`
	ChainID      string           `json:"chain_id"`
	Actor        string           `json:"actor"`
	Nonce        string           `json:"nonce,omitempty"`
	Lane         *jsonLane        `json:"lane,omitempty"`
	ValidUntilMS uint64           `json:"valid_until_ms,omitempty"`
	Ops          []map[string]any `json:"ops"`
	Memo         string           `json:"memo,omitempty"`
	Sigs         []jsonSig        `json:"sigs,omitempty"`
}

type jsonLane struct {
	ID  uint64 `json:"id"`
	Seq uint64 `json:"seq"`
}

type jsonSig struct {
	KeyType   string `json:"key_type"`
	PublicKey string `json:"public_key"`
	Signature string `json:"signature"`
}

// FormatTransaction writes a transaction, its id and its signatures.
func FormatTransaction(t *Transaction, names Names) ([]byte, error) {
	form, err := showBody(&t.Body, names)
	if err != nil {
		return nil, err
	}
	form.TxID = t.ID.String()
	for i := range t.Tx.Sigs {
		s := &t.Tx.Sigs[i]
		form.Sigs = append(form.Sigs, jsonSig{
			KeyType: keyTypeName(s.KeyType), PublicKey: hex.EncodeToString(s.PublicKey), Signature: hex.EncodeToString(s.Signature),
		})
	}
	return marshalJSON(form)
}

// FormatBody writes a transaction that is not signed yet.
func FormatBody(b *Body, names Names) ([]byte, error) {
	form, err := showBody(b, names)
	if err != nil {
		return nil, err
	}
	return marshalJSON(form)
}

func showBody(b *Body, names Names) (jsonTransaction, error) {
	ops, err := showOps(b.Ops, names)
	if err != nil {
		return jsonTransaction{}, err
	}
	form := jsonTransaction{
		Version: b.Version, ChainID: b.ChainId, Actor: names.show(b.Actor), Nonce: hex.EncodeToString(b.Nonce),
		ValidUntilMS: b.ValidUntilMs, Ops: ops, Memo: b.Memo,
	}
	if b.Lane != nil {
		form.Lane = &jsonLane{ID: b.Lane.Id, Seq: b.Lane.Seq}
	}
	return form, nil
}

// ParseTransaction reads the form that FormatTransaction and FormatBody write. The body it returns has a
// valid shape; sigs may be empty. A txid in the document must be the body's.
func ParseTransaction(text []byte, names Names) (Body, []Sig, error) {
	tree, err := parseTree(text)
	if err != nil {
		return Body{}, nil, err
	}
	r := &jsonReader{names: names}
	o := r.object(tree, "")
	b := Body{
		Version: uint32(o.number("version", 1<<32-1)), ChainId: o.need("chain_id"), Actor: o.needAccount("actor"),
		Nonce: o.hex("nonce"), ValidUntilMs: o.number("valid_until_ms", 1<<64-1), Memo: o.text("memo"),
	}
	if lane := o.inner("lane"); lane != nil {
		b.Lane = &Lane{Id: lane.number("id", 1<<64-1), Seq: lane.number("seq", 1<<64-1)}
		lane.end()
	}
	b.Ops = r.ops(o.list("ops"))
	sigs := r.sigs(o.list("sigs"))
	id := o.text("txid")
	o.end()
	if r.fault != nil {
		return Body{}, nil, r.fault
	}
	if fault := b.validate(); fault != nil {
		return Body{}, nil, fault
	}
	if id != "" && id != b.TxID().String() {
		return Body{}, nil, &JSONError{Path: "txid", Reason: "is not the hash of this transaction's body"}
	}
	return b, sigs, nil
}

func (r *jsonReader) sigs(list []any, path string) []Sig {
	var sigs []Sig
	for i, value := range list {
		if i == SigsMax {
			r.fail(path, "more than %d signatures", SigsMax)
			return nil
		}
		o := r.object(value, fmt.Sprintf("%s[%d]", path, i))
		sigs = append(sigs, Sig{KeyType: o.keyType("key_type"), PublicKey: o.hex("public_key"), Signature: o.hex("signature")})
		o.end()
	}
	return sigs
}

// keyType takes a key type by name.
func (o *jsonObject) keyType(name string) uint32 {
	switch s := o.need(name); s {
	case "ed25519":
		return uint32(crypto.KeyEd25519)
	default:
		o.r.fail(joinPath(o.path, name), "key type %q is not supported", s)
		return 0
	}
}

func keyTypeName(t uint32) string {
	if t == uint32(crypto.KeyEd25519) {
		return "ed25519"
	}
	return fmt.Sprintf("type_%d", t)
}

// validator takes a validator's id that must be there.
func (o *jsonObject) validator(name string) []byte {
	id, err := crypto.ParseValidatorID(o.need(name))
	if err != nil {
		o.r.fail(joinPath(o.path, name), "%s", err)
		return nil
	}
	return id[:]
}

func showValidator(id []byte) string {
	if len(id) != crypto.AddressSize {
		return ""
	}
	return crypto.ValidatorID(id).String()
}

// texts takes a list of at most so many strings.
func (o *jsonObject) texts(name string, most int) (texts []string) {
	list, path := o.list(name)
	if len(list) > most {
		o.r.fail(path, "%d strings, at most %d allowed", len(list), most)
		return nil
	}
	for i, value := range list {
		text, ok := value.(string)
		if !ok {
			o.r.fail(fmt.Sprintf("%s[%d]", path, i), "must be a string")
		}
		texts = append(texts, text)
	}
	return texts
}

// marshalJSON is json.MarshalIndent without the escapes that only matter inside HTML.
func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// isText reports whether bytes can be shown as a JSON string and read back unchanged.
func isText(b []byte) bool {
	return utf8.Valid(b) && checkText("", string(b)) == nil
}
