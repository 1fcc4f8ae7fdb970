package dev.pluginrunner.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** What an exception of this client carries; its reason decides of which class it is. */
record Failure(
        String reason,
        String message,
        Status.Code code,
        Map<String, String> metadata,
        List<Violation> violations,
        String exceptionType,
        String pluginStack,
        Duration retryAfter,
        Throwable cause) {

    /** A failure that has nothing but a message. */
    static Failure of(String reason, Status.Code code, String message) {
        return new Failure(reason, message, code, Map.of(), List.of(), "", "", null, null);
    }

    /** A stream that was cut, by the connection, a proxy or this client: worth another try. */
    static PluginRunnerException cut(String message) {
        return of("UNAVAILABLE", Status.Code.UNAVAILABLE, message).exception();
    }

    /** A call of a client that was closed. */
    static PluginRunnerException closed() {
        return of("INTERNAL", Status.Code.INTERNAL, "This client is closed.").exception();
    }

    PluginRunnerException exception() {
        return switch (reason) {
            case "PLUGIN_NOT_FOUND", "ACTION_NOT_FOUND" -> new ActionNotFoundException(this);
            case "PARAMS_INVALID", "REQUEST_INVALID" -> new ValidationException(this);
            default -> new PluginExecutionException(this);
        };
    }
}
