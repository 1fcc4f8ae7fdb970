package dev.pluginrunner.client;

import com.google.protobuf.Duration;
import dev.pluginrunner.v1.RunMode;
import dev.pluginrunner.v1.RunPluginRequest;
import dev.pluginrunner.v1.SubmitJobRequest;
import dev.pluginrunner.v1.ValidateParamsRequest;

/** The requests that start an action, or ask whether it could start. */
final class Requests {
    private Requests() {}

    static RunPluginRequest run(String plugin, String action, Object params, ActionOptions options) {
        Encoder.Params encoded = Encoder.params(params);
        RunPluginRequest.Builder request = RunPluginRequest.newBuilder()
                .setPlugin(plugin)
                .setAction(action)
                .setParams(encoded.fields())
                .addAllNonFinite(encoded.nonFinite())
                .setMode(options.mode() == Mode.TASK ? RunMode.RUN_MODE_TASK : RunMode.RUN_MODE_LOCAL)
                .setEntrypoint(options.entrypoint())
                .putAllEnv(options.env())
                .setJobId(options.jobId())
                .setRequestId(options.requestIdOrNew());
        if (options.timeout() != null) request.setTimeout(duration(options.timeout()));
        if (options.resources() != null) request.setResources(options.resources());
        return request.build();
    }

    static SubmitJobRequest submit(String plugin, String action, Object params, ActionOptions options) {
        Encoder.Params encoded = Encoder.params(params);
        SubmitJobRequest.Builder request = SubmitJobRequest.newBuilder()
                .setPlugin(plugin)
                .setAction(action)
                .setParams(encoded.fields())
                .addAllNonFinite(encoded.nonFinite())
                .setEntrypoint(options.entrypoint())
                .putAllEnv(options.env())
                .setJobId(options.jobIdOrNew())
                .putAllLabels(options.labels());
        if (options.timeout() != null) request.setTimeout(duration(options.timeout()));
        if (options.resources() != null) request.setResources(options.resources());
        return request.build();
    }

    static ValidateParamsRequest validate(String plugin, String action, Object params, ActionOptions options) {
        Encoder.Params encoded = Encoder.params(params);
        return ValidateParamsRequest.newBuilder()
                .setPlugin(plugin)
                .setAction(action)
                .setParams(encoded.fields())
                .addAllNonFinite(encoded.nonFinite())
                .setEntrypoint(options.entrypoint())
                .putAllEnv(options.env())
                .build();
    }

    private static Duration duration(java.time.Duration duration) {
        return Duration.newBuilder()
                .setSeconds(duration.getSeconds())
                .setNanos(duration.getNano())
                .build();
    }
}
