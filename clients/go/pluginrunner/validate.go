package pluginrunner

import (
	"context"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// Verdict is what a validation comes to.
type Verdict struct {
	// Valid says whether the action would accept the params.
	Valid bool
	// Params are the params with defaults filled in, where it would.
	Params map[string]any
	// Violations are the faults of the params, where it would not.
	Violations []Violation
}

// ValidateParams validates params as a run would, without running anything: violations are data here. Of the options
// [WithEntrypoint] counts.
func (c *Client) ValidateParams(
	ctx context.Context, plugin, action string, params any, options ...ActionOption,
) (*Verdict, error) {
	fields, err := structOf(params)
	if err != nil {
		return nil, err
	}
	var validate actionOptions
	for _, option := range options {
		option(&validate)
	}
	verdict, err := call(ctx, c, c.stub.ValidateParams, &pluginrunnerv1.ValidateParamsRequest{
		Plugin:     plugin,
		Action:     action,
		Params:     fields,
		Entrypoint: validate.entrypoint,
	})
	if err != nil {
		return nil, err
	}
	return &Verdict{
		Valid:      verdict.GetValid(),
		Params:     plainStruct(verdict.GetParams()),
		Violations: violationsOf(verdict.GetViolations()),
	}, nil
}
