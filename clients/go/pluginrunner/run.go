package pluginrunner

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// deadlineGrace is how much longer the call may take than the run, so that the service's own word about the timeout
// arrives.
const deadlineGrace = 5 * time.Second

// longestDeadline is below what the library of the service can hold; it takes a longer one for one that has passed.
const longestDeadline = 24 * 24 * time.Hour

// Mode says where an action runs.
type Mode string

const (
	// ModeLocal runs JavaScript in the service's own process and Python in one worker that stays. The default.
	ModeLocal Mode = "local"
	// ModeTask runs the action on a pool of warm workers.
	ModeTask Mode = "task"
	// ModeJob submits the action as a job, whose id is the result.
	ModeJob Mode = "job"
)

// WithMode says where the action runs.
func WithMode(mode Mode) RunOption {
	return onlyRun(func(o *runOptions) { o.mode = mode })
}

// WithRequestID makes runs with the same id one run. Default: a new id for each call, so that its retries are one.
func WithRequestID(id string) RunOption {
	return onlyRun(func(o *runOptions) { o.requestID = id })
}

type onlyRun func(*runOptions)

func (o onlyRun) applyToRun(run *runOptions) {
	o(run)
}

type runOptions struct {
	actionOptions
	mode      Mode
	requestID string
}

// RunPlugin runs one action and returns its result; in [ModeJob] the job's id, as soon as the service has recorded it.
//
// Params are whatever package json makes an object of, or nil; NaN and the infinities may be among their numbers, and
// a time.Duration is a text of ISO 8601. What would change on the way, such as an integer beyond ±(2^53-1), is refused
// with its place. A result is as [Value] returns it: see [RunPluginAs] for types of your own.
//
// A context that ends also ends the run. A call that the service has not taken is repeated a few times.
func (c *Client) RunPlugin(ctx context.Context, plugin, action string, params any, options ...RunOption) (any, error) {
	run := runOptions{mode: ModeLocal}
	for _, option := range options {
		option.applyToRun(&run)
	}
	if run.mode == ModeJob {
		job, err := c.submit(ctx, plugin, action, params, submitOptions{actionOptions: run.actionOptions})
		if err != nil {
			return nil, err
		}
		return job.ID(), nil
	}
	request, err := runRequest(plugin, action, params, run)
	if err != nil {
		return nil, err
	}
	response, err := call(ctx, c, within(run.timeout, c.stub.RunPlugin), request)
	if err != nil {
		return nil, err
	}
	c.warn(plugin, action, response.GetWarnings())
	return Value(response.GetResult(), response.GetNonFinite()), nil
}

// RunPluginAs runs one action as [Client.RunPlugin] does, and decodes its result into a T as package json does.
func RunPluginAs[T any](
	ctx context.Context, c *Client, plugin, action string, params any, options ...RunOption,
) (T, error) {
	result, err := c.RunPlugin(ctx, plugin, action, params, options...)
	if err != nil {
		var none T
		return none, err
	}
	return Decode[T](result)
}

func runRequest(plugin, action string, params any, run runOptions) (*pluginrunnerv1.RunPluginRequest, error) {
	modes := map[Mode]pluginrunnerv1.RunMode{
		ModeLocal: pluginrunnerv1.RunMode_RUN_MODE_LOCAL,
		ModeTask:  pluginrunnerv1.RunMode_RUN_MODE_TASK,
	}
	if run.mode == "" {
		run.mode = ModeLocal
	}
	mode, known := modes[run.mode]
	if !known {
		return nil, invalidRequest("/mode", fmt.Sprintf("is %q, not one of local, task, job", run.mode), nil)
	}
	fields, nonFinite, err := encodeParams(params)
	if err != nil {
		return nil, err
	}
	return &pluginrunnerv1.RunPluginRequest{
		Plugin:     plugin,
		Action:     action,
		Params:     fields,
		NonFinite:  nonFinite,
		Mode:       mode,
		Entrypoint: run.entrypoint,
		Env:        run.env,
		RequestId:  orNewID(run.requestID),
		JobId:      run.jobID,
		Timeout:    duration(run.timeout),
		Resources:  run.resources,
	}, nil
}

// within gives each try of a call a deadline, where there is a timeout.
func within[Request, Response any](
	timeout *time.Duration, send method[Request, Response],
) method[Request, Response] {
	if timeout == nil || *timeout > longestDeadline-deadlineGrace {
		return send
	}
	return func(ctx context.Context, request *Request, options ...grpc.CallOption) (*Response, error) {
		ctx, cancel := context.WithTimeout(ctx, *timeout+deadlineGrace)
		defer cancel()
		return send(ctx, request, options...)
	}
}

func duration(timeout *time.Duration) *durationpb.Duration {
	if timeout == nil {
		return nil
	}
	return durationpb.New(*timeout)
}
