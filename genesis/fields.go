package genesis

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// checkFields walks a JSON document beside the Go type it is read into and reports every field the type
// does not have and every field given twice, with its place. encoding/json would stop at the first,
// without a place, and would let "Chain_ID" and a second "chain_id" pass.
func checkFields(data []byte, t reflect.Type) error {
	w := walker{dec: json.NewDecoder(bytes.NewReader(data))}
	w.dec.UseNumber()
	if err := w.value(t, ""); err != nil {
		return err
	}
	if w.dec.More() {
		return fmt.Errorf("something follows the document at byte %d", w.dec.InputOffset())
	}
	return w.faults.err()
}

type walker struct {
	dec    *json.Decoder
	faults Faults
}

var unmarshalsText = reflect.TypeFor[encoding.TextUnmarshaler]()

// value consumes one JSON value. A nil type is one we do not know: it is skipped.
func (w *walker) value(t reflect.Type, path string) error {
	token, err := w.dec.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch token {
	case json.Delim('{'):
		return w.object(fieldsOf(t), path)
	case json.Delim('['):
		var elem reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			elem = t.Elem()
		}
		for i := 0; w.dec.More(); i++ {
			if err := w.value(elem, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		_, err = w.dec.Token()
		return err
	}
	return nil
}

// object consumes the rest of a JSON object; known is nil where anything is skipped.
func (w *walker) object(known map[string]reflect.Type, path string) error {
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		name, _ := token.(string)
		place := strings.TrimPrefix(path+"."+name, ".")
		if seen[name] {
			w.faults.addf(place, "given twice")
		}
		seen[name] = true
		t, ok := known[name]
		if !ok && known != nil {
			w.faults.addf(place, "unknown field")
		}
		if err := w.value(t, place); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// fieldsOf maps the JSON names of a struct's fields to their types, or gives nil for anything that is
// not read field by field.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(unmarshalsText) {
		return nil
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = field.Type
		}
	}
	return fields
}
