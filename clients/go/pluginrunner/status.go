package pluginrunner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// errorDomain is how the service signs its details.
const errorDomain = "pluginrunner.v1.PluginRunner"

// failed returns what a failed call means: the context's error when the caller ended it, else one of the three classes.
func (c *Client) failed(ctx context.Context, err error) error {
	if ended := endOf(ctx); ended != nil {
		return ended
	}
	if c.closed.Load() {
		return localError("This client is closed.", err)
	}
	if asRunnerError(err) != nil {
		return err
	}
	return fromStatus(status.Convert(err), err, c.address)
}

// endOf returns the context's error; the service's word about the context's deadline may come before it.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func fromStatus(from *status.Status, cause error, address string) error {
	e := &RunnerError{Message: from.Message(), Code: from.Code(), cause: cause}
	for _, detail := range from.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() != errorDomain {
				continue
			}
			e.Reason = detail.GetReason()
			e.Metadata = maps.Clone(detail.GetMetadata())
			e.ExceptionType = e.Metadata["exception_type"]
			delete(e.Metadata, "exception_type")
		case *errdetails.BadRequest:
			for _, fault := range detail.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{fault.GetField(), fault.GetDescription(), fault.GetReason()})
			}
		case *errdetails.DebugInfo:
			e.Stack = strings.Join(detail.GetStackEntries(), "\n")
		case *errdetails.RetryInfo:
			e.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	if e.Reason == "" {
		return fromTransport(from, cause, address)
	}
	return classify(e)
}

// fromTransport returns what a status means that the service did not send: the connection, a proxy or gRPC itself did.
func fromTransport(from *status.Status, cause error, address string) error {
	reason := transportReason(from.Code())
	what := "The call failed at"
	if reason == "UNAVAILABLE" {
		what = "No answer from"
	}
	return classify(&RunnerError{
		Reason:   reason,
		Message:  fmt.Sprintf("%s %s: %s", what, address, from.Message()),
		Code:     from.Code(),
		Metadata: map[string]string{"address": address, "status": code.Code(from.Code()).String()},
		cause:    cause,
	})
}

func transportReason(c codes.Code) string {
	switch c {
	case codes.Unavailable, codes.Canceled, codes.Unknown, codes.Internal:
		return "UNAVAILABLE"
	case codes.DeadlineExceeded:
		return "DEADLINE"
	case codes.Unauthenticated:
		return "UNAUTHENTICATED"
	case codes.PermissionDenied:
		return "FORBIDDEN"
	default:
		return "INTERNAL"
	}
}

// fromJobError returns the error that ended a job, of the same classes as those of a failed call.
func fromJobError(jobID string, from *pluginrunnerv1.JobError) error {
	metadata := map[string]string{"job_id": jobID}
	maps.Copy(metadata, from.GetMetadata())
	delete(metadata, "exception_type")
	return classify(&RunnerError{
		Reason:        from.GetReason(),
		Message:       from.GetMessage(),
		Code:          codes.Unknown,
		Metadata:      metadata,
		Violations:    violationsOf(from.GetViolations()),
		ExceptionType: from.GetExceptionType(),
		Stack:         from.GetStack(),
	})
}

func violationsOf(faults []*pluginrunnerv1.FieldViolation) []Violation {
	var violations []Violation
	for _, fault := range faults {
		violations = append(violations, Violation{fault.GetField(), fault.GetDescription(), fault.GetRule()})
	}
	return violations
}

// asRunnerError finds the RunnerError in an error of this package; nil where the caller's context ended the call.
func asRunnerError(err error) *RunnerError {
	var e *RunnerError
	errors.As(err, &e)
	return e
}
