package pluginrunner

import (
	"context"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// Verdict is what a validation comes to.
type Verdict struct {
	// Valid says whether the action would accept the params.
	Valid bool
	// Params are the params as they were given, with defaults filled in, where it would.
	Params map[string]any
	// Violations are the faults of the params, where it would not.
	Violations []Violation
	// Warnings are what the action would not use of the params, such as a misspelt name.
	Warnings []Violation
}

// ValidateParams validates params as a run would, without running anything: violations are data here. Of the options
// [WithEntrypoint] and [WithEnv] count.
func (c *Client) ValidateParams(
	ctx context.Context, plugin, action string, params any, options ...ActionOption,
) (*Verdict, error) {
	fields, nonFinite, err := encodeParams(params)
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
		NonFinite:  nonFinite,
		Env:        validate.env,
		Entrypoint: validate.entrypoint,
	})
	if err != nil {
		return nil, err
	}
	return &Verdict{
		Valid:      verdict.GetValid(),
		Params:     Fields(verdict.GetParams(), verdict.GetNonFinite()),
		Violations: violationsOf(verdict.GetViolations()),
		Warnings:   violationsOf(verdict.GetWarnings()),
	}, nil
}
