package dev.pluginrunner.client;

/** Everything else: the action failed, was cancelled, could not be loaded, or the service could not be reached. */
public final class PluginExecutionException extends PluginRunnerException {
    private static final long serialVersionUID = 1L;

    PluginExecutionException(Failure failure) {
        super(failure);
    }
}
