package pluginrunner

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ActionNotFoundError says that there is no such plugin, or that it has no such action. Metadata names what there is.
type ActionNotFoundError struct{ *RunnerError }

// ValidationError says that the params do not satisfy the action's schema, or that the request is malformed.
// Violations has every fault.
type ValidationError struct{ *RunnerError }

// ExecutionError says everything else: the action failed, was cancelled or could not be loaded, or the service could
// not be reached.
type ExecutionError struct{ *RunnerError }

// RunnerError is what the three classes of errors carry. [errors.As] finds it in each of them.
type RunnerError struct {
	// Reason is the stable word for what went wrong, as docs/errors.md lists them; UNAVAILABLE where no service
	// answered. It may be one that is newer than this client.
	Reason string
	// Message says it for a person.
	Message string
	// Code is the status of gRPC; Unknown for what ended a job.
	Code codes.Code
	// Metadata has every variable of the message.
	Metadata map[string]string
	// Violations are the faults of the params or of the request.
	Violations []Violation
	// ExceptionType is the type of the exception that the action raised; empty for other reasons.
	ExceptionType string
	// Stack is the plugin's own stack; empty when the action raised nothing.
	Stack string
	// RetryAfter says when a retry may succeed, from now; 0 when the service does not say.
	RetryAfter time.Duration

	cause error
}

// Violation is one fault of one value.
type Violation struct {
	// Field is a JSON pointer to the value, for example /params/epochs; empty for the whole.
	Field string
	// Description says what is wrong with it.
	Description string
	// Rule is the rule that it breaks: a keyword of JSON Schema, or the code's own word.
	Rule string
}

// Error returns the reason and the message.
func (e *RunnerError) Error() string {
	return e.Reason + ": " + e.Message
}

// Unwrap returns what made the error: the status of gRPC that a call failed with, or nil.
func (e *RunnerError) Unwrap() error {
	return e.cause
}

// GRPCStatus returns the status that the call failed with, its details included. For what ended a job it is Unknown
// with the message.
func (e *RunnerError) GRPCStatus() *status.Status {
	if from, ok := status.FromError(e.cause); ok && e.cause != nil {
		return from
	}
	return status.New(e.Code, e.Message)
}

// Unwrap returns the RunnerError.
func (e *ActionNotFoundError) Unwrap() error { return e.RunnerError }

// Unwrap returns the RunnerError.
func (e *ValidationError) Unwrap() error { return e.RunnerError }

// Unwrap returns the RunnerError.
func (e *ExecutionError) Unwrap() error { return e.RunnerError }

// classify gives an error the class of its reason.
func classify(e *RunnerError) error {
	switch e.Reason {
	case "PLUGIN_NOT_FOUND", "ACTION_NOT_FOUND":
		return &ActionNotFoundError{e}
	case "PARAMS_INVALID", "REQUEST_INVALID":
		return &ValidationError{e}
	default:
		return &ExecutionError{e}
	}
}

// localError is a mistake in the use of this client.
func localError(message string, cause error) error {
	return classify(&RunnerError{Reason: "INTERNAL", Message: message, Code: codes.Internal, cause: cause})
}

// cut is a call or a stream that was cut, by the connection, a proxy or this client, and that is worth another try.
func cut(message string) error {
	return classify(&RunnerError{Reason: "UNAVAILABLE", Message: message, Code: codes.Unavailable})
}
