package pluginrunner_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

func checkError(t *testing.T, err error, expected *expectedError) {
	t.Helper()
	e := runnerErrorOf(t, err)
	actual := []string{classOf(err), string(e.Reason), code.Code(e.Code).String(), code.Code(status.Code(err)).String()}
	if !slices.Equal(actual, []string{expected.Class, expected.Reason, expected.Code, expected.Code}) {
		t.Errorf("the error is of %v: %v", actual, err)
	}
	for _, text := range []struct{ whole, part string }{
		{e.Message, expected.Message},
		{e.ExceptionType, expected.ExceptionType},
		{e.Stack, expected.Stack},
	} {
		if !strings.Contains(text.whole, text.part) {
			t.Errorf("%q has no %q", text.whole, text.part)
		}
	}
	for name, value := range expected.Metadata {
		if e.Metadata[name] != value {
			t.Errorf("metadata %s is %q instead of %q", name, e.Metadata[name], value)
		}
	}
	if _, there := e.Metadata["exception_type"]; there {
		t.Error("exception_type is part of the metadata")
	}
	if expected.Violations != nil {
		checkViolations(t, e.Violations, expected.Violations)
	}
	if e.RetryAfter.Seconds() != expected.RetryAfter {
		t.Errorf("a retry is worth it after %v", e.RetryAfter)
	}
}

func runnerErrorOf(t *testing.T, err error) *pluginrunner.RunnerError {
	t.Helper()
	var e *pluginrunner.RunnerError
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of this client", err)
	}
	return e
}

func classOf(err error) string {
	var notFound *pluginrunner.ActionNotFoundError
	var invalid *pluginrunner.ValidationError
	var execution *pluginrunner.ExecutionError
	switch {
	case errors.As(err, &notFound):
		return "ActionNotFoundError"
	case errors.As(err, &invalid):
		return "ValidationError"
	case errors.As(err, &execution):
		return "ExecutionError"
	default:
		return "none"
	}
}

func checkViolations(t *testing.T, actual []pluginrunner.Violation, expected []violation) {
	t.Helper()
	matches := slices.EqualFunc(actual, expected, func(a pluginrunner.Violation, e violation) bool {
		description := e.Description == "" || a.Description == e.Description
		return a.Field == e.Field && description && (e.Rule == "" || a.Rule == e.Rule)
	})
	if !matches {
		t.Errorf("the violations are %v instead of %v", actual, expected)
	}
}

// checkOrder wants every event once, in order; the last one, and only it, is a result or an error.
func checkOrder(t *testing.T, events []*pluginrunnerv1.JobEvent) {
	t.Helper()
	for at, event := range events {
		if event.GetSequence() != int64(at+1) {
			t.Fatalf("event %d has the sequence %d", at+1, event.GetSequence())
		}
		isLast := event.GetResult() != nil || event.GetError() != nil
		if isLast != (at == len(events)-1) {
			t.Errorf("event %d of %d is %v", at+1, len(events), event)
		}
	}
}

func checkEvents(t *testing.T, events []*pluginrunnerv1.JobEvent, expected expectation) {
	t.Helper()
	var found, lines []any
	for _, event := range events {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, asJSON(t, json.RawMessage(text)))
		if line := event.GetLog(); line != nil {
			source := strings.TrimPrefix(line.GetSource().String(), "LOG_SOURCE_")
			lines = append(lines, map[string]any{
				"source": source, "level": line.GetLevel(), "message": line.GetMessage(),
			})
		}
	}
	for _, one := range expected.Events {
		at := slices.IndexFunc(found, func(event any) bool { return holds(event, withTexts(one.value)) })
		if at < 0 {
			t.Fatalf("%v is not among %v", one.value, found)
		}
		found = found[at+1:]
	}
	for _, one := range expected.Logs {
		if !slices.ContainsFunc(lines, func(line any) bool { return holds(line, one.value) }) {
			t.Errorf("%v is not among %v", one.value, lines)
		}
	}
}

// withTexts writes 64-bit integers as Protobuf's JSON does.
func withTexts(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	changed := maps.Clone(object)
	for name, field := range object {
		changed[name] = withTexts(field)
		if number, ok := field.(float64); ok && name == "size_bytes" {
			changed[name] = strconv.FormatInt(int64(number), 10)
		}
	}
	return changed
}

func checkEqual(t *testing.T, actual, expected any) {
	t.Helper()
	if actual := asJSON(t, actual); !reflect.DeepEqual(actual, expected) {
		t.Errorf("%.2000v is not %.2000v", actual, expected)
	}
}

// asJSON returns a value as package json reads it, in which all numbers are of one type.
func asJSON(t *testing.T, value any) any {
	t.Helper()
	decoded, err := pluginrunner.Decode[any](value)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// holds says whether two values of JSON are equal, but that actual's objects may have further names.
func holds(actual, expected any) bool {
	switch expected := expected.(type) {
	case map[string]any:
		object, ok := actual.(map[string]any)
		for name, field := range expected {
			value, there := object[name]
			ok = ok && there && holds(value, field)
		}
		return ok
	case []any:
		list, ok := actual.([]any)
		return ok && slices.EqualFunc(list, expected, holds)
	default:
		return reflect.DeepEqual(actual, expected)
	}
}
