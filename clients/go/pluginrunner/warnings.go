package pluginrunner

import (
	"context"
	"log/slog"

	pluginrunnerv1 "github.com/plugin-runner/plugin-runner/gen/go/pluginrunner/v1"
)

// Warning is something in the params of a run or of a job that its action does not use, such as a misspelt name.
type Warning struct {
	Plugin, Action string
	Violation
}

// WithWarnings takes the warnings of runs and jobs. Default: they are logged by [slog.Default]. A function that does
// nothing ignores them.
func WithWarnings(told func(Warning)) Option {
	return func(s *settings) error {
		s.warned = told
		return nil
	}
}

func logWarning(w Warning) {
	slog.LogAttrs(context.Background(), slog.LevelWarn, "plugin-runner: "+w.Field+" "+w.Description,
		slog.String("plugin", w.Plugin), slog.String("action", w.Action))
}

func (c *Client) warn(plugin, action string, warnings []*pluginrunnerv1.FieldViolation) {
	for _, one := range violationsOf(warnings) {
		c.warned(Warning{plugin, action, one})
	}
}
