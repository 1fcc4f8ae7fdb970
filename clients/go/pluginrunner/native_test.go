package pluginrunner_test

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

type base struct {
	Seed  int
	Shown string `json:"shown"`
}

type settings struct {
	base
	Shown   string        `json:"shown"`
	Wait    time.Duration `json:"wait"`
	Ratio   *float64      `json:"ratio,omitempty"`
	Large   int64         `json:"large,string"`
	Skipped string        `json:"-"`
	When    time.Time     `json:"when,omitzero"`
	hidden  int
}

func TestParamsMayBeWhatGoHas(t *testing.T) {
	client := (&fakeServer{runPlugin: echoExactly}).serve(t)
	ratio := 0.5
	for _, one := range []struct{ given, expected any }{
		{settings{base: base{7, "hidden"}, Shown: "a", Wait: 90 * time.Second, Ratio: &ratio, Large: math.MaxInt64, hidden: 1},
			map[string]any{"Seed": int64(7), "shown": "a", "wait": "PT1M30S", "ratio": 0.5, "large": "9223372036854775807"}},
		{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), "2026-01-02T03:04:05.000006Z"},
		{1500 * time.Millisecond, "PT1.5S"},
		{-26 * time.Hour, "-P1DT2H"},
		{time.Duration(0), "PT0S"},
		{time.Duration(math.MinInt64), "-P106751DT23H47M16.854775808S"},
		{[]byte{0, 255}, "AP8="},
		{[2]byte{1, 2}, []any{int64(1), int64(2)}},
		{map[int]string{-3: "a"}, map[string]any{"-3": "a"}},
		{map[bool]float32{true: 0.1}, map[string]any{"true": 0.1}},
		{map[time.Duration]int{time.Second: 1}, map[string]any{"PT1S": int64(1)}},
		{map[netip.Addr]int{netip.MustParseAddr("::1"): 1}, map[string]any{"::1": int64(1)}},
		{map[any]any{1: "a", "b": nil}, map[string]any{"1": "a", "b": nil}},
		{netip.MustParseAddr("10.0.0.1"), "10.0.0.1"},
		{big.NewInt(5), int64(5)},
		{json.Number("-0"), math.Copysign(0, -1)},
		{json.Number("1e3"), int64(1000)},
		{json.RawMessage(`{"a": [1, 2.5, "\ud83d\ude00", null]}`), map[string]any{"a": []any{int64(1), 2.5, "😀", nil}}},
		{durationpb.New(time.Second), "1s"},
		{structpb.NewStringValue("x"), "x"},
		{[]int(nil), nil},
		{(*settings)(nil), nil},
		{float32(math.Inf(-1)), math.Inf(-1)},
		{[]any{math.NaN(), "NaN", map[string]float64{"a/b~c": math.Inf(1)}},
			[]any{math.NaN(), "NaN", map[string]any{"a/b~c": math.Inf(1)}}},
	} {
		result, err := client.RunPlugin(t.Context(), "any", "any", map[string]any{"value": one.given})
		if err != nil {
			t.Errorf("%#v: %v", one.given, err)
		} else if actual := result.(map[string]any)["value"]; !same(actual, one.expected) {
			t.Errorf("%#v is %#v instead of %#v", one.given, actual, one.expected)
		}
	}
}

func TestWhatWouldChangeOnTheWayIsRefusedWithItsPlace(t *testing.T) {
	var loop []any
	loop = append(loop, nil)
	loop[0] = loop
	for _, one := range []struct {
		given       any
		field, said string
	}{
		{map[string]any{"a": []int64{1, 1 << 53}}, "/params/a/1", "9007199254740992"},
		{map[string]any{"a": uint64(math.MaxUint64)}, "/params/a", "send it as text"},
		{map[string]any{"a": json.Number("9007199254740993")}, "/params/a", "9007199254740993"},
		{map[string]any{"a": json.Number("1e999")}, "/params/a", "1e999"},
		{map[string]any{"a": json.Number("x")}, "/params/a", "no number"},
		{map[string]any{"a": new(big.Int).Lsh(big.NewInt(1), 80)}, "/params/a", "1208925819614629174706176"},
		{map[string]any{"a": json.RawMessage(`{"b": 9007199254740993}`)}, "/params/a/b", "9007199254740993"},
		{map[string]any{"a": json.RawMessage(`{"b": 1, "b": 2}`)}, "/params/a/b", "twice"},
		{map[string]any{"a": json.RawMessage(`"\ud800"`)}, "/params/a", "Unicode"},
		{map[string]any{"a": json.RawMessage(`{"b"`)}, "/params/a", "no JSON"},
		{map[string]any{"a": "\xff"}, "/params/a", "UTF-8"},
		{map[string]any{"\xff": 1}, "/params/�", "UTF-8"},
		{map[any]int{1: 1, "1": 2}, "/params/1", "two keys"},
		{map[string]any{"a": func() {}}, "/params/a", "func()"},
		{map[string]any{"a": &sync.Mutex{}}, "/params/a", "no exported fields"},
		{map[string]any{"a": map[[1]int]int{{1}: 1}}, "/params/a", "a key of type [1]int"},
		{map[string]any{"a": url.URL{Host: strings.Repeat("\xff", 3)}}, "/params/a/Host", "UTF-8"},
		{nested("object", 33), "/params" + strings.Repeat("/a", 31), "nested too deep"},
		{map[string]any{"a": nested("list", 47)}, "/params/a" + strings.Repeat("/0", 46), "nested too deep"},
		{map[string]any{"a": loop}, "/params/a" + strings.Repeat("/0", 46), "nested too deep"},
		{5, "/params", "no object"},
	} {
		_, err := (&fakeServer{}).serve(t).RunPlugin(t.Context(), "any", "any", one.given)
		e := runnerErrorOf(t, err)
		if e.Reason != pluginrunner.ReasonRequestInvalid || e.Violations[0].Field != one.field ||
			!strings.Contains(e.Message, one.said) {
			t.Errorf("%v is not of %s with %q", err, one.field, one.said)
		}
	}
}

func TestEveryCallSendsNumbersThatAreNotFinite(t *testing.T) {
	var sent [][]string
	note := func(pointers []string) { sent = append(sent, pointers) }
	server := &fakeServer{runPlugin: echoExactly, note: note}
	client := server.serve(t)
	params := map[string]any{"a": map[string]any{"x/y": []float64{math.NaN()}}}
	if _, err := client.RunPlugin(t.Context(), "any", "any", params); err != nil {
		t.Error(err)
	}
	if _, err := client.SubmitJob(t.Context(), "any", "any", params); err != nil {
		t.Error(err)
	}
	verdict, err := client.ValidateParams(t.Context(), "any", "any", params,
		pluginrunner.WithEnv(map[string]string{"A": "b"}))
	if err != nil || !same(verdict.Params, map[string]any{"a": map[string]any{"x/y": []any{math.NaN()}}}) {
		t.Errorf("%v, %v", verdict, err)
	}
	if server.env["A"] != "b" || len(verdict.Warnings) != 1 || verdict.Warnings[0].Field != "/params/epoch" {
		t.Errorf("%v, %v", server.env, verdict)
	}
	expected := []string{"/a/x~1y/0"}
	if len(sent) != 3 || slices.ContainsFunc(sent, func(one []string) bool { return !slices.Equal(one, expected) }) {
		t.Error(sent)
	}
}

func TestNumbersThatAreNotFiniteAreDecoded(t *testing.T) {
	type epoch struct {
		Loss   float64
		Losses []float32          `json:"losses"`
		Best   map[string]float64 `json:"best"`
		Other  any
		Next   *epoch
		Name   string
		When   time.Time `json:"when"`
	}
	value := map[string]any{
		"loss": math.NaN(), "losses": []any{math.Inf(1), 0.5}, "best": map[string]any{"a": math.Inf(-1)}, "Other": math.NaN(),
		"Next": map[string]any{"Loss": math.Inf(1)}, "Name": "n", "when": "2026-01-02T00:00:00Z", "unknown": math.NaN(),
	}
	found, err := pluginrunner.Decode[epoch](value)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := found.Other.(float64)
	if !math.IsNaN(found.Loss) || !math.IsInf(float64(found.Losses[0]), 1) || found.Losses[1] != 0.5 ||
		!math.IsInf(found.Best["a"], -1) || !math.IsNaN(other) || !math.IsInf(found.Next.Loss, 1) ||
		found.Name != "n" || found.When.Year() != 2026 {
		t.Errorf("%+v", found)
	}
	if number, err := pluginrunner.Decode[float64](math.NaN()); err != nil || !math.IsNaN(number) {
		t.Errorf("%v, %v", number, err)
	}
	for _, decode := range []func() error{
		func() error { _, err := pluginrunner.Decode[int](math.NaN()); return err },
		func() error { _, err := pluginrunner.Decode[time.Time](math.NaN()); return err },
		func() error { _, err := pluginrunner.Decode[[]string]([]any{math.NaN()}); return err },
	} {
		if err := decode(); err == nil || !strings.Contains(err.Error(), "does not fit") {
			t.Error(err)
		}
	}
}

func TestMessagesGiveTheirNumbersBack(t *testing.T) {
	fields := &structpb.Struct{Fields: map[string]*structpb.Value{
		"loss": structpb.NewStringValue("NaN"), "name": structpb.NewStringValue("NaN"),
		"list": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("-Infinity")}}),
		"kept": structpb.NewStringValue("text"),
	}}
	pointers := []string{"/loss", "/list/0", "/kept", "/none/0", "/list/7", "/list/x"}
	expected := map[string]any{"loss": math.NaN(), "name": "NaN", "list": []any{math.Inf(-1)}, "kept": "text"}
	value := structpb.NewStructValue(fields)
	for name, found := range map[string]any{
		"metrics":  pluginrunner.MetricValues(&pluginrunnerv1.JobMetrics{Values: fields, NonFinite: pointers}),
		"log":      pluginrunner.LogFields(&pluginrunnerv1.JobLog{Fields: fields, NonFinite: pointers}),
		"artifact": pluginrunner.ArtifactMetadata(&pluginrunnerv1.JobArtifact{Metadata: fields, NonFinite: pointers}),
		"result":   pluginrunner.ResultValue(&pluginrunnerv1.JobResult{Value: value, NonFinite: pointers}),
		"record":   pluginrunner.JobResult(&pluginrunnerv1.Job{Result: value, NonFiniteResult: pointers}),
		"params":   pluginrunner.JobParams(&pluginrunnerv1.Job{Params: fields, NonFiniteParams: pointers}),
	} {
		if !same(found, expected) {
			t.Errorf("%s: %v", name, found)
		}
	}
	if whole := pluginrunner.Value(structpb.NewStringValue("Infinity"), []string{""}); !same(whole, math.Inf(1)) {
		t.Error(whole)
	}
	if nothing := pluginrunner.LogFields(&pluginrunnerv1.JobLog{}); !reflect.DeepEqual(nothing, map[string]any{}) {
		t.Error(nothing)
	}
}

func TestNestingHasTheLimitsOfTheContract(t *testing.T) {
	text, err := os.ReadFile("../../../contract/limits.json")
	must(t, err)
	var limits struct {
		All    int `json:"message_levels"`
		Object int `json:"object_levels"`
		List   int `json:"list_levels"`
	}
	must(t, json.Unmarshal(text, &limits))
	client := (&fakeServer{runPlugin: echoExactly}).serve(t)
	for kind, levels := range map[string]int{
		"object": (limits.All - limits.Object) / limits.Object, "list": (limits.All - limits.Object) / limits.List,
	} {
		if _, err := client.RunPlugin(t.Context(), "any", "any", map[string]any{"a": nested(kind, levels)}); err != nil {
			t.Error(err)
		}
		if _, err := client.RunPlugin(t.Context(), "any", "any", map[string]any{"a": nested(kind, levels+1)}); err == nil {
			t.Errorf("%d levels of %s are sent", levels+1, kind)
		}
	}
}

func TestTheReasonsAreThoseOfTheService(t *testing.T) {
	words := func(file, pattern string) []string {
		text, err := os.ReadFile(file)
		must(t, err)
		list := regexp.MustCompile(pattern).FindStringSubmatch(string(text))
		found := regexp.MustCompile(`"[A-Z_]+"`).FindAllString(list[1], -1)
		slices.Sort(found)
		return found
	}
	service := append(words("../../../src/errors.ts", `(?s)export const reasons = \[(.*?)\]`), `"UNAVAILABLE"`)
	slices.Sort(service)
	if own := words("reason.go", `(?s)const \((.*?)\)`); !slices.Equal(own, service) {
		t.Errorf("%v are not %v", own, service)
	}
}
