package pluginrunner_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

func TestAStatusWithoutDetailsIsNotTheServices(t *testing.T) {
	for code, reason := range map[codes.Code]pluginrunner.Reason{
		codes.Canceled:         "UNAVAILABLE",
		codes.Unknown:          "UNAVAILABLE",
		codes.Internal:         "UNAVAILABLE",
		codes.DeadlineExceeded: "DEADLINE",
		codes.Unauthenticated:  "UNAUTHENTICATED",
		codes.PermissionDenied: "FORBIDDEN",
		codes.Unimplemented:    "INTERNAL",
		codes.NotFound:         "INTERNAL",
	} {
		client := failing(status.Error(code, "What a proxy says.")).serve(t)
		_, err := client.RunPlugin(t.Context(), "any", "any", nil)
		e := runnerErrorOf(t, err)
		if e.Reason != reason || e.Code != code || classOf(err) != "ExecutionError" {
			t.Errorf("%v means %v", code, err)
		}
		if !strings.Contains(e.Message, client.Address()) || !strings.Contains(e.Message, "What a proxy says.") {
			t.Errorf("the message is %q", e.Message)
		}
	}
}

func TestDetailsOfAnotherServiceAreNotTaken(t *testing.T) {
	said, err := status.New(codes.NotFound, "No route.").WithDetails(
		&errdetails.ErrorInfo{Domain: "proxy.example.com", Reason: "JOB_NOT_FOUND"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = failing(said.Err()).serve(t).RunPlugin(t.Context(), "any", "any", nil)
	if e := runnerErrorOf(t, err); e.Reason != "INTERNAL" {
		t.Error(err)
	}
}

func TestAReasonThatIsNewerThanTheClient(t *testing.T) {
	said, err := status.New(codes.NotFound, "No quota.").WithDetails(&errdetails.ErrorInfo{
		Domain:   "pluginrunner.v1.PluginRunner",
		Reason:   "QUOTA_NOT_FOUND",
		Metadata: map[string]string{"quota": "gold"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = failing(said.Err()).serve(t).RunPlugin(t.Context(), "any", "any", nil)
	e := runnerErrorOf(t, err)
	if classOf(err) != "ExecutionError" || e.Reason != "QUOTA_NOT_FOUND" || e.Metadata["quota"] != "gold" {
		t.Error(err)
	}
	if from, ok := status.FromError(err); !ok || from.Code() != codes.NotFound || len(from.Details()) != 1 {
		t.Errorf("the status is %v", from)
	}
}

func TestWhatIsLeftOfAResultIsInTheError(t *testing.T) {
	left := &pluginrunnerv1.JobError{
		PartialResult: structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{
			structpb.NewNullValue(), structpb.NewStringValue("NaN"),
		}}),
		NonFinite: []string{"/1"},
	}
	said, err := status.New(codes.Unknown, "The result has no JSON.").WithDetails(
		&errdetails.ErrorInfo{Domain: "pluginrunner.v1.PluginRunner", Reason: "RESULT_INVALID"}, left)
	must(t, err)
	_, err = failing(said.Err()).serve(t).RunPlugin(t.Context(), "any", "any", nil)
	if e := runnerErrorOf(t, err); !same(e.PartialResult, []any{nil, math.NaN()}) {
		t.Error(e.PartialResult)
	}
}

func failing(err error) *fakeServer {
	return &fakeServer{
		runPlugin: func(context.Context, *pluginrunnerv1.RunPluginRequest) (*pluginrunnerv1.RunPluginResponse, error) {
			return nil, err
		},
	}
}

// notFound is the service's word that there is no such job.
func notFound(t *testing.T) error {
	t.Helper()
	said, err := status.New(codes.NotFound, "There is no job.").WithDetails(
		&errdetails.ErrorInfo{Domain: "pluginrunner.v1.PluginRunner", Reason: "JOB_NOT_FOUND"})
	must(t, err)
	return said.Err()
}
