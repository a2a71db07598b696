package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
)

// message is what the generated code gives every wire message.
type message interface {
	Unmarshal([]byte) error
	Size() int
	MarshalToSizedBuffer([]byte) (int, error)
}

// decodeCanonical accepts exactly one encoding of every message: the bytes that encoding the decoded
// message gives again. Protobuf decoders skip what they do not know, let later fields overwrite earlier
// ones and accept padded integers; all of that would let two different byte strings mean the same.
func decodeCanonical(b []byte, m message, place string) *Reject {
	err := m.Unmarshal(b)
	if err == nil && m.Size() == len(b) {
		again := make([]byte, len(b))
		if _, err = m.MarshalToSizedBuffer(again); err == nil && bytes.Equal(again, b) {
			return nil
		}
	}
	fault := explain(b, reflect.TypeOf(m).Elem(), place)
	if fault == "" {
		fault = place + ": not the canonical encoding"
	}
	return reject(CodeBadEncoding, "%s", fault)
}

// countField counts a field's occurrences at the top level, so that a list can be bounded before the
// decoder makes room for it. It stops at the first thing it does not understand: the decoder will, too.
func countField(b []byte, number uint64) (n int) {
	for len(b) > 0 {
		tag, used := binary.Uvarint(b)
		if used <= 0 {
			return n
		}
		b = b[used:]
		value, used := binary.Uvarint(b)
		if used <= 0 {
			return n
		}
		b = b[used:]
		switch tag & 7 {
		case wireVarint:
		case wireBytes:
			if value > uint64(len(b)) {
				return n
			}
			b = b[value:]
		default:
			return n
		}
		if tag>>3 == number {
			n++
		}
	}
	return n
}

const (
	wireVarint = 0
	wireBytes  = 2
)

// wireField is what a generated struct's tags say of a field.
type wireField struct {
	name     string
	bits     int // of a varint: 1, 32 or 64
	wire     uint64
	repeated bool
	oneof    bool
	message  reflect.Type // nil for a scalar
}

// fieldsOf reads the fields of a generated struct from its tags. It runs only to name a fault.
func fieldsOf(t reflect.Type) map[uint64]wireField {
	fields := map[uint64]wireField{}
	add := func(f reflect.StructField, oneof bool) {
		parts := strings.Split(f.Tag.Get("protobuf"), ",")
		if len(parts) < 3 {
			return
		}
		var number uint64
		field := wireField{oneof: oneof, repeated: parts[2] == "rep"}
		fmt.Sscan(parts[1], &number)
		for _, part := range parts {
			if name, ok := strings.CutPrefix(part, "name="); ok {
				field.name = name
			}
		}
		elem := f.Type
		if parts[0] == "bytes" {
			field.wire = wireBytes
		}
		for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice && elem.Elem().Kind() != reflect.Uint8 {
			elem = elem.Elem()
		}
		switch elem.Kind() {
		case reflect.Struct:
			field.message = elem
		case reflect.Bool:
			field.bits = 1
		case reflect.Uint32:
			field.bits = 32
		default:
			field.bits = 64
		}
		fields[number] = field
	}
	for i := range t.NumField() {
		add(t.Field(i), false)
	}
	if m, ok := reflect.New(t).Interface().(interface{ XXX_OneofWrappers() []any }); ok {
		for _, wrapper := range m.XXX_OneofWrappers() {
			add(reflect.TypeOf(wrapper).Elem().Field(0), true)
		}
	}
	return fields
}

// explain walks bytes that are not canonical and says what is wrong first, and where. It returns nothing
// if it finds nothing.
func explain(b []byte, t reflect.Type, place string) string {
	at := func(name string) string {
		if place == "" {
			return name
		}
		return place + "." + name
	}
	fields := fieldsOf(t)
	seen := map[uint64]int{}
	var last uint64
	oneof := ""
	for len(b) > 0 {
		tag, rest, fault := minimalUvarint(b)
		if fault != "" {
			return at("field tag") + ": " + fault
		}
		number := tag >> 3
		field, known := fields[number]
		if !known {
			return fmt.Sprintf("%s: unknown field", at(fmt.Sprintf("field %d", number)))
		}
		name := at(field.name)
		switch {
		case tag&7 != field.wire:
			return fmt.Sprintf("%s: wire type %d, must be %d", name, tag&7, field.wire)
		case field.oneof && oneof != "":
			return fmt.Sprintf("%s: only one alternative allowed, %s came before", name, oneof)
		case seen[number] > 0 && !field.repeated:
			return name + ": appears twice"
		case number < last:
			return name + ": out of order"
		}
		if field.oneof {
			oneof = field.name
		}
		if field.repeated {
			name = fmt.Sprintf("%s[%d]", name, seen[number])
		}
		seen[number]++
		last = number
		if b, fault = explainValue(rest, field, name); fault != "" {
			return fault
		}
	}
	return ""
}

// explainValue checks one field's value and returns what follows it.
func explainValue(b []byte, field wireField, name string) (rest []byte, fault string) {
	value, rest, fault := minimalUvarint(b)
	if fault != "" {
		return nil, name + ": " + fault
	}
	if field.wire == wireVarint {
		switch {
		case value == 0:
			return nil, name + ": a zero is left out"
		case field.bits < 64 && value>>field.bits != 0:
			return nil, name + ": out of range"
		}
		return rest, ""
	}
	if value > uint64(len(rest)) {
		return nil, name + ": ends early"
	}
	inner := rest[:value]
	if field.message != nil {
		fault = explain(inner, field.message, name)
	} else if value == 0 && !field.repeated && !field.oneof {
		fault = name + ": an empty field is left out"
	}
	return rest[value:], fault
}

// minimalUvarint reads an integer that is not padded.
func minimalUvarint(b []byte) (value uint64, rest []byte, fault string) {
	value, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, "ends early"
	case n < 0:
		return 0, nil, "integer too large"
	case n > 1 && b[n-1] == 0:
		return 0, nil, "integer is padded"
	}
	return value, b[n:], ""
}
