package dev.pluginrunner.client;

/** The params do not satisfy the action's schema, or the request is malformed; the violations have every fault. */
public final class ValidationException extends PluginRunnerException {
    private static final long serialVersionUID = 1L;

    ValidationException(Failure failure) {
        super(failure);
    }
}
