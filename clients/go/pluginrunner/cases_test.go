package pluginrunner_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// testCase is one of those that every client passes: test/clients/README.md says what its fields mean.
type testCase struct {
	Name          string      `json:"name"`
	Do            string      `json:"do"`
	Target        string      `json:"target"`
	Request       caseRequest `json:"request"`
	Again         caseRequest `json:"again"`
	CutAfter      []int64     `json:"cut_after"`
	SilentAfter   int64       `json:"silent_after"`
	AfterSequence int64       `json:"after_sequence"`
	Count         int         `json:"count"`
	Expect        expectation `json:"expect"`
}

type caseRequest struct {
	Plugin     string            `json:"plugin"`
	Action     string            `json:"action"`
	Params     jsonValue         `json:"params"`
	Mode       string            `json:"mode"`
	Entrypoint string            `json:"entrypoint"`
	Env        map[string]string `json:"env"`
	JobID      string            `json:"job_id"`
	Labels     map[string]string `json:"labels"`
	Timeout    float64           `json:"timeout"`
}

type expectation struct {
	Result        jsonValue      `json:"result"`
	Contains      jsonValue      `json:"contains"`
	Error         *expectedError `json:"error"`
	State         string         `json:"state"`
	Events        []jsonValue    `json:"events"`
	Logs          []jsonValue    `json:"logs"`
	Valid         bool           `json:"valid"`
	Params        jsonValue      `json:"params"`
	Violations    []violation    `json:"violations"`
	Same          bool           `json:"same"`
	FirstSequence int64          `json:"first_sequence"`
}

type expectedError struct {
	Class         string            `json:"class"`
	Reason        string            `json:"reason"`
	Code          string            `json:"code"`
	Message       string            `json:"message"`
	Metadata      map[string]string `json:"metadata"`
	Violations    []violation       `json:"violations"`
	ExceptionType string            `json:"exception_type"`
	Stack         string            `json:"stack"`
	RetryAfter    float64           `json:"retry_after"`
}

type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
	Rule        string `json:"rule"`
}

// jsonValue is any JSON with its repeated texts written out, and knows whether it was there.
type jsonValue struct {
	value   any
	present bool
}

func (j *jsonValue) UnmarshalJSON(text []byte) error {
	j.present = true
	if err := json.Unmarshal(text, &j.value); err != nil {
		return err
	}
	j.value = expanded(j.value)
	return nil
}

func expanded(value any) any {
	switch value := value.(type) {
	case []any:
		for at, item := range value {
			value[at] = expanded(item)
		}
	case map[string]any:
		text, isText := value["$repeat"].(string)
		times, isNumber := value["times"].(float64)
		if isText && isNumber {
			return strings.Repeat(text, int(times))
		}
		for name, field := range value {
			value[name] = expanded(field)
		}
	}
	return value
}

// readCases refuses a case that says more than this suite knows.
func readCases(t *testing.T, name string) []testCase {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var cases []testCase
	if err := decoder.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestCases(t *testing.T) {
	all := readTargets(t)
	for _, one := range readCases(t, all.Cases) {
		t.Run(one.Name, func(t *testing.T) {
			do, known := verbs[one.Do]
			if !known {
				t.Fatalf("the case does what this suite does not know: %s", one.Do)
			}
			do(&running{
				T:        t,
				testCase: one,
				client:   connect(t, all.options(t, one.Target)...),
				targets:  all,
			})
		})
	}
}
