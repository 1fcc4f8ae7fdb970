package dev.pluginrunner.client;

import com.google.protobuf.Duration;
import dev.pluginrunner.v1.RunMode;
import dev.pluginrunner.v1.RunPluginRequest;
import dev.pluginrunner.v1.SubmitJobRequest;
import dev.pluginrunner.v1.ValidateParamsRequest;
import java.util.Map;

/** The requests that start an action, or ask whether it could start. */
final class Requests {
    /** The longest that a duration of protobuf says. */
    private static final java.time.Duration LONGEST = java.time.Duration.ofSeconds(315_576_000_000L);

    private Requests() {}

    static RunPluginRequest run(String plugin, String action, Object params, ActionOptions options) {
        Encoder.Params encoded = Encoder.params(params);
        RunPluginRequest.Builder request = RunPluginRequest.newBuilder()
                .setPlugin(text("/plugin", plugin))
                .setAction(text("/action", action))
                .setParams(encoded.fields())
                .addAllNonFinite(encoded.nonFinite())
                .setMode(options.mode() == Mode.TASK ? RunMode.RUN_MODE_TASK : RunMode.RUN_MODE_LOCAL)
                .setEntrypoint(text("/entrypoint", options.entrypoint()))
                .putAllEnv(texts("/env", options.env()))
                .setJobId(options.jobId())
                .setRequestId(options.requestIdOrNew());
        if (options.timeout() != null) request.setTimeout(duration(options.timeout()));
        if (options.resources() != null) request.setResources(options.resources());
        return request.build();
    }

    static SubmitJobRequest submit(String plugin, String action, Object params, ActionOptions options) {
        Encoder.Params encoded = Encoder.params(params);
        SubmitJobRequest.Builder request = SubmitJobRequest.newBuilder()
                .setPlugin(text("/plugin", plugin))
                .setAction(text("/action", action))
                .setParams(encoded.fields())
                .addAllNonFinite(encoded.nonFinite())
                .setEntrypoint(text("/entrypoint", options.entrypoint()))
                .putAllEnv(texts("/env", options.env()))
                .setJobId(options.jobIdOrNew())
                .putAllLabels(texts("/labels", options.labels()));
        if (options.timeout() != null) request.setTimeout(duration(options.timeout()));
        if (options.resources() != null) request.setResources(options.resources());
        return request.build();
    }

    static ValidateParamsRequest validate(String plugin, String action, Object params, ActionOptions options) {
        Encoder.Params encoded = Encoder.params(params);
        return ValidateParamsRequest.newBuilder()
                .setPlugin(text("/plugin", plugin))
                .setAction(text("/action", action))
                .setParams(encoded.fields())
                .addAllNonFinite(encoded.nonFinite())
                .setEntrypoint(text("/entrypoint", options.entrypoint()))
                .putAllEnv(texts("/env", options.env()))
                .build();
    }

    private static String text(String field, String text) {
        if (Encoder.isUnicode(text)) return text;
        throw Failure.request(field, Encoder.NO_UNICODE);
    }

    private static Map<String, String> texts(String field, Map<String, String> texts) {
        texts.forEach((name, value) -> text(field + "/" + text(field, name), value));
        return texts;
    }

    private static Duration duration(java.time.Duration duration) {
        if (duration.abs().compareTo(LONGEST) > 0) {
            throw Failure.request("/timeout", "is longer than ten thousand years");
        }
        return Duration.newBuilder()
                .setSeconds(duration.getSeconds())
                .setNanos(duration.getNano())
                .build();
    }
}
