package pluginrunner

import (
	"context"
	"iter"

	"google.golang.org/grpc"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// GetJob returns one job, its params and result included.
func (c *Client) GetJob(ctx context.Context, id string) (*pluginrunnerv1.Job, error) {
	response, err := call(ctx, c, c.stub.GetJob, &pluginrunnerv1.GetJobRequest{JobId: id})
	return response.GetJob(), err
}

// ListJobs yields the jobs that match, newest first, a page at a time as they are asked for; all for a nil filter. An
// error is the last thing that it yields.
func (c *Client) ListJobs(
	ctx context.Context, filter *pluginrunnerv1.JobFilter,
) iter.Seq2[*pluginrunnerv1.Job, error] {
	return paged(func(token string) ([]*pluginrunnerv1.Job, string, error) {
		request := &pluginrunnerv1.ListJobsRequest{PageToken: token, Filter: filter}
		page, err := call(ctx, c, c.stub.ListJobs, request)
		return page.GetJobs(), page.GetNextPageToken(), err
	})
}

// CancelJob tells a job to stop, and returns it as it is then. One that has ended stays as it is.
func (c *Client) CancelJob(ctx context.Context, id string) (*pluginrunnerv1.Job, error) {
	response, err := call(ctx, c, c.stub.CancelJob, &pluginrunnerv1.CancelJobRequest{JobId: id})
	return response.GetJob(), err
}

// DeleteJob deletes the record, the events and the files of a job that has ended.
func (c *Client) DeleteJob(ctx context.Context, id string) error {
	tries := 0
	counted := func(
		ctx context.Context, request *pluginrunnerv1.DeleteJobRequest, options ...grpc.CallOption,
	) (*pluginrunnerv1.DeleteJobResponse, error) {
		tries++
		return c.stub.DeleteJob(ctx, request, options...)
	}
	_, err := call(ctx, c, counted, &pluginrunnerv1.DeleteJobRequest{JobId: id})
	if e := asRunnerError(err); e != nil && e.Reason == ReasonJobNotFound && tries > 1 {
		// The try before has deleted it, and its answer was lost.
		return nil
	}
	return err
}

func isTerminal(state pluginrunnerv1.JobState) bool {
	switch state {
	case pluginrunnerv1.JobState_JOB_STATE_SUCCEEDED,
		pluginrunnerv1.JobState_JOB_STATE_FAILED,
		pluginrunnerv1.JobState_JOB_STATE_CANCELLED:
		return true
	default:
		return false
	}
}
