package pluginrunner_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
)

// valueRow is a row of contract/values.json: test/clients/README.md says how it is read.
type valueRow struct {
	Name   string
	Value  markedValue
	Field  *string
	Reason pluginrunner.Reason
}

// markedValue is a value of the table as this language has it.
type markedValue struct{ value any }

func (m *markedValue) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var read any
	if err := decoder.Decode(&read); err != nil {
		return err
	}
	m.value = unmarked(read)
	return nil
}

func unmarked(read any) any {
	switch read := read.(type) {
	case json.Number:
		return number(read.String())
	case []any:
		list := make([]any, len(read))
		for at, item := range read {
			list[at] = unmarked(item)
		}
		return list
	case map[string]any:
		if digits, ok := read["$number"].(string); ok {
			return number(digits)
		}
		if units, ok := read["$utf16"].([]any); ok {
			return utf16Text(units)
		}
		if kind, ok := read["$nest"].(string); ok {
			levels, _ := strconv.Atoi(read["levels"].(json.Number).String())
			return nested(kind, levels)
		}
		object := map[string]any{}
		for name, field := range read {
			object[name] = unmarked(field)
		}
		return object
	default:
		return read
	}
}

func number(digits string) any {
	if integer, err := strconv.ParseInt(digits, 10, 64); err == nil && digits != "-0" {
		return integer
	}
	float, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		panic(err)
	}
	return float
}

// utf16Text writes a lone surrogate as UTF-8's rule would, which no valid UTF-8 has.
func utf16Text(units []any) string {
	var text strings.Builder
	for at := 0; at < len(units); at++ {
		unit, _ := strconv.ParseUint(units[at].(string), 16, 16)
		r := rune(unit)
		if utf16.IsSurrogate(r) && at+1 < len(units) {
			other, _ := strconv.ParseUint(units[at+1].(string), 16, 16)
			if pair := utf16.DecodeRune(r, rune(other)); pair != 0xfffd {
				text.WriteRune(pair)
				at++
				continue
			}
		}
		if utf16.IsSurrogate(r) {
			text.Write([]byte{0xe0 | byte(unit>>12), 0x80 | byte(unit>>6)&0x3f, 0x80 | byte(unit)&0x3f})
			continue
		}
		text.WriteRune(r)
	}
	return text.String()
}

func nested(kind string, levels int) any {
	var value any = int64(1)
	for range levels {
		if kind == "object" {
			value = map[string]any{"a": value}
		} else {
			value = []any{value}
		}
	}
	return value
}

// same says whether two values are equal, of the same types and with the same signs.
func same(actual, expected any) bool {
	switch expected := expected.(type) {
	case float64:
		number, ok := actual.(float64)
		return ok && (math.IsNaN(expected) && math.IsNaN(number) ||
			number == expected && math.Signbit(number) == math.Signbit(expected))
	case []any:
		list, ok := actual.([]any)
		if !ok || len(list) != len(expected) {
			return false
		}
		for at := range list {
			if !same(list[at], expected[at]) {
				return false
			}
		}
		return true
	case map[string]any:
		object, ok := actual.(map[string]any)
		if !ok || len(object) != len(expected) {
			return false
		}
		for name, field := range expected {
			value, there := object[name]
			if !there || !same(value, field) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(actual, expected)
	}
}

func TestValues(t *testing.T) {
	all := readTargets(t)
	text, err := os.ReadFile(all.Values)
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Echoed, Refused []valueRow }
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	client := connect(t, all.options(t, "plain")...)
	for _, row := range table.Echoed {
		for _, plugin := range []string{"python-values", "javascript-values"} {
			t.Run(row.Name+" with "+plugin, func(t *testing.T) {
				params := map[string]any{"value": row.Value.value}
				result, err := client.RunPlugin(t.Context(), plugin, "echo", params)
				if err != nil {
					t.Fatal(err)
				}
				if !same(result, row.Value.value) {
					t.Errorf("%#v is not %#v", result, row.Value.value)
				}
			})
		}
	}
	for _, row := range table.Refused {
		t.Run(row.Name, func(t *testing.T) {
			params := map[string]any{"value": row.Value.value}
			_, err := client.RunPlugin(t.Context(), "python-values", "echo", params)
			e := runnerErrorOf(t, err)
			if classOf(err) != "ValidationError" || e.Reason != row.Reason {
				t.Fatal(err)
			}
			if row.Field != nil && e.Violations[0].Field != *row.Field {
				t.Errorf("the field is %s", e.Violations[0].Field)
			}
			if e.GRPCStatus().Message() != e.Message || e.Unwrap() != nil && row.Field != nil {
				t.Errorf("%v was sent", err)
			}
		})
	}
}
