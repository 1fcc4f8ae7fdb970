package pluginrunner_test

import (
	"context"
	"net"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// stream is what a fake server sends before it ends a call: messages and then an error, or a pause that only the
// client's leaving ends.
type stream struct {
	messages []*pluginrunnerv1.WatchJobResponse
	err      error
	pauses   bool
}

// scripted answers each watch with the next stream, and records the positions that were asked for.
func scripted(streams []stream) (*fakeServer, *[]int64) {
	var asked []int64
	return &fakeServer{
		watchJob: func(request *pluginrunnerv1.WatchJobRequest, to watchJobStream) error {
			next := streams[min(len(asked), len(streams)-1)]
			asked = append(asked, request.GetAfterSequence())
			for _, message := range next.messages {
				if err := to.Send(message); err != nil {
					return err
				}
			}
			if next.pauses {
				<-to.Context().Done()
			}
			return next.err
		},
	}, &asked
}

func TestAWatchGoesOnAfterEveryKindOfCut(t *testing.T) {
	start := []*pluginrunnerv1.WatchJobResponse{running3(), events(1, 2)}
	for name, one := range map[string]stream{
		"an early end":       {messages: start},
		"unavailable":        {messages: start, err: status.Error(codes.Unavailable, "")},
		"cancelled":          {messages: start, err: status.Error(codes.Canceled, "")},
		"a proxy's deadline": {messages: start, err: status.Error(codes.DeadlineExceeded, "")},
		"a reconnect":        {messages: slices.Concat(start, []*pluginrunnerv1.WatchJobResponse{reconnect()}), pauses: true},
		"a gap":              {messages: slices.Concat(start, []*pluginrunnerv1.WatchJobResponse{events(4)}), pauses: true},
		"silence":            {messages: start, pauses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// What was sent before comes again, as it may after a restart.
			rest := stream{messages: []*pluginrunnerv1.WatchJobResponse{running3(), events(2, 3), heartbeat(), last(4)}}
			server, asked := scripted([]stream{one, rest})
			var options []pluginrunner.Option
			if name == "silence" {
				options = append(options, pluginrunner.WithHeartbeatTimeout(time.Second))
			}
			client := server.serve(t, options...)
			retries := 0
			sequences, err := watched(client.WatchJob(t.Context(), "any", pluginrunner.OnRetry(func(error) { retries++ })))
			if err != nil {
				t.Fatal(err)
			}
			// 0 is the snapshot, which comes once.
			if !slices.Equal(sequences, []int64{0, 1, 2, 3, 4}) || !slices.Equal(*asked, []int64{0, 2}) || retries != 1 {
				t.Errorf("%v came, after %v and %d retries", sequences, *asked, retries)
			}
		})
	}
}

func TestAWatchEndsWithAJobThatHasNoFurtherEvents(t *testing.T) {
	ended := snapshot(pluginrunnerv1.JobState_JOB_STATE_SUCCEEDED, 4)
	server, _ := scripted([]stream{{messages: []*pluginrunnerv1.WatchJobResponse{ended}}})
	sequences, err := watched(server.serve(t).WatchJob(t.Context(), "any", pluginrunner.AfterSequence(4)))
	if err != nil || !slices.Equal(sequences, []int64{0}) {
		t.Errorf("%v, %v", sequences, err)
	}
}

func TestAServerThatWasLostIsGivenUp(t *testing.T) {
	t.Parallel()
	server, asked := scripted([]stream{
		{messages: []*pluginrunnerv1.WatchJobResponse{running3(), events(1)}},
		{err: status.Error(codes.Unavailable, "")},
	})
	client := server.serve(t, pluginrunner.WithRetryFor(100*time.Millisecond))
	sequences, err := watched(client.WatchJob(t.Context(), "any"))
	if e := runnerErrorOf(t, err); e.Reason != "UNAVAILABLE" || len(sequences) != 2 || len(*asked) < 2 {
		t.Errorf("%v came after %v, then %v", sequences, *asked, err)
	}
}

func TestTheConsumersTimeIsNoLossOfTheServer(t *testing.T) {
	t.Parallel()
	server, _ := scripted([]stream{
		{messages: []*pluginrunnerv1.WatchJobResponse{running3(), events(1)}},
		{messages: []*pluginrunnerv1.WatchJobResponse{running3(), last(2)}},
	})
	client := server.serve(t, pluginrunner.WithRetryFor(500*time.Millisecond))
	for update, err := range client.WatchJob(t.Context(), "any") {
		if err != nil {
			t.Fatal(err)
		}
		if update.Event.GetSequence() == 1 {
			// Longer than a lost server is looked for.
			time.Sleep(600 * time.Millisecond)
		}
	}
}

func TestTheConsumersTimeIsNoSilence(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	server := &fakeServer{
		watchJob: func(_ *pluginrunnerv1.WatchJobRequest, to watchJobStream) error {
			for _, message := range []*pluginrunnerv1.WatchJobResponse{running3(), events(1)} {
				if err := to.Send(message); err != nil {
					return err
				}
			}
			<-released
			return to.Send(last(2))
		},
	}
	client := server.serve(t, pluginrunner.WithHeartbeatTimeout(time.Second))
	cuts := pluginrunner.OnRetry(func(cause error) { t.Errorf("the stream was cut: %v", cause) })
	for update, err := range client.WatchJob(t.Context(), "any", cuts) {
		if err != nil {
			t.Fatal(err)
		}
		if update.Event.GetSequence() == 1 {
			// Longer than the stream may be silent.
			time.Sleep(1200 * time.Millisecond)
			close(released)
		}
	}
}

func TestLeavingAWatchEndsTheCall(t *testing.T) {
	left := make(chan struct{})
	server := &fakeServer{
		watchJob: func(_ *pluginrunnerv1.WatchJobRequest, to watchJobStream) error {
			if err := to.Send(running3()); err != nil {
				return err
			}
			<-to.Context().Done()
			close(left)
			return nil
		},
	}
	for range server.serve(t).WatchJob(t.Context(), "any") {
		break
	}
	<-left
}

func TestTheContextEndsAWatchWithItsOwnError(t *testing.T) {
	server, _ := scripted([]stream{{messages: []*pluginrunnerv1.WatchJobResponse{running3()}, pauses: true}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var end error
	for _, err := range server.serve(t).WatchJob(ctx, "any") {
		cancel()
		end = err
	}
	if end != context.Canceled {
		t.Error(end)
	}
}

func TestTheLastEventHasAResultThatTheRecordLeavesOut(t *testing.T) {
	server, asked := scripted([]stream{{messages: []*pluginrunnerv1.WatchJobResponse{running3(), last(4)}}})
	server.getJob = func(*pluginrunnerv1.GetJobRequest) (*pluginrunnerv1.GetJobResponse, error) {
		return &pluginrunnerv1.GetJobResponse{Job: &pluginrunnerv1.Job{
			State: pluginrunnerv1.JobState_JOB_STATE_SUCCEEDED, LastSequence: 4,
		}}, nil
	}
	result, err := pluginrunner.ResultAs[string](t.Context(), server.serve(t).Job("any"))
	if err != nil || result != "done" || !slices.Equal(*asked, []int64{3}) {
		t.Errorf("%v after %v, %v", result, *asked, err)
	}
}

func TestAListHasAllPages(t *testing.T) {
	server := &fakeServer{
		listJobs: func(request *pluginrunnerv1.ListJobsRequest) (*pluginrunnerv1.ListJobsResponse, error) {
			pages := map[string]*pluginrunnerv1.ListJobsResponse{
				"":  {Jobs: []*pluginrunnerv1.Job{{JobId: "3"}, {JobId: "2"}}, NextPageToken: "p"},
				"p": {Jobs: []*pluginrunnerv1.Job{{JobId: "1"}}},
			}
			return pages[request.GetPageToken()], nil
		},
	}
	var ids []string
	for job, err := range server.serve(t).ListJobs(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, job.GetJobId())
	}
	if !slices.Equal(ids, []string{"3", "2", "1"}) {
		t.Error(ids)
	}
}

func TestAWatchOfAllJobsTellsWhatWentAwayDuringACut(t *testing.T) {
	t.Parallel()
	calls := 0
	server := &fakeServer{
		watchJobs: func(_ *pluginrunnerv1.WatchJobsRequest, to watchJobsStream) error {
			calls++
			for _, message := range map[int][]*pluginrunnerv1.WatchJobsResponse{
				1: {job("a"), job("b"), jobsHeartbeat(), job("c"), removed("c"), removed("unknown")},
				2: {job("b"), jobsHeartbeat(), job("d")},
			}[calls] {
				if err := to.Send(message); err != nil {
					return err
				}
			}
			return nil
		},
	}
	var told []string
	for update, err := range server.serve(t).WatchJobs(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if update.Snapshot == nil {
			told = append(told, "no "+update.RemovedJobID)
			continue
		}
		told = append(told, update.Snapshot.GetJobId())
		if update.Snapshot.GetJobId() == "d" {
			break
		}
	}
	if expected := []string{"a", "b", "c", "no c", "b", "no a", "d"}; !reflect.DeepEqual(told, expected) {
		t.Error(told)
	}
}

// watched returns the sequences of the events, and 0 for a snapshot.
func watched(updates func(func(*pluginrunner.JobUpdate, error) bool)) ([]int64, error) {
	var sequences []int64
	for update, err := range updates {
		if err != nil {
			return sequences, err
		}
		sequences = append(sequences, update.Event.GetSequence())
	}
	return sequences, nil
}

// running3 is the snapshot of a job that runs and has three events.
func running3() *pluginrunnerv1.WatchJobResponse {
	return snapshot(pluginrunnerv1.JobState_JOB_STATE_RUNNING, 3)
}

func snapshot(state pluginrunnerv1.JobState, lastSequence int64) *pluginrunnerv1.WatchJobResponse {
	return &pluginrunnerv1.WatchJobResponse{Update: &pluginrunnerv1.WatchJobResponse_Snapshot{
		Snapshot: &pluginrunnerv1.Job{State: state, LastSequence: lastSequence},
	}}
}

func events(sequences ...int64) *pluginrunnerv1.WatchJobResponse {
	list := &pluginrunnerv1.JobEvents{}
	for _, sequence := range sequences {
		list.Events = append(list.Events, &pluginrunnerv1.JobEvent{Sequence: sequence})
	}
	return &pluginrunnerv1.WatchJobResponse{Update: &pluginrunnerv1.WatchJobResponse_Events{Events: list}}
}

// last is the event that ends a job.
func last(sequence int64) *pluginrunnerv1.WatchJobResponse {
	message := events(sequence)
	message.GetEvents().GetEvents()[0].Payload = &pluginrunnerv1.JobEvent_Result{
		Result: &pluginrunnerv1.JobResult{Value: structpb.NewStringValue("done")},
	}
	return message
}

func heartbeat() *pluginrunnerv1.WatchJobResponse {
	return &pluginrunnerv1.WatchJobResponse{Update: &pluginrunnerv1.WatchJobResponse_Heartbeat{}}
}

func reconnect() *pluginrunnerv1.WatchJobResponse {
	return &pluginrunnerv1.WatchJobResponse{
		Update: &pluginrunnerv1.WatchJobResponse_Reconnect{Reconnect: &pluginrunnerv1.Reconnect{}},
	}
}

func job(id string) *pluginrunnerv1.WatchJobsResponse {
	return &pluginrunnerv1.WatchJobsResponse{
		Update: &pluginrunnerv1.WatchJobsResponse_Snapshot{Snapshot: &pluginrunnerv1.Job{JobId: id}},
	}
}

func removed(id string) *pluginrunnerv1.WatchJobsResponse {
	return &pluginrunnerv1.WatchJobsResponse{
		Update: &pluginrunnerv1.WatchJobsResponse_RemovedJobId{RemovedJobId: id},
	}
}

func jobsHeartbeat() *pluginrunnerv1.WatchJobsResponse {
	return &pluginrunnerv1.WatchJobsResponse{Update: &pluginrunnerv1.WatchJobsResponse_Heartbeat{}}
}

func TestAWatchGoesOnOverAnotherConnectionWhereTheFirstIsDead(t *testing.T) {
	server, _ := scripted([]stream{
		{messages: []*pluginrunnerv1.WatchJobResponse{running3()}, pauses: true},
		{messages: []*pluginrunnerv1.WatchJobResponse{running3(), events(1, 2), last(3)}},
	})
	relay := &deadRelay{to: server.serve(t).Address()}
	client := connect(t, pluginrunner.WithAddress(relay.listen(t)), pluginrunner.WithHeartbeatTimeout(time.Second))
	retries := 0
	updates := client.WatchJob(t.Context(), "any", pluginrunner.OnRetry(func(error) { retries++ }))
	var sequences []int64
	for update, err := range updates {
		must(t, err)
		relay.dead.Store(true)
		sequences = append(sequences, update.Event.GetSequence())
	}
	if !slices.Equal(sequences, []int64{0, 1, 2, 3}) || retries != 1 || relay.connections.Load() != 2 {
		t.Errorf("%v came after %d retries over %d connections", sequences, retries, relay.connections.Load())
	}
}

// deadRelay passes everything on, but for its first connection, which stays open and passes nothing once it is dead.
type deadRelay struct {
	to          string
	dead        atomic.Bool
	connections atomic.Int64
}

func (d *deadRelay) listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			incoming, err := listener.Accept()
			if err != nil {
				return
			}
			outgoing, err := net.Dial("tcp", d.to)
			if err != nil {
				return
			}
			first := d.connections.Add(1) == 1
			go d.pass(incoming, outgoing, first)
			go d.pass(outgoing, incoming, first)
		}
	}()
	return listener.Addr().String()
}

func (d *deadRelay) pass(from, to net.Conn, first bool) {
	buffer := make([]byte, 1<<16)
	for {
		length, err := from.Read(buffer)
		if err != nil {
			return
		}
		if first && d.dead.Load() {
			continue
		}
		if _, err := to.Write(buffer[:length]); err != nil {
			return
		}
	}
}
