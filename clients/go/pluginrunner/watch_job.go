package pluginrunner

import (
	"context"
	"fmt"
	"iter"

	"google.golang.org/grpc"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// JobUpdate is what a watch of one job yields: the job as it was first, then its events. One of the fields is set.
type JobUpdate struct {
	Snapshot *pluginrunnerv1.Job
	Event    *pluginrunnerv1.JobEvent
}

// WatchJob yields the job as it is, then every event after a position, each once and in order; it ends after the job's
// last event. It resumes by itself when the stream is cut. An error is the last thing that it yields. Leaving the loop
// ends the call, not the job.
func (c *Client) WatchJob(ctx context.Context, id string, options ...WatchOption) iter.Seq2[*JobUpdate, error] {
	return func(yield func(*JobUpdate, error) bool) {
		watch := watchOptionsOf(options)
		last := watch.afterSequence
		var newest *pluginrunnerv1.Job
		w := newWatcher(c, watch.onRetry)
		open := func(ctx context.Context) (*gapless, error) {
			request := &pluginrunnerv1.WatchJobRequest{JobId: id, AfterSequence: last}
			stream, err := w.stub.WatchJob(ctx, request)
			return &gapless{stream: stream, last: last}, err
		}
		finished := func() bool {
			return newest != nil && isTerminal(newest.GetState()) && last >= newest.GetLastSequence()
		}
		for message, err := range resuming(ctx, w, open, finished) {
			if err != nil {
				yield(nil, err)
				return
			}
			if snapshot := message.GetSnapshot(); snapshot != nil {
				first := newest == nil
				newest = snapshot
				if first && !yield(&JobUpdate{Snapshot: snapshot}, nil) {
					return
				}
			}
			for _, event := range message.GetEvents().GetEvents() {
				if event.GetSequence() <= last {
					continue
				}
				last = event.GetSequence()
				if !yield(&JobUpdate{Event: event}, nil) || isLast(event) {
					return
				}
			}
		}
	}
}

// isLast says whether a job has no event after this one.
func isLast(event *pluginrunnerv1.JobEvent) bool {
	return event.GetResult() != nil || event.GetError() != nil
}

// gapless treats a stream that skips events as one that was cut, so that it is opened again at the gap.
type gapless struct {
	stream grpc.ServerStreamingClient[pluginrunnerv1.WatchJobResponse]
	last   int64
}

func (g *gapless) Recv() (*pluginrunnerv1.WatchJobResponse, error) {
	message, err := g.stream.Recv()
	if err != nil {
		return nil, err
	}
	for _, event := range message.GetEvents().GetEvents() {
		if event.GetSequence() > g.last+1 {
			return nil, cut(fmt.Sprintf("Events %d to %d are missing from the stream.", g.last+1, event.GetSequence()-1))
		}
		g.last = max(g.last, event.GetSequence())
	}
	return message, nil
}
