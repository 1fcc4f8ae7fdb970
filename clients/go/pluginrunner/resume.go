package pluginrunner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// message is what those of both watches have in common.
type message interface {
	GetSnapshot() *pluginrunnerv1.Job
	GetReconnect() *pluginrunnerv1.Reconnect
}

// receiver is a stream of the generated stub.
type receiver[M message] interface {
	Recv() (M, error)
}

// resuming yields the messages of a stream, which is opened again whenever it was cut; open continues where it was. It
// ends when the stream does and finished says that this is right, or with an error. A server that never answers is
// given up after a few tries.
func resuming[M message, R receiver[M]](
	ctx context.Context, w *watcher, open func(context.Context) (R, error), finished func() bool,
) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		defer w.leave()
		var none M
		var lostAt time.Time
		heard := false
		failures := 0
		for {
			cause := cut("The stream ended early.")
			for message, err := range untilSilent[M](ctx, w.client, open) {
				if err != nil {
					cause = err
					break
				}
				heard, lostAt = true, time.Time{}
				if message.GetReconnect() != nil {
					cause = cut("The server is going away.")
					break
				}
				if message.GetSnapshot() == nil {
					failures = 0
				}
				if !yield(message, nil) {
					return
				}
			}
			if !isCut(cause, heard) {
				yield(none, cause)
				return
			}
			if finished() {
				return
			}
			failures++
			if lostAt.IsZero() {
				lostAt = time.Now()
			}
			givenUp := failures >= maxTries
			if heard {
				givenUp = time.Since(lostAt) > w.client.retryFor
			}
			if givenUp {
				yield(none, cause)
				return
			}
			if w.onRetry != nil {
				w.onRetry(cause)
			}
			if asRunnerError(cause).silent {
				if err := w.renew(); err != nil {
					yield(none, w.client.failed(ctx, err))
					return
				}
			}
			if err := pause(ctx, failures, asRunnerError(cause).RetryAfter); err != nil {
				yield(none, err)
				return
			}
		}
	}
}

// untilSilent yields the messages of one stream until it ends, or until nothing came for too long. The time that the
// consumer takes does not count.
func untilSilent[M message, R receiver[M]](
	ctx context.Context, c *Client, open func(context.Context) (R, error),
) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		var none M
		silent := cut(fmt.Sprintf("Nothing came from the server for %v.", c.heartbeatTimeout))
		asRunnerError(silent).silent = true
		streaming, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(c.heartbeatTimeout, func() { cancel(silent) })
		defer timer.Stop()
		failed := func(err error) error {
			if ctx.Err() == nil && context.Cause(streaming) == silent {
				return silent
			}
			return c.failed(ctx, err)
		}
		stream, err := open(streaming)
		if err != nil {
			yield(none, failed(err))
			return
		}
		for {
			message, err := stream.Recv()
			timer.Stop()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(none, failed(err))
				return
			}
			c.heard.Store(true)
			if !yield(message, nil) {
				return
			}
			timer.Reset(c.heartbeatTimeout)
		}
	}
}

// isCut says whether a watch goes on after an error. No watch has a deadline or cancels itself, so these too are the
// doing of a proxy or of a server that stops.
func isCut(err error, heard bool) bool {
	reasons := []Reason{
		ReasonUnavailable, ReasonEngineUnavailable, ReasonStorageUnavailable, ReasonOverloaded, ReasonDeadline, ReasonCancelled,
	}
	e := asRunnerError(err)
	if e == nil || e.final == certain || e.final == unlessHeard && !heard {
		return false
	}
	return slices.Contains(reasons, e.Reason)
}
