package dev.pluginrunner.client;

/** There is no such plugin, or it has no such action. The metadata names what there is. */
public final class ActionNotFoundException extends PluginRunnerException {
    private static final long serialVersionUID = 1L;

    ActionNotFoundException(Failure failure) {
        super(failure);
    }
}
