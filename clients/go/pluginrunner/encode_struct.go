package pluginrunner

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"google.golang.org/protobuf/types/known/structpb"
)

// structField is a field of a struct as package json sees it.
type structField struct {
	name      string
	index     []int
	tagged    bool
	omitEmpty bool
	omitZero  bool
	quoted    bool
}

var knownFields sync.Map // of reflect.Type to []structField

// fieldsOf returns the fields that package json would write: exported ones and those of embedded structs, of which one
// hides others of its name that are embedded deeper or have no tag.
func fieldsOf(t reflect.Type) []structField {
	if known, ok := knownFields.Load(t); ok {
		return known.([]structField)
	}
	byName := map[string][]structField{}
	collectFields(t, nil, nil, byName)
	var fields []structField
	for _, same := range byName {
		if field, ok := dominant(same); ok {
			fields = append(fields, field)
		}
	}
	// Faults are then told in the same order each time.
	slices.SortFunc(fields, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	knownFields.Store(t, fields)
	return fields
}

func collectFields(t reflect.Type, index []int, outer []reflect.Type, byName map[string][]structField) {
	if slices.Contains(outer, t) {
		return
	}
	outer = append(slices.Clone(outer), t)
	for at := range t.NumField() {
		found := t.Field(at)
		tag := found.Tag.Get("json")
		kind := found.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		embedded := found.Anonymous && kind.Kind() == reflect.Struct
		if tag == "-" || !found.IsExported() && !embedded {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if strings.ContainsFunc(name, isOddInName) {
			name = ""
		}
		below := append(slices.Clone(index), at)
		if embedded && name == "" {
			collectFields(kind, below, outer, byName)
			continue
		}
		if !found.IsExported() {
			continue
		}
		has := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
		field := structField{
			name: name, index: below, tagged: name != "",
			omitEmpty: has("omitempty"), omitZero: has("omitzero"), quoted: has("string"),
		}
		if name == "" {
			field.name = found.Name
		}
		byName[field.name] = append(byName[field.name], field)
	}
}

// isOddInName says what package json takes no name with.
func isOddInName(r rune) bool {
	return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// dominant returns the one of several fields of a name that counts, if any does.
func dominant(same []structField) (structField, bool) {
	before := func(a, b structField) int {
		if len(a.index) != len(b.index) {
			return len(a.index) - len(b.index)
		}
		switch {
		case a.tagged == b.tagged:
			return 0
		case a.tagged:
			return -1
		default:
			return 1
		}
	}
	slices.SortStableFunc(same, before)
	return same[0], len(same) == 1 || before(same[0], same[1]) != 0
}

// in returns the field's value in a struct; none where an embedded pointer on the way is nil.
func (f structField) in(v reflect.Value) (reflect.Value, bool) {
	for _, at := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v, true
}

func (f structField) leftOut(v reflect.Value) bool {
	if f.omitEmpty {
		switch v.Kind() {
		case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
			return v.Len() == 0
		case reflect.Struct:
		default:
			if v.IsZero() {
				return true
			}
		}
	}
	if !f.omitZero {
		return false
	}
	if given, ok := v.Interface().(interface{ IsZero() bool }); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		return given.IsZero()
	}
	return v.IsZero()
}

// isNumeric says of what values the option `string` of a tag makes a text.
func isNumeric(v reflect.Value) bool {
	v = reflect.Indirect(v)
	return v.IsValid() && !marshals(v.Type()) && (v.CanInt() || v.CanUint() || v.CanFloat() || v.Kind() == reflect.Bool)
}

func quoted(value *structpb.Value, from reflect.Value) *structpb.Value {
	switch value.GetKind().(type) {
	case *structpb.Value_NumberValue, *structpb.Value_BoolValue:
		if from.CanFloat() {
			text, _ := json.Marshal(from.Interface())
			return structpb.NewStringValue(string(text))
		}
		return structpb.NewStringValue(fmt.Sprint(from.Interface()))
	default:
		return value
	}
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// marshals says whether a type has its own JSON or text.
func marshals(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(jsonMarshaler) || pointer.Implements(textMarshaler)
}
