package pluginrunner_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// echo answers with the params.
func echo(_ context.Context, request *pluginrunnerv1.RunPluginRequest) (*pluginrunnerv1.RunPluginResponse, error) {
	return &pluginrunnerv1.RunPluginResponse{Result: structpb.NewStructValue(request.GetParams())}, nil
}

func TestResultsArePlainGo(t *testing.T) {
	client := (&fakeServer{runPlugin: echo}).serve(t)
	params := map[string]any{
		"null": nil, "true": true, "text": "ü", "integer": 3, "large": int64(1)<<53 - 1, "huge": 1e300,
		"fraction": 0.5, "list": []string{"a"}, "object": struct{ A int }{1},
	}
	result, err := client.RunPlugin(t.Context(), "any", "any", params)
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]any{
		"null": nil, "true": true, "text": "ü", "integer": int64(3), "large": int64(1)<<53 - 1, "huge": 1e300,
		"fraction": 0.5, "list": []any{"a"}, "object": map[string]any{"A": int64(1)},
	}
	if !reflect.DeepEqual(result, expected) {
		t.Errorf("%#v", result)
	}
}

func TestResultsAreDecodedIntoOnesOwnType(t *testing.T) {
	client := (&fakeServer{runPlugin: echo}).serve(t)
	type shape struct {
		Name  string `json:"name"`
		Sizes []int  `json:"sizes"`
	}
	given := shape{Name: "square", Sizes: []int{2, 2}}
	result, err := pluginrunner.RunPluginAs[shape](t.Context(), client, "any", "any", given)
	if err != nil || !reflect.DeepEqual(result, given) {
		t.Errorf("%v, %v", result, err)
	}
	_, err = pluginrunner.RunPluginAs[[]string](t.Context(), client, "any", "any", given)
	if e := runnerErrorOf(t, err); e.Reason != "INTERNAL" {
		t.Error(err)
	}
}

func TestParamsHaveToBeAnObject(t *testing.T) {
	client := (&fakeServer{}).serve(t)
	for _, params := range []any{5, "text", []int{1}, math.NaN(), func() {}} {
		_, err := client.RunPlugin(t.Context(), "any", "any", params)
		var invalid *pluginrunner.ValidationError
		if !errors.As(err, &invalid) || invalid.Violations[0].Field != "/params" {
			t.Errorf("%v is answered with %v", params, err)
		}
	}
}

func TestAModeThatIsNotKnown(t *testing.T) {
	_, err := connect(t).RunPlugin(t.Context(), "any", "any", nil, pluginrunner.WithMode("batch"))
	if e := runnerErrorOf(t, err); e.Violations[0].Field != "/mode" || !strings.Contains(e.Message, "local, task, job") {
		t.Error(err)
	}
}

func TestEveryOptionReachesTheService(t *testing.T) {
	var sent *pluginrunnerv1.RunPluginRequest
	var deadline time.Time
	server := &fakeServer{
		runPlugin: func(
			ctx context.Context, request *pluginrunnerv1.RunPluginRequest,
		) (*pluginrunnerv1.RunPluginResponse, error) {
			sent = request
			deadline, _ = ctx.Deadline()
			return echo(ctx, request)
		},
	}
	cpus := 2.0
	_, err := server.serve(t).RunPlugin(t.Context(), "plugin", "action", nil,
		pluginrunner.WithMode(pluginrunner.ModeTask),
		pluginrunner.WithEntrypoint("a:b"),
		pluginrunner.WithEnv(map[string]string{"A": "1"}),
		pluginrunner.WithJobID("job"),
		pluginrunner.WithRequestID("request"),
		pluginrunner.WithTimeout(time.Minute),
		pluginrunner.WithResources(&pluginrunnerv1.Resources{Cpus: &cpus}))
	if err != nil {
		t.Fatal(err)
	}
	actual := []any{
		sent.GetPlugin(), sent.GetAction(), sent.GetMode(), sent.GetEntrypoint(), sent.GetEnv()["A"],
		sent.GetJobId(), sent.GetRequestId(), sent.GetTimeout().AsDuration(), sent.GetResources().GetCpus(),
	}
	expected := []any{
		"plugin", "action", pluginrunnerv1.RunMode_RUN_MODE_TASK, "a:b", "1", "job", "request", time.Minute, cpus,
	}
	if !reflect.DeepEqual(actual, expected) {
		t.Error(actual)
	}
	if left := time.Until(deadline); left < 60*time.Second || left > 65*time.Second {
		t.Errorf("the call may take %v", left)
	}
}

func TestACallIsRepeatedUnderTheSameID(t *testing.T) {
	t.Parallel()
	var ids []string
	var times []time.Time
	server := &fakeServer{
		runPlugin: func(
			ctx context.Context, request *pluginrunnerv1.RunPluginRequest,
		) (*pluginrunnerv1.RunPluginResponse, error) {
			ids = append(ids, request.GetRequestId())
			times = append(times, time.Now())
			if len(ids) < 3 {
				return nil, unavailable(t, 200*time.Millisecond)
			}
			return echo(ctx, request)
		},
	}
	if _, err := server.serve(t).RunPlugin(t.Context(), "any", "any", nil); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 3 || ids[0] == "" || ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("the ids are %v", ids)
	}
	if waited := times[1].Sub(times[0]); waited < 200*time.Millisecond {
		t.Errorf("the second try came after %v", waited)
	}
}

func TestASubmissionIsRepeatedUnderTheSameID(t *testing.T) {
	t.Parallel()
	var ids []string
	server := &fakeServer{
		submitJob: func(
			request *pluginrunnerv1.SubmitJobRequest,
			stream grpc.ServerStreamingServer[pluginrunnerv1.SubmitJobResponse],
		) error {
			ids = append(ids, request.GetJobId())
			if len(ids) == 1 {
				return nil
			}
			return stream.Send(&pluginrunnerv1.SubmitJobResponse{
				Update: &pluginrunnerv1.SubmitJobResponse_Snapshot{
					Snapshot: &pluginrunnerv1.Job{JobId: request.GetJobId()},
				},
			})
		},
	}
	job, err := server.serve(t).SubmitJob(t.Context(), "any", "any", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 2 || ids[0] != ids[1] || job.ID() != ids[0] {
		t.Errorf("the ids are %v", ids)
	}
}

func TestTheContextEndsACallWithItsOwnError(t *testing.T) {
	t.Parallel()
	server := &fakeServer{
		runPlugin: func(
			ctx context.Context, _ *pluginrunnerv1.RunPluginRequest,
		) (*pluginrunnerv1.RunPluginResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
	client := server.serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.RunPlugin(ctx, "any", "any", nil); err != context.DeadlineExceeded {
		t.Errorf("a deadline that passes ends the call with %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.RunPlugin(ended, "any", "any", nil); err != context.Canceled {
		t.Errorf("a context that has ended ends the call with %v", err)
	}
}

func TestTheContextEndsTheWaitForARetry(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := &fakeServer{
		runPlugin: func(context.Context, *pluginrunnerv1.RunPluginRequest) (*pluginrunnerv1.RunPluginResponse, error) {
			time.AfterFunc(50*time.Millisecond, cancel)
			return nil, unavailable(t, time.Hour)
		},
	}
	if _, err := server.serve(t).RunPlugin(ctx, "any", "any", nil); err != context.Canceled {
		t.Error(err)
	}
}

// unavailable is what the service says of work that has not started.
func unavailable(t *testing.T, retryAfter time.Duration) error {
	t.Helper()
	said, err := status.New(codes.Unavailable, "The engine is away.").WithDetails(
		&errdetails.ErrorInfo{Domain: "pluginrunner.v1.PluginRunner", Reason: "ENGINE_UNAVAILABLE"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)},
	)
	if err != nil {
		t.Error(err)
	}
	return said.Err()
}
