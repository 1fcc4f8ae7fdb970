package pluginrunner

// WatchOption changes how a watch starts and what it tells of.
type WatchOption func(*watchOptions)

// AfterSequence starts a watch of one job after an event that the caller has. Default: 0, for none. A watch of all
// jobs has no position.
func AfterSequence(sequence int64) WatchOption {
	return func(o *watchOptions) { o.afterSequence = sequence }
}

// OnRetry tells a function of every cut of the stream, before it is opened again.
func OnRetry(told func(cause error)) WatchOption {
	return func(o *watchOptions) { o.onRetry = told }
}

type watchOptions struct {
	afterSequence int64
	onRetry       func(error)
}

func watchOptionsOf(options []WatchOption) watchOptions {
	var watch watchOptions
	for _, option := range options {
		option(&watch)
	}
	return watch
}
