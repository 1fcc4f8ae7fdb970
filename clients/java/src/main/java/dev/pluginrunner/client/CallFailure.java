package dev.pluginrunner.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.DebugInfo;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.pluginrunner.v1.JobError;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the status of a failed call means. */
final class CallFailure {
    private static final String DOMAIN = "pluginrunner.v1.PluginRunner";

    private CallFailure() {}

    /** The exception for a status; the address is named when nothing answered there. */
    static PluginRunnerException of(Status status, Metadata trailers, String address) {
        StatusRuntimeException cause = status.asRuntimeException(trailers);
        List<Any> details = detailsOf(cause);
        return find(details, ErrorInfo.class)
                .filter(info -> info.getDomain().equals(DOMAIN))
                .map(info -> fromService(status, info, details))
                .orElseGet(() -> TransportFailure.of(status, address, cause))
                .exception();
    }

    private static Failure fromService(Status status, ErrorInfo info, List<Any> details) {
        Map<String, String> metadata = new HashMap<>(info.getMetadataMap());
        String exceptionType = metadata.remove("exception_type");
        String stack = find(details, DebugInfo.class)
                .map(debug -> String.join("\n", debug.getStackEntriesList()))
                .orElse("");
        return new Failure(
                info.getReason(),
                messageOf(status),
                status.getCode(),
                metadata,
                find(details, BadRequest.class).map(CallFailure::violations).orElse(List.of()),
                exceptionType == null ? "" : exceptionType,
                stack,
                find(details, RetryInfo.class).map(CallFailure::retryAfter).orElse(null),
                find(details, JobError.class).map(JobFailure::partialResult).orElse(null),
                Failure.Again.MAYBE,
                JobFailure.stackAsCause(stack));
    }

    static String messageOf(Status status) {
        return status.getDescription() == null ? status.getCode().name() : status.getDescription();
    }

    private static List<Any> detailsOf(StatusRuntimeException error) {
        com.google.rpc.Status status = StatusProto.fromThrowable(error);
        return status == null ? List.of() : status.getDetailsList();
    }

    private static <T extends Message> Optional<T> find(List<Any> details, Class<T> type) {
        return details.stream().filter(detail -> detail.is(type)).findFirst().flatMap(detail -> {
            try {
                return Optional.of(detail.unpack(type));
            } catch (InvalidProtocolBufferException malformed) {
                return Optional.empty();
            }
        });
    }

    private static List<Violation> violations(BadRequest request) {
        return request.getFieldViolationsList().stream()
                .map(one -> new Violation(one.getField(), one.getDescription(), one.getReason()))
                .toList();
    }

    private static Duration retryAfter(RetryInfo info) {
        return Duration.ofSeconds(
                info.getRetryDelay().getSeconds(), info.getRetryDelay().getNanos());
    }
}
