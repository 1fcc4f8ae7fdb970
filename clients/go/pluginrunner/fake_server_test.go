package pluginrunner_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

type (
	watchJobStream  = grpc.ServerStreamingServer[pluginrunnerv1.WatchJobResponse]
	watchJobsStream = grpc.ServerStreamingServer[pluginrunnerv1.WatchJobsResponse]
)

// fakeServer is a service whose answers a test writes. What it does not write is UNIMPLEMENTED.
type fakeServer struct {
	pluginrunnerv1.UnimplementedPluginRunnerServer

	runPlugin func(context.Context, *pluginrunnerv1.RunPluginRequest) (*pluginrunnerv1.RunPluginResponse, error)
	getJob    func(*pluginrunnerv1.GetJobRequest) (*pluginrunnerv1.GetJobResponse, error)
	listJobs  func(*pluginrunnerv1.ListJobsRequest) (*pluginrunnerv1.ListJobsResponse, error)
	submitJob func(*pluginrunnerv1.SubmitJobRequest, grpc.ServerStreamingServer[pluginrunnerv1.SubmitJobResponse]) error
	watchJob  func(*pluginrunnerv1.WatchJobRequest, watchJobStream) error
	watchJobs func(*pluginrunnerv1.WatchJobsRequest, watchJobsStream) error
	deleteJob func(*pluginrunnerv1.DeleteJobRequest) (*pluginrunnerv1.DeleteJobResponse, error)

	// note is told of the lists of numbers that are not finite.
	note func([]string)
	env  map[string]string
}

// echoExactly answers with the params and their numbers that are not finite.
func echoExactly(
	_ context.Context, request *pluginrunnerv1.RunPluginRequest,
) (*pluginrunnerv1.RunPluginResponse, error) {
	return &pluginrunnerv1.RunPluginResponse{
		Result: structpb.NewStructValue(request.GetParams()), NonFinite: request.GetNonFinite(),
	}, nil
}

// serve starts the server and returns a client of it; both end with the test.
func (f *fakeServer) serve(t *testing.T, options ...pluginrunner.Option) *pluginrunner.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pluginrunnerv1.RegisterPluginRunnerServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return connect(t, append(options, pluginrunner.WithAddress(listener.Addr().String()))...)
}

func (f *fakeServer) RunPlugin(
	ctx context.Context, request *pluginrunnerv1.RunPluginRequest,
) (*pluginrunnerv1.RunPluginResponse, error) {
	if f.note != nil {
		f.note(request.GetNonFinite())
	}
	return f.runPlugin(ctx, request)
}

func (f *fakeServer) ValidateParams(
	_ context.Context, request *pluginrunnerv1.ValidateParamsRequest,
) (*pluginrunnerv1.ValidateParamsResponse, error) {
	f.note(request.GetNonFinite())
	f.env = request.GetEnv()
	return &pluginrunnerv1.ValidateParamsResponse{
		Valid: true, Params: request.GetParams(), NonFinite: request.GetNonFinite(),
		Warnings: []*pluginrunnerv1.FieldViolation{{Field: "/params/epoch", Description: "is not used"}},
	}, nil
}

func (f *fakeServer) DeleteJob(
	_ context.Context, request *pluginrunnerv1.DeleteJobRequest,
) (*pluginrunnerv1.DeleteJobResponse, error) {
	return f.deleteJob(request)
}

func (f *fakeServer) GetJob(
	_ context.Context, request *pluginrunnerv1.GetJobRequest,
) (*pluginrunnerv1.GetJobResponse, error) {
	return f.getJob(request)
}

func (f *fakeServer) ListJobs(
	_ context.Context, request *pluginrunnerv1.ListJobsRequest,
) (*pluginrunnerv1.ListJobsResponse, error) {
	return f.listJobs(request)
}

func (f *fakeServer) SubmitJob(
	request *pluginrunnerv1.SubmitJobRequest, stream grpc.ServerStreamingServer[pluginrunnerv1.SubmitJobResponse],
) error {
	if f.submitJob == nil {
		f.note(request.GetNonFinite())
		return stream.Send(&pluginrunnerv1.SubmitJobResponse{Update: &pluginrunnerv1.SubmitJobResponse_Snapshot{
			Snapshot: &pluginrunnerv1.Job{JobId: request.GetJobId()},
		}})
	}
	return f.submitJob(request, stream)
}

func (f *fakeServer) WatchJob(request *pluginrunnerv1.WatchJobRequest, stream watchJobStream) error {
	return f.watchJob(request, stream)
}

func (f *fakeServer) WatchJobs(request *pluginrunnerv1.WatchJobsRequest, stream watchJobsStream) error {
	return f.watchJobs(request, stream)
}
