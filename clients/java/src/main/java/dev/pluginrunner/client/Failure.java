package dev.pluginrunner.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * What an exception of this client carries; its reason decides of which class it is.
 *
 * @param partialResult what can be carried of a result that is invalid, or null
 * @param again whether this client may try again what failed
 */
record Failure(
        String reason,
        String message,
        Status.Code code,
        Map<String, String> metadata,
        List<Violation> violations,
        String exceptionType,
        String pluginStack,
        Duration retryAfter,
        Object partialResult,
        Again again,
        Throwable cause) {

    /** Whether what failed may be tried again. */
    enum Again {
        /** As its code and its reason say. */
        MAYBE,
        /** Only to find a server again that had answered: nobody else would have come by now. */
        WHEN_LOST,
        /** Never: it would fail in the same way. */
        NEVER
    }

    /** A failure that has nothing but a message. */
    static Failure of(String reason, Status.Code code, String message, Again again, Throwable cause) {
        return new Failure(reason, message, code, Map.of(), List.of(), "", "", null, null, again, cause);
    }

    /** A stream that was cut, by the connection, a proxy or this client: worth another try. */
    static PluginRunnerException cut(String message) {
        return of(Reason.UNAVAILABLE, Status.Code.UNAVAILABLE, message, Again.MAYBE, null)
                .exception();
    }

    /** What was asked for cannot be sent: a field of the request, or a setting of the client, is invalid. */
    static PluginRunnerException request(String field, String description) {
        return request(field, description, null);
    }

    static PluginRunnerException request(String field, String description, Throwable cause) {
        String message = "The request is invalid: " + (field + " " + description).strip() + ".";
        List<Violation> violations = List.of(new Violation(field, description, "request"));
        Status.Code code = Status.Code.INVALID_ARGUMENT;
        return new Failure(
                        Reason.REQUEST_INVALID,
                        message,
                        code,
                        Map.of(),
                        violations,
                        "",
                        "",
                        null,
                        null,
                        Again.NEVER,
                        cause)
                .exception();
    }

    /** A call of a client that was closed. */
    static PluginRunnerException closed() {
        return request("/client", "is closed");
    }

    PluginRunnerException exception() {
        return switch (reason) {
            case Reason.PLUGIN_NOT_FOUND, Reason.ACTION_NOT_FOUND -> new ActionNotFoundException(this);
            case Reason.PARAMS_INVALID, Reason.REQUEST_INVALID -> new ValidationException(this);
            default -> new PluginExecutionException(this);
        };
    }
}
