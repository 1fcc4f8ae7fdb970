package dev.pluginrunner.client;

/** The plugin's own stack, as what an exception comes from, so that it stands in every trace that is printed. */
final class PluginStack extends Exception {
    private static final long serialVersionUID = 1L;

    PluginStack(String stack) {
        super(stack.stripTrailing(), null, false, false);
    }

    @Override
    public String toString() {
        return "in the plugin:\n" + getMessage();
    }
}
