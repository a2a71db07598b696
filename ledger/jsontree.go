package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/tetradledger/tetrad/crypto"
)

// JSONError says what is wrong in a JSON document, and where.
type JSONError struct {
	Path   string // such as ops[2].transfer.amount; empty for the whole document
	Reason string
}

func (e *JSONError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// jsonDepthMax is deeper than any form of a transaction.
const jsonDepthMax = 12

// jsonField is a member of an object, in the order of the document.
type jsonField struct {
	name  string
	value any // string, json.Number, bool, nil, []any or []jsonField
	used  bool
}

// parseTree reads a document without any of the leniency that would let two readers understand it
// differently: no name twice, no name in another case, nothing behind the end, only UTF-8.
func parseTree(text []byte) (any, error) {
	if len(text) > 4*TxBytesMax {
		return nil, &JSONError{Reason: fmt.Sprintf("%d bytes, at most %d allowed", len(text), 4*TxBytesMax)}
	}
	if !utf8.Valid(text) {
		return nil, &JSONError{Reason: "not UTF-8"}
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, &JSONError{Reason: describeSyntax(text, err)}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return parseNode(d, "", 0)
}

// describeSyntax names the line and column of a syntax error.
func describeSyntax(text []byte, err error) string {
	syntax, ok := err.(*json.SyntaxError)
	if !ok {
		return "not JSON: " + err.Error()
	}
	before := text[:min(int(syntax.Offset), len(text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Sprintf("not JSON: line %d, column %d: %s", line, column, syntax.Error())
}

func parseNode(d *json.Decoder, path string, depth int) (any, error) {
	token, err := d.Token()
	if err == io.EOF {
		return nil, &JSONError{Reason: "empty"}
	}
	if err != nil {
		return nil, &JSONError{Path: path, Reason: err.Error()}
	}
	open, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == jsonDepthMax {
		return nil, &JSONError{Path: path, Reason: fmt.Sprintf("nested more than %d deep", jsonDepthMax)}
	}
	list, fields := []any{}, []jsonField{}
	for d.More() {
		if open == '[' {
			element, err := parseNode(d, fmt.Sprintf("%s[%d]", path, len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, element)
			continue
		}
		token, err := d.Token()
		if err != nil {
			return nil, &JSONError{Path: path, Reason: err.Error()}
		}
		field := jsonField{name: token.(string)} // the decoder gives no other kind in this place
		for _, other := range fields {
			if other.name == field.name {
				return nil, &JSONError{Path: joinPath(path, field.name), Reason: "appears twice"}
			}
		}
		if field.value, err = parseNode(d, joinPath(path, field.name), depth+1); err != nil {
			return nil, err
		}
		if fields = append(fields, field); len(fields) > 64 {
			return nil, &JSONError{Path: path, Reason: "more than 64 fields"}
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, &JSONError{Path: path, Reason: err.Error()}
	}
	if open == '[' {
		return list, nil
	}
	return fields, nil
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// jsonReader is shared by all objects of a document: the first fault sticks, so that a form is read
// field by field and asked once for what was wrong.
type jsonReader struct {
	names Names
	fault *JSONError
}

func (r *jsonReader) fail(path, format string, args ...any) {
	if r.fault == nil {
		r.fault = &JSONError{Path: path, Reason: fmt.Sprintf(format, args...)}
	}
}

// jsonObject is an object whose fields are taken one by one; what is never asked for is unknown.
type jsonObject struct {
	r      *jsonReader
	path   string
	fields []jsonField
}

// object reads a value as an object.
func (r *jsonReader) object(value any, path string) *jsonObject {
	fields, ok := value.([]jsonField)
	if !ok {
		r.fail(path, "must be an object")
	}
	return &jsonObject{r: r, path: path, fields: fields}
}

// take returns a field's value; found is false if it is absent.
func (o *jsonObject) take(name string) (value any, path string, found bool) {
	path = joinPath(o.path, name)
	for i := range o.fields {
		if o.fields[i].name == name {
			o.fields[i].used = true
			return o.fields[i].value, path, true
		}
	}
	return nil, path, false
}

// end refuses fields that nobody asked for.
func (o *jsonObject) end() {
	for _, f := range o.fields {
		if !f.used {
			o.r.fail(joinPath(o.path, f.name), "unknown field")
		}
	}
}

// text takes a string; absent is empty.
func (o *jsonObject) text(name string) string {
	value, path, found := o.take(name)
	s, ok := value.(string)
	if found && !ok {
		o.r.fail(path, "must be a string")
	}
	return s
}

// need takes a string that must be there.
func (o *jsonObject) need(name string) string {
	s := o.text(name)
	if s == "" {
		o.r.fail(joinPath(o.path, name), "is missing")
	}
	return s
}

// number takes an integer from 0 to max; absent is 0.
func (o *jsonObject) number(name string, max uint64) uint64 {
	value, path, found := o.take(name)
	if !found {
		return 0
	}
	n, ok := value.(json.Number)
	if !ok {
		o.r.fail(path, "must be a number")
		return 0
	}
	u, err := strconv.ParseUint(n.String(), 10, 64)
	if err != nil || u > max {
		o.r.fail(path, "%s is not a whole number from 0 to %d", n, max)
		return 0
	}
	return u
}

// flag takes a boolean; absent is false.
func (o *jsonObject) flag(name string) bool {
	value, path, found := o.take(name)
	b, ok := value.(bool)
	if found && !ok {
		o.r.fail(path, "must be true or false")
	}
	return b
}

// inner takes an object; absent is nil.
func (o *jsonObject) inner(name string) *jsonObject {
	value, path, found := o.take(name)
	if !found {
		return nil
	}
	return o.r.object(value, path)
}

// list takes an array; absent is empty.
func (o *jsonObject) list(name string) ([]any, string) {
	value, path, found := o.take(name)
	list, ok := value.([]any)
	if found && !ok {
		o.r.fail(path, "must be a list")
	}
	return list, path
}

// hex takes bytes in hexadecimal; absent is nil.
func (o *jsonObject) hex(name string) []byte {
	s := o.text(name)
	b, err := hex.DecodeString(s)
	if err != nil {
		o.r.fail(joinPath(o.path, name), "%q is not hexadecimal", s)
	}
	if len(b) == 0 {
		return nil
	}
	return b
}

// base64 takes bytes in standard base64; absent is nil.
func (o *jsonObject) base64(name string) []byte {
	s := o.text(name)
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		o.r.fail(joinPath(o.path, name), "not base64")
	}
	if len(b) == 0 {
		return nil
	}
	return b
}

// account takes an address or a name that the caller can resolve; absent is nil.
func (o *jsonObject) account(name string) []byte {
	s := o.text(name)
	if s == "" {
		return nil
	}
	a, err := o.r.names.account(s)
	if err != nil {
		o.r.fail(joinPath(o.path, name), "%s", err)
		return nil
	}
	return a[:]
}

// needAccount takes an account that must be there.
func (o *jsonObject) needAccount(name string) []byte {
	o.need(name)
	return o.account(name)
}

// asset takes an asset by code, or by id for one that the caller does not know.
func (o *jsonObject) asset(name string) []byte {
	s := o.need(name)
	if id, err := crypto.ParseHash(s); err == nil {
		return id[:]
	}
	if r := checkAssetCode(s); r != nil && s != "" {
		o.r.fail(joinPath(o.path, name), "%s", r.Detail)
	}
	id := AssetIDOf(s)
	return id[:]
}

// amount takes a decimal at the asset's scale.
func (o *jsonObject) amount(name string, asset []byte) Amount {
	path := joinPath(o.path, name)
	s := o.text(name)
	if s == "" {
		return Amount{}
	}
	scale, ok := uint8(0), false
	if len(asset) == crypto.HashSize {
		_, scale, ok = o.r.names.asset(crypto.Hash(asset))
	}
	if !ok {
		o.r.fail(path, "the asset is not known here, so its scale is not either; give units instead")
		return Amount{}
	}
	return o.parseAmount(path, s, scale)
}

func (o *jsonObject) parseAmount(path, s string, scale uint8) Amount {
	a, err := ParseAmount(s, scale)
	if err != nil {
		o.r.fail(path, "%s", err.(*Reject).Detail)
	}
	return a
}

// amountOrUnits takes a decimal at the asset's scale or, under the other name, a whole number of units.
func (o *jsonObject) amountOrUnits(name, unitsName string, asset []byte) Amount {
	amount := o.amount(name, asset)
	units := o.text(unitsName)
	if units == "" {
		return amount
	}
	if o.text(name) != "" {
		o.r.fail(o.path, "%s and %s are both present", name, unitsName)
	}
	return o.parseAmount(joinPath(o.path, unitsName), units, 0)
}
