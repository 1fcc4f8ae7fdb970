package pluginrunner

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

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
		return closedError(err)
	}
	if asRunnerError(err) != nil {
		return err
	}
	from := status.Convert(err)
	if e := fromService(from, err); e != nil {
		c.heard.Store(true)
		return classify(e)
	}
	return classify(c.transport.diagnosed(ctx, from, err, c.heard.Load()))
}

// endOf returns the context's error; the service's word about the context's deadline may come before it.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// fromService returns the error that a status of the service means, or nil where somebody else sent it.
func fromService(from *status.Status, cause error) *RunnerError {
	e := &RunnerError{Message: from.Message(), Code: from.Code(), cause: cause}
	for _, detail := range from.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() != errorDomain {
				continue
			}
			e.Reason = Reason(detail.GetReason())
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
		case *pluginrunnerv1.JobError:
			e.PartialResult = Value(detail.GetPartialResult(), detail.GetNonFinite())
		}
	}
	if e.Reason == "" {
		return nil
	}
	return e
}

// fromJobError returns the error that ended a job, of the same classes as those of a failed call.
func fromJobError(jobID string, from *pluginrunnerv1.JobError) error {
	metadata := map[string]string{"job_id": jobID}
	maps.Copy(metadata, from.GetMetadata())
	delete(metadata, "exception_type")
	return classify(&RunnerError{
		Reason:        Reason(from.GetReason()),
		Message:       from.GetMessage(),
		Code:          codes.Unknown,
		Metadata:      metadata,
		Violations:    violationsOf(from.GetViolations()),
		ExceptionType: from.GetExceptionType(),
		Stack:         from.GetStack(),
		PartialResult: Value(from.GetPartialResult(), from.GetNonFinite()),
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
