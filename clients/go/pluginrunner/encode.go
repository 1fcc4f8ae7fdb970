package pluginrunner

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// largestInteger is the largest magnitude up to which every reader of the wire's doubles tells all integers apart.
	largestInteger = 1<<53 - 1

	// mostMessages is how many messages may stand in each other: the strictest decoders read 100, and the messages round
	// params and results are some of these. An object is three of them (Struct, its entry, Value), a list two.
	mostMessages = 95
	objectCosts  = 3
	listCosts    = 2

	// mostSteps ends chains of pointers and interfaces that lead back to themselves.
	mostSteps = 1000
)

// encodeParams turns params into those of the wire, with the pointers to the texts in them that stand for a number.
// The error is a [ValidationError] with the pointer to what cannot be sent.
func encodeParams(params any) (*structpb.Struct, []string, error) {
	if params == nil {
		return nil, nil, nil
	}
	var e encoder
	value, err := e.value(reflect.ValueOf(params), nil, 0, 0)
	if err != nil {
		return nil, nil, asInvalidParams(err)
	}
	switch kind := value.GetKind().(type) {
	case *structpb.Value_NullValue:
		return nil, nil, nil
	case *structpb.Value_StructValue:
		return kind.StructValue, e.nonFinite, nil
	default:
		what := fmt.Sprintf("is of type %T, which is no object of JSON: give a map or a struct", params)
		return nil, nil, invalidRequest("/params", what, nil)
	}
}

// encoder walks a value as package json does, but rounds, replaces and merges nothing.
type encoder struct {
	nonFinite []string
}

func (e *encoder) value(v reflect.Value, at *place, spent, steps int) (*structpb.Value, error) {
	if steps > mostSteps {
		return nil, refuse(at, "contains itself")
	}
	for v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return structpb.NewNullValue(), nil
	}
	if value, known, err := e.special(v, at, spent); known {
		return value, err
	}
	switch v.Kind() {
	case reflect.Bool:
		return structpb.NewBoolValue(v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if number := v.Int(); number >= -largestInteger && number <= largestInteger {
			return structpb.NewNumberValue(float64(number)), nil
		}
		return nil, tooLarge(at, fmt.Sprint(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if number := v.Uint(); number <= largestInteger {
			return structpb.NewNumberValue(float64(number)), nil
		}
		return nil, tooLarge(at, fmt.Sprint(v.Uint()))
	case reflect.Float32:
		// The shortest text that is this number, as package json has it: 0.1, not 0.10000000149011612.
		number, _ := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64)
		return e.number(number, at), nil
	case reflect.Float64:
		return e.number(v.Float(), at), nil
	case reflect.String:
		return text(v.String(), at)
	case reflect.Pointer:
		return e.value(v.Elem(), at, spent, steps+1)
	case reflect.Map:
		return e.mapping(v, at, spent, steps)
	case reflect.Struct:
		return e.structure(v, at, spent, steps)
	case reflect.Slice:
		if v.IsNil() {
			return structpb.NewNullValue(), nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 && !marshals(v.Type().Elem()) {
			return structpb.NewStringValue(base64.StdEncoding.EncodeToString(v.Bytes())), nil
		}
		return e.list(v, at, spent, steps)
	case reflect.Array:
		return e.list(v, at, spent, steps)
	default:
		return nil, refuse(at, "is of type %s, which has no JSON", v.Type())
	}
}

// special encodes what is known by its type or by its methods.
func (e *encoder) special(v reflect.Value, at *place, spent int) (*structpb.Value, bool, error) {
	if !v.CanInterface() {
		return nil, false, nil
	}
	switch given := v.Interface().(type) {
	case time.Duration:
		return structpb.NewStringValue(isoDuration(given)), true, nil
	case json.Number:
		value, err := e.digits(given.String(), at)
		return value, true, err
	case proto.Message:
		return e.marshalled(at, spent, func() ([]byte, error) { return protojson.Marshal(given) })
	case json.Marshaler:
		return e.marshalled(at, spent, given.MarshalJSON)
	case encoding.TextMarshaler:
		return marshalledText(given, at)
	}
	if v.Kind() != reflect.Pointer && v.CanAddr() {
		switch given := v.Addr().Interface().(type) {
		case json.Marshaler:
			return e.marshalled(at, spent, given.MarshalJSON)
		case encoding.TextMarshaler:
			return marshalledText(given, at)
		}
	}
	return nil, false, nil
}

func (e *encoder) marshalled(at *place, spent int, marshal func() ([]byte, error)) (*structpb.Value, bool, error) {
	encoded, err := marshal()
	if err != nil {
		return nil, true, &misfit{at: at, what: "cannot be encoded: " + err.Error(), cause: err}
	}
	value, err := e.fromJSON(encoded, at, spent)
	return value, true, err
}

func marshalledText(given encoding.TextMarshaler, at *place) (*structpb.Value, bool, error) {
	encoded, err := given.MarshalText()
	if err != nil {
		return nil, true, &misfit{at: at, what: "cannot be encoded: " + err.Error(), cause: err}
	}
	value, err := text(string(encoded), at)
	return value, true, err
}

func (e *encoder) mapping(v reflect.Value, at *place, spent, steps int) (*structpb.Value, error) {
	if v.IsNil() {
		return structpb.NewNullValue(), nil
	}
	fields, err := objectAt(at, spent)
	if err != nil {
		return nil, err
	}
	for entries := v.MapRange(); entries.Next(); {
		name, err := keyOf(entries.Key(), at)
		if err != nil {
			return nil, err
		}
		below := &place{at, name}
		if _, there := fields[name]; there {
			return nil, refuse(below, "is the text of two keys of the map")
		}
		if fields[name], err = e.value(entries.Value(), below, spent+objectCosts, steps+1); err != nil {
			return nil, err
		}
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: fields}), nil
}

func (e *encoder) structure(v reflect.Value, at *place, spent, steps int) (*structpb.Value, error) {
	known := fieldsOf(v.Type())
	if len(known) == 0 && v.NumField() > 0 {
		return nil, refuse(at, "is of type %s, which has no exported fields", v.Type())
	}
	fields, err := objectAt(at, spent)
	if err != nil {
		return nil, err
	}
	for _, field := range known {
		found, there := field.in(v)
		if !there || field.leftOut(found) {
			continue
		}
		below := &place{at, field.name}
		value, err := e.value(found, below, spent+objectCosts, steps+1)
		if field.quoted && err != nil && isNumeric(found) {
			// The option `string` of the tag sends the digits: what cannot be sent as a number can.
			value, err = structpb.NewStringValue(fmt.Sprint(reflect.Indirect(found).Interface())), nil
		} else if field.quoted && err == nil && isNumeric(found) {
			value = quoted(value, reflect.Indirect(found))
		}
		if err != nil {
			return nil, err
		}
		fields[field.name] = value
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: fields}), nil
}

func objectAt(at *place, spent int) (map[string]*structpb.Value, error) {
	if spent+objectCosts > mostMessages {
		return nil, tooDeep(at)
	}
	return map[string]*structpb.Value{}, nil
}

func (e *encoder) list(v reflect.Value, at *place, spent, steps int) (*structpb.Value, error) {
	if spent+listCosts > mostMessages {
		return nil, tooDeep(at)
	}
	items := make([]*structpb.Value, v.Len())
	for index := range items {
		item, err := e.value(v.Index(index), &place{at, strconv.Itoa(index)}, spent+listCosts, steps+1)
		if err != nil {
			return nil, err
		}
		items[index] = item
	}
	return structpb.NewListValue(&structpb.ListValue{Values: items}), nil
}

// number sends what JSON has no number for as a text, whose place is told beside the params.
func (e *encoder) number(number float64, at *place) *structpb.Value {
	if !math.IsNaN(number) && !math.IsInf(number, 0) {
		return structpb.NewNumberValue(number)
	}
	e.nonFinite = append(e.nonFinite, at.pointer())
	return structpb.NewStringValue(nonFiniteText(number))
}

func nonFiniteText(number float64) string {
	switch {
	case math.IsNaN(number):
		return "NaN"
	case number > 0:
		return "Infinity"
	default:
		return "-Infinity"
	}
}

// digits reads a number as JSON writes it.
func (e *encoder) digits(digits string, at *place) (*structpb.Value, error) {
	if strings.ContainsAny(digits, ".eE") || digits == "-0" {
		number, err := strconv.ParseFloat(digits, 64)
		if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
			return nil, refuse(at, "is %s, which is beyond all numbers of 64 bits", digits)
		}
		return structpb.NewNumberValue(number), nil
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil && !isDigits(digits) {
		return nil, refuse(at, "is %q, which is no number", digits)
	}
	if err != nil || number < -largestInteger || number > largestInteger {
		return nil, tooLarge(at, digits)
	}
	return structpb.NewNumberValue(float64(number)), nil
}

func isDigits(text string) bool {
	rest := strings.TrimPrefix(text, "-")
	return rest != "" && strings.Trim(rest, "0123456789") == ""
}

func text(given string, at *place) (*structpb.Value, error) {
	if !utf8.ValidString(given) {
		return nil, refuse(at, "is a text that is not valid UTF-8: send bytes as []byte, or another text")
	}
	return structpb.NewStringValue(given), nil
}
