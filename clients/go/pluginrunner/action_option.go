package pluginrunner

import (
	"time"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// RunOption changes how [Client.RunPlugin] runs an action. Every [ActionOption] is one.
type RunOption interface {
	applyToRun(*runOptions)
}

// SubmitOption changes how [Client.SubmitJob] submits a job. Every [ActionOption] is one.
type SubmitOption interface {
	applyToSubmit(*submitOptions)
}

// ActionOption is for runs and for jobs.
type ActionOption func(*actionOptions)

// WithEntrypoint names the code and skips discovery: package.module:Class or ./file.js#name.
func WithEntrypoint(entrypoint string) ActionOption {
	return func(o *actionOptions) { o.entrypoint = entrypoint }
}

// WithEnv sets environment variables for the action.
func WithEnv(env map[string]string) ActionOption {
	return func(o *actionOptions) { o.env = env }
}

// WithJobID gives an id for tracking; a job gets one of its own when none is given. A second submission with the same
// id and content attaches to the first.
func WithJobID(id string) ActionOption {
	return func(o *actionOptions) { o.jobID = id }
}

// WithTimeout limits the time that the action may take. Default: as its configuration says.
func WithTimeout(timeout time.Duration) ActionOption {
	return func(o *actionOptions) { o.timeout = &timeout }
}

// WithResources says what the action needs of the machine. Default: as its configuration says.
func WithResources(resources *pluginrunnerv1.Resources) ActionOption {
	return func(o *actionOptions) { o.resources = resources }
}

// actionOptions are what runs and jobs have in common.
type actionOptions struct {
	entrypoint string
	env        map[string]string
	jobID      string
	timeout    *time.Duration
	resources  *pluginrunnerv1.Resources
}

func (o ActionOption) applyToRun(run *runOptions) {
	o(&run.actionOptions)
}

func (o ActionOption) applyToSubmit(submit *submitOptions) {
	o(&submit.actionOptions)
}
