package pluginrunner

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// Value returns a value of the wire as nil, a bool, a string, an int64 for a whole number within ±(2^53-1), else a
// float64, an []any or a map[string]any. nonFinite are the pointers that stand beside the value in its message.
func Value(value *structpb.Value, nonFinite []string) any {
	return restored(plain(value), nonFinite)
}

// Fields returns the fields of an object of the wire, such as the Params of a job with its NonFiniteParams. Values are
// as those of [Value].
func Fields(object *structpb.Struct, nonFinite []string) map[string]any {
	fields := plainStruct(object)
	restored(fields, nonFinite)
	return fields
}

// JobParams returns the params of a job's record.
func JobParams(job *pluginrunnerv1.Job) map[string]any {
	return Fields(job.GetParams(), job.GetNonFiniteParams())
}

// JobResult returns the result in a job's record; nil where it has none.
func JobResult(job *pluginrunnerv1.Job) any {
	return Value(job.GetResult(), job.GetNonFiniteResult())
}

// ResultValue returns the result that a job's last event has.
func ResultValue(result *pluginrunnerv1.JobResult) any {
	return Value(result.GetValue(), result.GetNonFinite())
}

// MetricValues returns the measurements of an event or of a job's record.
func MetricValues(metrics *pluginrunnerv1.JobMetrics) map[string]any {
	return Fields(metrics.GetValues(), metrics.GetNonFinite())
}

// LogFields returns the fields that the author gave to a line of the log.
func LogFields(log *pluginrunnerv1.JobLog) map[string]any {
	return Fields(log.GetFields(), log.GetNonFinite())
}

// ArtifactMetadata returns what the author attached to a file.
func ArtifactMetadata(artifact *pluginrunnerv1.JobArtifact) map[string]any {
	return Fields(artifact.GetMetadata(), artifact.GetNonFinite())
}

// Decode turns a result, or a part of one, into a T as package json does. NaN and the infinities, which package json
// does not know, become floats.
func Decode[T any](value any) (T, error) {
	var decoded T
	if err := decodeInto(value, reflect.ValueOf(&decoded).Elem()); err != nil {
		return decoded, doesNotFit(err)
	}
	return decoded, nil
}

func doesNotFit(cause error) error {
	return localError("The result does not fit: "+cause.Error(), cause)
}

func plain(value *structpb.Value) any {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_NumberValue:
		return plainNumber(kind.NumberValue)
	case *structpb.Value_StringValue:
		return kind.StringValue
	case *structpb.Value_BoolValue:
		return kind.BoolValue
	case *structpb.Value_StructValue:
		return plainStruct(kind.StructValue)
	case *structpb.Value_ListValue:
		list := make([]any, len(kind.ListValue.GetValues()))
		for at, item := range kind.ListValue.GetValues() {
			list[at] = plain(item)
		}
		return list
	default:
		return nil
	}
}

func plainStruct(fields *structpb.Struct) map[string]any {
	object := make(map[string]any, len(fields.GetFields()))
	for name, field := range fields.GetFields() {
		object[name] = plain(field)
	}
	return object
}

func plainNumber(number float64) any {
	minusZero := number == 0 && math.Signbit(number)
	if math.Abs(number) <= largestInteger && number == math.Trunc(number) && !minusZero {
		return int64(number)
	}
	return number
}

var (
	unescaper       = strings.NewReplacer("~1", "/", "~0", "~")
	nonFiniteValues = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}
)

// restored makes numbers of the texts that the pointers lead to; what they do not lead to stays as it is.
func restored(value any, pointers []string) any {
	for _, pointer := range pointers {
		if pointer == "" {
			return asNonFinite(value)
		}
		parts := strings.Split(pointer, "/")[1:]
		if len(parts) > 0 {
			restoreIn(value, parts)
		}
	}
	return value
}

func restoreIn(value any, parts []string) {
	for at, part := range parts {
		last := at == len(parts)-1
		switch holder := value.(type) {
		case map[string]any:
			name := unescaper.Replace(part)
			field, there := holder[name]
			if there && last {
				holder[name] = asNonFinite(field)
			}
			value = field
		case []any:
			index, err := strconv.Atoi(part)
			if err != nil || index < 0 || index >= len(holder) {
				return
			}
			if last {
				holder[index] = asNonFinite(holder[index])
			}
			value = holder[index]
		default:
			return
		}
	}
}

func asNonFinite(value any) any {
	if text, ok := value.(string); ok {
		if number, ok := nonFiniteValues[text]; ok {
			return number
		}
	}
	return value
}

// decodeInto lets package json decode what it knows, and goes round the numbers that it does not.
func decodeInto(value any, into reflect.Value) error {
	encoded, err := json.Marshal(value)
	if err == nil {
		return json.Unmarshal(encoded, into.Addr().Interface())
	}
	var unsupported *json.UnsupportedValueError
	if !errors.As(err, &unsupported) {
		return err
	}
	if into.Kind() == reflect.Pointer {
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		return decodeInto(value, into.Elem())
	}
	if into.Kind() == reflect.Interface && into.NumMethod() == 0 {
		into.Set(reflect.ValueOf(value))
		return nil
	}
	switch into.Addr().Interface().(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return fmt.Errorf("%s, which reads JSON by itself, cannot read a number that is not finite", into.Type())
	}
	switch value := value.(type) {
	case float64:
		if into.CanFloat() {
			into.SetFloat(value)
			return nil
		}
	case []any:
		if into.Kind() == reflect.Slice || into.Kind() == reflect.Array {
			return decodeList(value, into)
		}
	case map[string]any:
		if into.Kind() == reflect.Map {
			return decodeMap(value, into)
		}
		if into.Kind() == reflect.Struct {
			return decodeStruct(value, into)
		}
	}
	return fmt.Errorf("a number that is not finite, or a value with one, is no %s", into.Type())
}

func decodeList(list []any, into reflect.Value) error {
	if into.Kind() == reflect.Slice {
		into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
	}
	for at := range min(len(list), into.Len()) {
		if err := decodeInto(list[at], into.Index(at)); err != nil {
			return err
		}
	}
	return nil
}

func decodeMap(object map[string]any, into reflect.Value) error {
	made := reflect.MakeMap(into.Type())
	for name, field := range object {
		// Package json reads the keys, of whatever type they are.
		keys := reflect.New(reflect.MapOf(into.Type().Key(), reflect.TypeFor[any]()))
		encoded, err := json.Marshal(map[string]any{name: nil})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(encoded, keys.Interface()); err != nil {
			return err
		}
		item := reflect.New(into.Type().Elem()).Elem()
		if err := decodeInto(field, item); err != nil {
			return err
		}
		made.SetMapIndex(keys.Elem().MapKeys()[0], item)
	}
	into.Set(made)
	return nil
}

func decodeStruct(object map[string]any, into reflect.Value) error {
	finite := map[string]any{}
	for name, value := range object {
		_, err := json.Marshal(value)
		field, known := fieldNamed(into.Type(), name)
		if err == nil {
			finite[name] = value
		} else if known {
			made := field.make(into)
			if !made.IsValid() {
				return fmt.Errorf("%s is in an embedded struct that cannot be made", name)
			}
			if err := decodeInto(value, made); err != nil {
				return err
			}
		}
	}
	return decodeInto(finite, into)
}

// fieldNamed finds a field as package json does: by its name, else whatever its case.
func fieldNamed(t reflect.Type, name string) (structField, bool) {
	var found structField
	known := false
	for _, field := range fieldsOf(t) {
		if field.name == name {
			return field, true
		}
		if !known && strings.EqualFold(field.name, name) {
			found, known = field, true
		}
	}
	return found, known
}

// make returns the field's value in a struct, and makes the embedded structs on the way; none where it cannot.
func (f structField) make(v reflect.Value) reflect.Value {
	for _, at := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() && !v.CanSet() {
				return reflect.Value{}
			}
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v
}
