package dev.pluginrunner.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What went wrong with a call or a job: see the three classes that extend this one. A trace that is printed has the reason, the
 * message, the caller's stack, and, as the cause, the plugin's.
 */
@SuppressWarnings("serial") // The map, the list and the result are of the JDK's own classes, which are serializable.
public abstract sealed class PluginRunnerException extends RuntimeException
        permits ActionNotFoundException, ValidationException, PluginExecutionException {
    private static final long serialVersionUID = 1L;

    private final String reason;
    private final Status.Code code;
    private final Map<String, String> metadata;
    private final List<Violation> violations;
    private final String exceptionType;
    private final String pluginStack;
    private final Duration retryAfter;
    private final Object partialResult;
    private final Failure.Again again;

    PluginRunnerException(Failure failure) {
        super(failure.message(), failure.cause());
        reason = failure.reason();
        code = failure.code();
        metadata = Map.copyOf(failure.metadata());
        violations = List.copyOf(failure.violations());
        exceptionType = failure.exceptionType();
        pluginStack = failure.pluginStack();
        retryAfter = failure.retryAfter();
        partialResult = failure.partialResult();
        again = failure.again();
    }

    /**
     * The class, the reason and the message.
     *
     * @return one line, as the message is one
     */
    @Override
    public String toString() {
        return getClass().getName() + ": " + reason + ": " + getMessage();
    }

    /**
     * The stable word for what went wrong.
     *
     * @return a reason of the service, for example {@code ACTION_FAILED}, one that is newer than this client, or
     *     {@code UNAVAILABLE} where no service answered: see {@link Reason}
     */
    public String reason() {
        return reason;
    }

    /**
     * The gRPC status.
     *
     * @return the code; {@code UNKNOWN} for what ended a job
     */
    public Status.Code code() {
        return code;
    }

    /**
     * Every variable of the message.
     *
     * @return texts by name
     */
    public Map<String, String> metadata() {
        return metadata;
    }

    /**
     * Every fault of the params or of the request.
     *
     * @return the faults; empty for other reasons
     */
    public List<Violation> violations() {
        return violations;
    }

    /**
     * The type of the exception that the action raised.
     *
     * @return its name; empty for other reasons
     */
    public String exceptionType() {
        return exceptionType;
    }

    /**
     * The plugin's own stack.
     *
     * @return the stack as its language prints it; empty when the action raised nothing
     */
    public String pluginStack() {
        return pluginStack;
    }

    /**
     * When another try may succeed.
     *
     * @return the time from now; empty when the service names none
     */
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }

    /**
     * What can be carried of the action's return value when the reason is {@code RESULT_INVALID}; null stands where something
     * cannot.
     *
     * @return the value as {@link Json} says; empty when nothing of it can be carried, and for other reasons
     */
    public Optional<Object> partialResult() {
        return Optional.ofNullable(partialResult);
    }

    Failure.Again again() {
        return again;
    }
}
