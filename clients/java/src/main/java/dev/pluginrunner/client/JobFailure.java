package dev.pluginrunner.client;

import dev.pluginrunner.v1.JobError;
import io.grpc.Status;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the error of a job means: an exception of the same classes as those of a failed call. */
final class JobFailure {
    private JobFailure() {}

    static PluginRunnerException of(String jobId, JobError raw) {
        JobError error = NonFinite.restore(raw);
        Map<String, String> metadata = new HashMap<>(error.getMetadataMap());
        metadata.putIfAbsent("job_id", jobId);
        metadata.remove("exception_type");
        return new Failure(
                        error.getReason(),
                        error.getMessage(),
                        Status.Code.UNKNOWN,
                        metadata,
                        violations(error.getViolationsList()),
                        error.getExceptionType(),
                        error.getStack(),
                        null,
                        partialResult(error),
                        Failure.Again.NEVER,
                        stackAsCause(error.getStack()))
                .exception();
    }

    /** What can be carried of a result that is invalid; null for nothing. */
    static Object partialResult(JobError error) {
        return error.hasPartialResult()
                ? Json.fromValue(NonFinite.restore(error).getPartialResult())
                : null;
    }

    static Throwable stackAsCause(String stack) {
        return stack.isEmpty() ? null : new PluginStack(stack);
    }

    static List<Violation> violations(List<dev.pluginrunner.v1.FieldViolation> violations) {
        return violations.stream()
                .map(one -> new Violation(one.getField(), one.getDescription(), one.getRule()))
                .toList();
    }
}
