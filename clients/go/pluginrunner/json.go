package pluginrunner

import (
	"bytes"
	"encoding/json"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxExactInteger is the largest magnitude up to which the wire's numbers, which are doubles, tell every integer apart.
const maxExactInteger = 1 << 53

// Decode turns a result, or a part of one, into a T as package json does.
func Decode[T any](value any) (T, error) {
	var decoded T
	text, err := json.Marshal(value)
	if err != nil {
		return decoded, localError("The value is no JSON: "+err.Error(), err)
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		return decoded, localError("The result does not fit: "+err.Error(), err)
	}
	return decoded, nil
}

// plain returns a value of the wire as nil, bool, string, int64, float64, []any or map[string]any.
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
	if math.Abs(number) <= maxExactInteger && number == math.Trunc(number) {
		return int64(number)
	}
	return number
}

// structOf turns params, which package json has to make an object of, into those of the wire.
func structOf(params any) (*structpb.Struct, error) {
	if params == nil {
		return nil, nil
	}
	text, err := json.Marshal(params)
	if err != nil {
		return nil, invalidParams(err.Error(), err)
	}
	if bytes.Equal(text, []byte("null")) {
		return nil, nil
	}
	fields := &structpb.Struct{}
	if err := protojson.Unmarshal(text, fields); err != nil {
		return nil, invalidParams("must be a JSON object", err)
	}
	return fields, nil
}

func invalidParams(description string, cause error) error {
	return classify(&RunnerError{
		Reason:     "PARAMS_INVALID",
		Message:    "The params cannot be sent: " + description,
		Code:       codes.InvalidArgument,
		Violations: []Violation{{Field: "/params", Description: description, Rule: "type"}},
		cause:      cause,
	})
}
