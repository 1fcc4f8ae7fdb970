package pluginrunner

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	// maxTries is how many calls a request is worth that nobody has answered.
	maxTries = 5

	firstDelay = 100 * time.Millisecond
	maxDelay   = 10 * time.Second
)

// retrying repeats a call that is safe to repeat while it fails with UNAVAILABLE.
func retrying[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for failures := 1; ; failures++ {
		answer, err := call()
		e := asRunnerError(err)
		if e == nil || e.Code != codes.Unavailable || e.final != mayPass || failures >= maxTries {
			return answer, err
		}
		if err := pause(ctx, failures, e.RetryAfter); err != nil {
			return answer, err
		}
	}
}

// pause waits before the next try, longer with each failure, and never less than the service asked for.
func pause(ctx context.Context, failures int, retryAfter time.Duration) error {
	timer := time.NewTimer(retryAfter + backoffOf(failures))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backoffOf has jitter, which keeps clients that lost the same server from coming back at once.
func backoffOf(failures int) time.Duration {
	longest := maxDelay
	if failures <= 7 {
		longest = min(maxDelay, firstDelay<<(failures-1))
	}
	return longest/2 + rand.N(longest/2)
}
