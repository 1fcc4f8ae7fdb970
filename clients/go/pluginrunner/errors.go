package pluginrunner

import (
	"fmt"
	"strings"
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
	// Reason is the stable word for what went wrong. It may be one that is newer than this client.
	Reason Reason
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
	// PartialResult is what could be kept of a result that is [ReasonResultInvalid]: nil stands at the places that
	// Metadata lists. Nil where nothing was kept.
	PartialResult any
	// RetryAfter says when a retry may succeed, from now; 0 when the service does not say.
	RetryAfter time.Duration

	cause error
	// final says that another try would end as this one did.
	final finality
	// silent says that nothing came for too long: the connection may be dead.
	silent bool
}

type finality int

const (
	// mayPass is what another try may mend.
	mayPass finality = iota
	// unlessHeard is final for a call, and for a watch of a server that has never answered.
	unlessHeard
	// certain is final for every call and watch.
	certain
)

// Violation is one fault of one value.
type Violation struct {
	// Field is a JSON pointer to the value, for example /params/epochs; empty for the whole.
	Field string
	// Description says what is wrong with it.
	Description string
	// Rule is the rule that it breaks: a keyword of JSON Schema, or the code's own word.
	Rule string
}

// Error returns the reason, the message and, in the lines below, the plugin's stack where there is one.
func (e *RunnerError) Error() string {
	said := string(e.Reason) + ": " + e.Message
	if e.Stack == "" {
		return said
	}
	return said + "\nThe plugin's stack:\n" + strings.TrimRight(e.Stack, "\n")
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
	case ReasonPluginNotFound, ReasonActionNotFound:
		return &ActionNotFoundError{e}
	case ReasonParamsInvalid, ReasonRequestInvalid:
		return &ValidationError{e}
	default:
		return &ExecutionError{e}
	}
}

// localError is what this client alone cannot do.
func localError(message string, cause error) error {
	return classify(&RunnerError{Reason: ReasonInternal, Message: message, Code: codes.Internal, cause: cause})
}

// misuse is a mistake in the use of this client; field names the setting or argument.
func misuse(field, message string, cause error) error {
	return classify(&RunnerError{
		Reason:     ReasonRequestInvalid,
		Message:    message,
		Code:       codes.InvalidArgument,
		Violations: []Violation{{Field: field, Description: message, Rule: "request"}},
		cause:      cause,
	})
}

// invalidRequest is what cannot be sent; the description says what its field, a JSON pointer, is or has.
func invalidRequest(field, description string, cause error) error {
	return classify(&RunnerError{
		Reason:     ReasonRequestInvalid,
		Message:    fmt.Sprintf("The request is invalid: %s %s.", field, description),
		Code:       codes.InvalidArgument,
		Violations: []Violation{{Field: field, Description: description, Rule: "request"}},
		cause:      cause,
	})
}

// closedError is a call of a client that was closed.
func closedError(cause error) error {
	return misuse("/client", "This client is closed: connect another.", cause)
}

// cut is a call or a stream that was cut, by the connection, a proxy or this client, and that is worth another try.
func cut(message string) error {
	return classify(&RunnerError{Reason: ReasonUnavailable, Message: message, Code: codes.Unavailable})
}
