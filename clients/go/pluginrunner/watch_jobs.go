package pluginrunner

import (
	"context"
	"iter"
	"maps"

	"google.golang.org/grpc"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// JobsUpdate is what a watch of many jobs yields: jobs as they change, and the ids of those that are gone. One of the
// fields is set.
type JobsUpdate struct {
	Snapshot     *pluginrunnerv1.Job
	RemovedJobID string
}

// WatchJobs yields the jobs that match, newest first, then each that changes and the ids of those that no longer match;
// all jobs for a nil filter. It resumes by itself when the stream is cut, and ends when the context does or the loop is
// left. An error is the last thing that it yields.
func (c *Client) WatchJobs(
	ctx context.Context, filter *pluginrunnerv1.JobFilter, options ...WatchOption,
) iter.Seq2[*JobsUpdate, error] {
	type stream = grpc.ServerStreamingClient[pluginrunnerv1.WatchJobsResponse]
	return func(yield func(*JobsUpdate, error) bool) {
		known := map[string]bool{}
		var unconfirmed map[string]bool
		w := newWatcher(c, watchOptionsOf(options).onRetry)
		open := func(ctx context.Context) (stream, error) {
			unconfirmed = maps.Clone(known)
			return w.stub.WatchJobs(ctx, &pluginrunnerv1.WatchJobsRequest{Filter: filter})
		}
		removed := func(id string) bool {
			if !known[id] {
				return true
			}
			delete(known, id)
			return yield(&JobsUpdate{RemovedJobID: id}, nil)
		}
		never := func() bool { return false }
		for message, err := range resuming(ctx, w, open, never) {
			if err != nil {
				yield(nil, err)
				return
			}
			switch update := message.GetUpdate().(type) {
			case *pluginrunnerv1.WatchJobsResponse_Snapshot:
				id := update.Snapshot.GetJobId()
				known[id] = true
				delete(unconfirmed, id)
				if !yield(&JobsUpdate{Snapshot: update.Snapshot}, nil) {
					return
				}
			case *pluginrunnerv1.WatchJobsResponse_RemovedJobId:
				if !removed(update.RemovedJobId) {
					return
				}
			case *pluginrunnerv1.WatchJobsResponse_Heartbeat:
				// Everything there is has been sent again: what is missing went away while nobody listened.
				for id := range unconfirmed {
					if !removed(id) {
						return
					}
				}
				clear(unconfirmed)
			}
		}
	}
}
