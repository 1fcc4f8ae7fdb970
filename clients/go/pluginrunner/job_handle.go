package pluginrunner

import (
	"context"
	"iter"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// JobHandle is a job by its id. The job goes on whatever becomes of the handle, the client and the program.
type JobHandle struct {
	client   *Client
	id       string
	warnings []Violation
}

// Job returns the handle of a job that was submitted before. It makes no call.
func (c *Client) Job(id string) *JobHandle {
	return &JobHandle{client: c, id: id}
}

// ID returns the job's id.
func (j *JobHandle) ID() string {
	return j.id
}

// Warnings returns what the action does not use of the params, where this handle submitted the job.
func (j *JobHandle) Warnings() []Violation {
	return j.warnings
}

// Events yields every event of the job, from the first to the last; live once it has caught up. It resumes as
// [Client.WatchJob] does. An error is the last thing that it yields.
func (j *JobHandle) Events(ctx context.Context) iter.Seq2[*pluginrunnerv1.JobEvent, error] {
	return func(yield func(*pluginrunnerv1.JobEvent, error) bool) {
		for update, err := range j.client.WatchJob(ctx, j.id) {
			if err != nil {
				yield(nil, err)
				return
			}
			if update.Event != nil && !yield(update.Event, nil) {
				return
			}
		}
	}
}

// Result waits for the job to end and returns its result, as [Client.RunPlugin] does, or the error that ended it. A
// context that ends also ends the wait, not the job.
func (j *JobHandle) Result(ctx context.Context) (any, error) {
	job, err := j.Get(ctx)
	if err != nil {
		return nil, err
	}
	if job.GetError() != nil {
		return nil, fromJobError(j.id, job.GetError())
	}
	if job.GetResult() != nil {
		return JobResult(job), nil
	}
	after := job.GetLastSequence()
	if isTerminal(job.GetState()) {
		// The record of a large job leaves the result out; the last event has it.
		after--
	}
	for update, err := range j.client.WatchJob(ctx, j.id, AfterSequence(after)) {
		if err != nil {
			return nil, err
		}
		switch payload := update.Event.GetPayload().(type) {
		case *pluginrunnerv1.JobEvent_Result:
			return ResultValue(payload.Result), nil
		case *pluginrunnerv1.JobEvent_Error:
			return nil, fromJobError(j.id, payload.Error)
		}
	}
	return nil, cut("The watch ended before the job did.")
}

// ResultAs waits as [JobHandle.Result] does, and decodes the result into a T as package json does.
func ResultAs[T any](ctx context.Context, job *JobHandle) (T, error) {
	result, err := job.Result(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return Decode[T](result)
}

// Get returns the job as it is.
func (j *JobHandle) Get(ctx context.Context) (*pluginrunnerv1.Job, error) {
	return j.client.GetJob(ctx, j.id)
}

// Cancel tells the job to stop, and returns it as it is then.
func (j *JobHandle) Cancel(ctx context.Context) (*pluginrunnerv1.Job, error) {
	return j.client.CancelJob(ctx, j.id)
}
