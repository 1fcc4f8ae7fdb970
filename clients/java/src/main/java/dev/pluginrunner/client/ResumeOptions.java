package dev.pluginrunner.client;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * How a watch deals with a server that goes away.
 *
 * @param silence a stream that is silent for longer counts as cut
 * @param retryFor how long a server that had answered is looked for
 * @param onRetry told of every new try, before the wait for it
 */
record ResumeOptions(Duration silence, Duration retryFor, Consumer<? super PluginRunnerException> onRetry) {}
