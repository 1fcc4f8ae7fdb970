package pluginrunner_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plugin-runner/plugin-runner/clients/go/pluginrunner"
	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// running is one case with what it runs against.
type running struct {
	*testing.T
	testCase
	client  *pluginrunner.Client
	targets *targets
}

var verbs = map[string]func(*running){
	"run": func(r *running) {
		result, err := r.run(r.Context())
		r.settles(result, err)
	},

	"submit": func(r *running) {
		_, err := r.trySubmit(r.Request)
		r.settles(nil, err)
	},

	"job": func(r *running) {
		job := r.submit(r.Request)
		events := r.collect(job)
		checkOrder(r.T, events)
		checkEvents(r.T, events, r.Expect)
		r.settles(job.Result(r.Context()))
		r.checkState(job)
	},

	"run_job": func(r *running) {
		id := rand.Text()
		options := []pluginrunner.RunOption{
			pluginrunner.WithMode(pluginrunner.ModeJob), pluginrunner.WithJobID(id),
		}
		result, err := r.client.RunPlugin(
			r.Context(), r.Request.Plugin, r.Request.Action, r.Request.Params.value, options...)
		r.must(err)
		if result != id {
			r.Errorf("the result is %v instead of %s", result, id)
		}
		job, err := r.client.GetJob(r.Context(), id)
		r.must(err)
		if job.GetEndTime() != nil {
			r.Error("the job has ended")
		}
		_, err = r.client.CancelJob(r.Context(), id)
		r.must(err)
	},

	"validate": func(r *running) {
		verdict, err := r.client.ValidateParams(
			r.Context(), r.Request.Plugin, r.Request.Action, r.Request.Params.value)
		r.must(err)
		if verdict.Valid != r.Expect.Valid {
			r.Errorf("valid is %v", verdict.Valid)
		}
		if r.Expect.Params.present {
			checkEqual(r.T, verdict.Params, r.Expect.Params.value)
		}
		checkViolations(r.T, verdict.Violations, r.Expect.Violations)
	},

	"get": func(r *running) {
		_, err := r.client.GetJob(r.Context(), r.Request.JobID)
		r.settles(nil, err)
	},

	"watch": func(r *running) {
		for _, err := range r.client.WatchJob(r.Context(), r.Request.JobID) {
			r.settles(nil, err)
			return
		}
		r.Error("the watch yields nothing")
	},

	"abort": func(r *running) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		time.AfterFunc(300*time.Millisecond, cancel)
		_, err := r.run(ctx)
		if !errors.Is(err, context.Canceled) {
			r.Errorf("the call ended with %v", err)
		}
	},

	"cancel": func(r *running) {
		job := r.submit(r.Request)
		r.waitForProgress(job)
		_, err := job.Cancel(r.Context())
		r.must(err)
		r.settles(job.Result(r.Context()))
		r.checkState(job)
	},

	"delete": func(r *running) {
		job := r.submit(r.Request)
		r.waitForProgress(job)
		r.settles(nil, r.client.DeleteJob(r.Context(), job.ID()))
		_, err := job.Cancel(r.Context())
		r.must(err)
		r.collect(job)
		r.must(r.client.DeleteJob(r.Context(), job.ID()))
		_, err = job.Get(r.Context())
		if runnerErrorOf(r.T, err).Reason != "JOB_NOT_FOUND" {
			r.Errorf("after its end the job is answered with %v", err)
		}
	},

	"attach": func(r *running) {
		id := rand.Text()
		r.Request.JobID, r.Again.JobID = id, id
		first := r.submit(r.Request)
		second, err := r.trySubmit(r.Again)
		if r.Expect.Error != nil {
			r.settles(nil, err)
			return
		}
		r.must(err)
		if !r.Expect.Same || first.ID() != second.ID() {
			r.Errorf("the jobs are %s and %s", first.ID(), second.ID())
		}
	},

	"resume": func(r *running) {
		job := r.submit(r.Request)
		proxied := connect(r.T, pluginrunner.WithAddress(r.targets.Proxy.Address))
		cuts := 0
		var events []*pluginrunnerv1.JobEvent
		counted := pluginrunner.OnRetry(func(error) { cuts++ })
		for update, err := range proxied.WatchJob(r.Context(), job.ID(), counted) {
			r.must(err)
			if update.Event == nil {
				continue
			}
			events = append(events, update.Event)
			if slices.Contains(r.CutAfter, update.Event.GetSequence()) {
				r.tell(r.targets.Proxy.Cut)
			}
		}
		checkOrder(r.T, events)
		// What is left may come in one message, so that a later cut finds nothing to cut.
		if cuts == 0 {
			r.Error("the stream was not cut")
		}
		r.settles(job.Result(r.Context()))
	},

	"silence": func(r *running) {
		job := r.submit(r.Request)
		cuts := 0
		var events []*pluginrunnerv1.JobEvent
		for update, err := range r.client.WatchJob(r.Context(), job.ID(), pluginrunner.OnRetry(func(error) { cuts++ })) {
			r.must(err)
			if update.Event == nil {
				continue
			}
			events = append(events, update.Event)
			if update.Event.GetSequence() == r.SilentAfter {
				r.tell(r.targets.Silent.Silence)
			}
		}
		checkOrder(r.T, events)
		checkEvents(r.T, events, r.Expect)
		if cuts == 0 {
			r.Error("the stream was not silent")
		}
	},

	"leave": func(r *running) {
		r.Request.Params.value = map[string]any{"mark": rand.Text()}
		left := make(chan error)
		go func() {
			_, err := r.run(r.Context())
			left <- err
		}()
		r.tell(r.targets.Leaving.Leave)
		r.settles(nil, <-left)
		r.Request.Action = "starts"
		starts, err := r.run(r.Context())
		r.must(err)
		if starts != int64(1) {
			r.Errorf("the action was started %v times", starts)
		}
	},

	"watch_from": func(r *running) {
		job := r.submit(r.Request)
		_, err := job.Result(r.Context())
		r.must(err)
		after := pluginrunner.AfterSequence(r.AfterSequence)
		for update, err := range r.client.WatchJob(r.Context(), job.ID(), after) {
			if r.Expect.Error != nil && err != nil {
				r.settles(nil, err)
				return
			}
			r.must(err)
			if update.Event != nil {
				if update.Event.GetSequence() != r.Expect.FirstSequence {
					r.Errorf("the first event is %d", update.Event.GetSequence())
				}
				return
			}
		}
		r.Error("the watch has no events")
	},

	"list": func(r *running) {
		r.Request.Labels = map[string]string{"case": rand.Text()}
		var submitted, listed []string
		for range r.Count {
			submitted = append(submitted, r.submit(r.Request).ID())
		}
		slices.Reverse(submitted)
		filter := &pluginrunnerv1.JobFilter{Labels: r.Request.Labels}
		for job, err := range r.client.ListJobs(r.Context(), filter) {
			r.must(err)
			listed = append(listed, job.GetJobId())
		}
		if !slices.Equal(listed, submitted) {
			r.Errorf("the list is %v instead of %v", listed, submitted)
		}
	},
}

func (r *running) run(ctx context.Context) (any, error) {
	var options []pluginrunner.RunOption
	for _, option := range actionOptions(r.Request) {
		options = append(options, option)
	}
	if r.Request.Mode != "" {
		options = append(options, pluginrunner.WithMode(pluginrunner.Mode(r.Request.Mode)))
	}
	return r.client.RunPlugin(ctx, r.Request.Plugin, r.Request.Action, r.Request.Params.value, options...)
}

func (r *running) trySubmit(request caseRequest) (*pluginrunner.JobHandle, error) {
	options := []pluginrunner.SubmitOption{pluginrunner.WithLabels(request.Labels)}
	for _, option := range actionOptions(request) {
		options = append(options, option)
	}
	return r.client.SubmitJob(r.Context(), request.Plugin, request.Action, request.Params.value, options...)
}

func (r *running) submit(request caseRequest) *pluginrunner.JobHandle {
	r.Helper()
	job, err := r.trySubmit(request)
	r.must(err)
	return job
}

func actionOptions(request caseRequest) []pluginrunner.ActionOption {
	options := []pluginrunner.ActionOption{
		pluginrunner.WithEntrypoint(request.Entrypoint),
		pluginrunner.WithEnv(request.Env),
		pluginrunner.WithJobID(request.JobID),
	}
	if request.Timeout > 0 {
		timeout := time.Duration(request.Timeout * float64(time.Second))
		options = append(options, pluginrunner.WithTimeout(timeout))
	}
	return options
}

func (r *running) collect(job *pluginrunner.JobHandle) []*pluginrunnerv1.JobEvent {
	r.Helper()
	var events []*pluginrunnerv1.JobEvent
	for event, err := range job.Events(r.Context()) {
		r.must(err)
		events = append(events, event)
	}
	return events
}

func (r *running) waitForProgress(job *pluginrunner.JobHandle) {
	r.Helper()
	for event, err := range job.Events(r.Context()) {
		r.must(err)
		if event.GetProgress() != nil {
			return
		}
	}
	r.Fatal("the job has ended without progress")
}

func (r *running) checkState(job *pluginrunner.JobHandle) {
	r.Helper()
	record, err := job.Get(r.Context())
	r.must(err)
	if state := strings.TrimPrefix(record.GetState().String(), "JOB_STATE_"); state != r.Expect.State {
		r.Errorf("the job is %s instead of %s", state, r.Expect.State)
	}
}

// tell connects to what does something then, and returns once that is done.
func (r *running) tell(address string) {
	r.Helper()
	conn, err := net.Dial("tcp", address)
	r.must(err)
	defer func() { _ = conn.Close() }()
	_, err = io.ReadAll(conn)
	r.must(err)
}

// settles compares what a call came to with what the case expects of it.
func (r *running) settles(result any, err error) {
	r.Helper()
	if r.Expect.Error != nil {
		checkError(r.T, err, r.Expect.Error)
		return
	}
	r.must(err)
	if r.Expect.Contains.present {
		if actual := asJSON(r.T, result); !holds(actual, r.Expect.Contains.value) {
			r.Errorf("%v is not contained in %v", r.Expect.Contains.value, actual)
		}
		return
	}
	checkEqual(r.T, result, r.Expect.Result.value)
}

func (r *running) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}
