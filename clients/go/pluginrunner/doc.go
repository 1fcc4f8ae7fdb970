// Package pluginrunner calls a plugin-runner service, which runs the actions of plugins: at once, or as jobs that are
// watched while they run.
//
//	client, err := pluginrunner.Connect()
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	profile, err := client.RunPlugin(ctx, "tables", "profile", map[string]any{"dataset": "penguins"})
//
// Every call takes a context. When that ends, the call ends with the context's own error. Every other error is an
// [ActionNotFoundError], a [ValidationError] or an [ExecutionError], each of which is a [RunnerError] as well and works
// with [errors.As] and with package status of gRPC.
//
// Records and events of jobs, and plugins, are messages of the generated package pluginrunnerv1.
package pluginrunner
