package pluginrunner

import (
	"context"
	"errors"
	"io"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// WithLabels marks a job, to filter by.
func WithLabels(labels map[string]string) SubmitOption {
	return onlySubmit(func(o *submitOptions) { o.labels = labels })
}

type onlySubmit func(*submitOptions)

func (o onlySubmit) applyToSubmit(submit *submitOptions) {
	o(submit)
}

type submitOptions struct {
	actionOptions
	labels map[string]string
}

// SubmitJob submits a job and returns once the service has recorded it. Params are as those of [Client.RunPlugin]. A
// retry attaches to the same job. The job goes on when the context ends.
func (c *Client) SubmitJob(
	ctx context.Context, plugin, action string, params any, options ...SubmitOption,
) (*JobHandle, error) {
	var submit submitOptions
	for _, option := range options {
		option.applyToSubmit(&submit)
	}
	return c.submit(ctx, plugin, action, params, submit)
}

func (c *Client) submit(
	ctx context.Context, plugin, action string, params any, submit submitOptions,
) (*JobHandle, error) {
	fields, nonFinite, err := encodeParams(params)
	if err != nil {
		return nil, err
	}
	request := &pluginrunnerv1.SubmitJobRequest{
		Plugin:     plugin,
		Action:     action,
		Params:     fields,
		NonFinite:  nonFinite,
		Entrypoint: submit.entrypoint,
		Env:        submit.env,
		JobId:      orNewID(submit.jobID),
		Labels:     submit.labels,
		Timeout:    duration(submit.timeout),
		Resources:  submit.resources,
	}
	return retrying(ctx, func() (*JobHandle, error) {
		return c.submitOnce(ctx, request)
	})
}

// submitOnce leaves the call after the snapshot that it starts with.
func (c *Client) submitOnce(ctx context.Context, request *pluginrunnerv1.SubmitJobRequest) (*JobHandle, error) {
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.stub.SubmitJob(streaming, request)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, cut("The stream ended before the job was known.")
		}
		if err != nil {
			return nil, c.failed(ctx, err)
		}
		c.heard.Store(true)
		if snapshot := message.GetSnapshot(); snapshot != nil {
			c.warn(request.GetPlugin(), request.GetAction(), snapshot.GetWarnings())
			return &JobHandle{client: c, id: snapshot.GetJobId(), warnings: violationsOf(snapshot.GetWarnings())}, nil
		}
	}
}
