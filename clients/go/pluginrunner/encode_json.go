package pluginrunner

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"
)

// fromJSON reads a text of JSON, such as a json.RawMessage, without rounding its numbers.
func (e *encoder) fromJSON(encoded []byte, at *place, spent int) (*structpb.Value, error) {
	if !utf8.Valid(encoded) || hasLoneSurrogate(encoded) {
		return nil, refuse(at, "has a text that is not valid Unicode")
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	value, err := e.next(decoder, at, spent)
	if _, isMisfit := err.(*misfit); isMisfit {
		return nil, err
	}
	if err == nil {
		if _, end := decoder.Token(); end != io.EOF {
			return nil, refuse(at, "is no JSON: something follows the value")
		}
		return value, nil
	}
	return nil, &misfit{at: at, what: "is no JSON: " + err.Error(), cause: err}
}

func (e *encoder) next(decoder *json.Decoder, at *place, spent int) (*structpb.Value, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return e.nextList(decoder, at, spent)
		}
		return e.nextObject(decoder, at, spent)
	case json.Number:
		return e.digits(token.String(), at)
	case string:
		return structpb.NewStringValue(token), nil
	case bool:
		return structpb.NewBoolValue(token), nil
	default:
		return structpb.NewNullValue(), nil
	}
}

func (e *encoder) nextObject(decoder *json.Decoder, at *place, spent int) (*structpb.Value, error) {
	fields, err := objectAt(at, spent)
	if err != nil {
		return nil, err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		below := &place{at, key}
		if _, there := fields[key]; there {
			return nil, refuse(below, "stands twice in its object")
		}
		if fields[key], err = e.next(decoder, below, spent+objectCosts); err != nil {
			return nil, err
		}
	}
	_, err = decoder.Token()
	return structpb.NewStructValue(&structpb.Struct{Fields: fields}), err
}

func (e *encoder) nextList(decoder *json.Decoder, at *place, spent int) (*structpb.Value, error) {
	if spent+listCosts > mostMessages {
		return nil, tooDeep(at)
	}
	items := []*structpb.Value{}
	for decoder.More() {
		item, err := e.next(decoder, &place{at, strconv.Itoa(len(items))}, spent+listCosts)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := decoder.Token()
	return structpb.NewListValue(&structpb.ListValue{Values: items}), err
}

// hasLoneSurrogate finds an escape such as \ud800 without its other half, of which package json makes U+FFFD.
func hasLoneSurrogate(encoded []byte) bool {
	for at := 0; at < len(encoded); at++ {
		if encoded[at] != '\\' {
			continue
		}
		unit, ok := escapedUnit(encoded[at:])
		if !ok || !utf16.IsSurrogate(unit) {
			at++
			continue
		}
		other, ok := escapedUnit(encoded[at+6:])
		if !ok || utf16.DecodeRune(unit, other) == utf8.RuneError {
			return true
		}
		at += 11
	}
	return false
}

// escapedUnit reads \uXXXX at the start of a text.
func escapedUnit(encoded []byte) (rune, bool) {
	if len(encoded) < 6 || encoded[0] != '\\' || encoded[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(encoded[2:6]), 16, 16)
	return rune(unit), err == nil
}
