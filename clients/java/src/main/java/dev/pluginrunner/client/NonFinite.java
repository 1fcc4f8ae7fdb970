package dev.pluginrunner.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobArtifact;
import dev.pluginrunner.v1.JobError;
import dev.pluginrunner.v1.JobEvent;
import dev.pluginrunner.v1.JobLog;
import dev.pluginrunner.v1.JobMetrics;
import dev.pluginrunner.v1.JobResult;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The texts of a message that stand for a number, turned back into it before anybody sees the message. */
final class NonFinite {
    private static final Map<String, Double> NUMBERS =
            Map.of("NaN", Double.NaN, "Infinity", Double.POSITIVE_INFINITY, "-Infinity", Double.NEGATIVE_INFINITY);

    private NonFinite() {}

    static JobEvent restore(JobEvent event) {
        return switch (event.getPayloadCase()) {
            case LOG ->
                event.getLog().getNonFiniteCount() == 0
                        ? event
                        : event.toBuilder().setLog(restore(event.getLog())).build();
            case METRICS ->
                event.getMetrics().getNonFiniteCount() == 0
                        ? event
                        : event.toBuilder()
                                .setMetrics(restore(event.getMetrics()))
                                .build();
            case ARTIFACT ->
                event.getArtifact().getNonFiniteCount() == 0
                        ? event
                        : event.toBuilder()
                                .setArtifact(restore(event.getArtifact()))
                                .build();
            case RESULT ->
                event.getResult().getNonFiniteCount() == 0
                        ? event
                        : event.toBuilder()
                                .setResult(restore(event.getResult()))
                                .build();
            case ERROR ->
                event.getError().getNonFiniteCount() == 0
                        ? event
                        : event.toBuilder().setError(restore(event.getError())).build();
            default -> event;
        };
    }

    static Job restore(Job job) {
        boolean plain = job.getNonFiniteParamsCount() == 0
                && job.getNonFiniteResultCount() == 0
                && job.getError().getNonFiniteCount() == 0
                && job.getMetricsList().stream().allMatch(metrics -> metrics.getNonFiniteCount() == 0)
                && job.getArtifactsList().stream().allMatch(artifact -> artifact.getNonFiniteCount() == 0);
        if (plain) return job;
        Job.Builder restored = job.toBuilder();
        if (job.hasParams()) restored.setParams(restore(job.getParams(), job.getNonFiniteParamsList()));
        if (job.hasResult()) restored.setResult(restore(job.getResult(), job.getNonFiniteResultList()));
        if (job.hasError()) restored.setError(restore(job.getError()));
        restored.clearNonFiniteParams().clearNonFiniteResult().clearMetrics().clearArtifacts();
        job.getMetricsList().forEach(metrics -> restored.addMetrics(restore(metrics)));
        job.getArtifactsList().forEach(artifact -> restored.addArtifacts(restore(artifact)));
        return restored.build();
    }

    static JobError restore(JobError error) {
        if (error.getNonFiniteCount() == 0) return error;
        Value partial = restore(error.getPartialResult(), error.getNonFiniteList());
        return error.toBuilder().setPartialResult(partial).clearNonFinite().build();
    }

    private static JobLog restore(JobLog log) {
        Struct fields = restore(log.getFields(), log.getNonFiniteList());
        return log.toBuilder().setFields(fields).clearNonFinite().build();
    }

    private static JobMetrics restore(JobMetrics metrics) {
        Struct values = restore(metrics.getValues(), metrics.getNonFiniteList());
        return metrics.toBuilder().setValues(values).clearNonFinite().build();
    }

    private static JobArtifact restore(JobArtifact artifact) {
        Struct metadata = restore(artifact.getMetadata(), artifact.getNonFiniteList());
        return artifact.toBuilder().setMetadata(metadata).clearNonFinite().build();
    }

    private static JobResult restore(JobResult result) {
        Value value = restore(result.getValue(), result.getNonFiniteList());
        return result.toBuilder().setValue(value).clearNonFinite().build();
    }

    static Struct restore(Struct struct, List<String> pointers) {
        return pointers.isEmpty() ? struct : restore(struct, Branch.of(pointers));
    }

    static Value restore(Value value, List<String> pointers) {
        return pointers.isEmpty() ? value : restore(value, Branch.of(pointers));
    }

    private static Struct restore(Struct struct, Branch branch) {
        Struct.Builder restored = struct.toBuilder();
        branch.inner.forEach((name, inner) -> {
            Value member = struct.getFieldsMap().get(name);
            if (member != null) restored.putFields(name, restore(member, inner));
        });
        return restored.build();
    }

    private static ListValue restore(ListValue list, Branch branch) {
        ListValue.Builder restored = list.toBuilder();
        branch.inner.forEach((name, inner) -> {
            int at = name.matches("\\d{1,9}") ? Integer.parseInt(name) : list.getValuesCount();
            if (at < list.getValuesCount()) restored.setValues(at, restore(list.getValues(at), inner));
        });
        return restored.build();
    }

    private static Value restore(Value value, Branch branch) {
        return switch (value.getKindCase()) {
            case STRUCT_VALUE ->
                Value.newBuilder()
                        .setStructValue(restore(value.getStructValue(), branch))
                        .build();
            case LIST_VALUE ->
                Value.newBuilder()
                        .setListValue(restore(value.getListValue(), branch))
                        .build();
            case STRING_VALUE ->
                branch.ends && NUMBERS.containsKey(value.getStringValue())
                        ? Value.newBuilder()
                                .setNumberValue(NUMBERS.get(value.getStringValue()))
                                .build()
                        : value;
            default -> value;
        };
    }

    /** The pointers as a tree, so that no part of a value is built twice. */
    private static final class Branch {
        private final Map<String, Branch> inner = new HashMap<>();
        private boolean ends;

        static Branch of(List<String> pointers) {
            Branch root = new Branch();
            pointers.forEach(root::add);
            return root;
        }

        private void add(String pointer) {
            Branch branch = this;
            String[] steps = pointer.split("/", -1);
            for (int at = 1; at < steps.length; at++) {
                String name = steps[at].replace("~1", "/").replace("~0", "~");
                branch = branch.inner.computeIfAbsent(name, unknown -> new Branch());
            }
            branch.ends = true;
        }
    }
}
