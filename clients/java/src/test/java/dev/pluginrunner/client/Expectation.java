package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.function.ThrowingSupplier;

/** What has to hold after a case. */
record Expectation(Case fields) {
    private static final Map<String, Class<? extends PluginRunnerException>> CLASSES = Map.of(
            "ActionNotFoundError", ActionNotFoundException.class,
            "ValidationError", ValidationException.class,
            "ExecutionError", PluginExecutionException.class);

    boolean isError() {
        return fields.has("error");
    }

    /** What was done ends with the expected result or error. */
    void settles(ThrowingSupplier<?> done) {
        if (isError()) {
            error(assertThrows(PluginRunnerException.class, done::get), fields.object("error"));
            return;
        }
        Object result;
        try {
            result = done.get();
        } catch (Throwable error) {
            throw new AssertionError(error);
        }
        if (fields.has("contains")) {
            assertTrue(JsonMatch.holds(result, fields.get("contains")), () -> result + " is not as expected");
        } else {
            assertEquals(fields.get("result"), result);
        }
    }

    void state(Job job) {
        assertEquals("JOB_STATE_" + fields.text("state"), job.getState().name());
    }

    void verdict(Validation verdict) {
        assertEquals(fields.get("valid"), verdict.valid());
        if (fields.has("params")) assertEquals(fields.get("params"), verdict.params());
        violations(verdict.violations(), fields.list("violations"));
    }

    void firstSequence(List<JobUpdate> updates) {
        List<Long> sequences = updates.stream()
                .filter(JobUpdate.Event.class::isInstance)
                .map(update -> ((JobUpdate.Event) update).event().getSequence())
                .toList();
        assertEquals(fields.number("first_sequence"), sequences.get(0));
    }

    /** Every event once, in order; the last one, and only it, is a result or an error. */
    static void order(List<JobEvent> events) {
        assertEquals(
                LongStream.rangeClosed(1, events.size()).boxed().toList(),
                events.stream().map(JobEvent::getSequence).toList());
        assertEquals(
                List.of((long) events.size()),
                events.stream()
                        .filter(event -> event.hasResult() || event.hasError())
                        .map(JobEvent::getSequence)
                        .toList());
    }

    void events(List<JobEvent> events) {
        List<Map<String, Object>> found =
                events.stream().map(Expectation::asJson).toList();
        int from = 0;
        for (Object expected : fields.list("events")) {
            int at = from;
            while (at < found.size() && !JsonMatch.holds(found.get(at), withText(expected))) at++;
            assertTrue(at < found.size(), () -> expected + " is not among " + found);
            from = at + 1;
        }
        List<Map<String, String>> lines = events.stream()
                .filter(JobEvent::hasLog)
                .map(JobEvent::getLog)
                .map(log -> Map.of(
                        "source", log.getSource().name().replace("LOG_SOURCE_", ""),
                        "level", log.getLevel(),
                        "message", log.getMessage()))
                .toList();
        for (Object expected : fields.list("logs")) {
            assertTrue(
                    lines.stream().anyMatch(line -> JsonMatch.holds(line, expected)),
                    () -> expected + " is not among " + lines);
        }
    }

    private static void error(PluginRunnerException error, Case expected) {
        assertEquals(CLASSES.get(expected.text("class")), error.getClass());
        assertEquals(expected.text("reason"), error.reason());
        assertEquals(expected.text("code"), error.code().name());
        assertFalse(error.metadata().containsKey("exception_type"));
        contains(error.getMessage(), expected.text("message"));
        contains(error.exceptionType(), expected.text("exception_type"));
        contains(error.pluginStack(), expected.text("stack"));
        assertTrue(
                JsonMatch.holds(error.metadata(), expected.object("metadata").fields()),
                () -> error.metadata() + " is not as expected");
        if (expected.has("violations")) {
            assertEquals(expected.list("violations").size(), error.violations().size());
            violations(error.violations(), expected.list("violations"));
        }
        Duration retryAfter = expected.get("retry_after") instanceof Number seconds
                ? Duration.ofMillis(Math.round(seconds.doubleValue() * 1000))
                : null;
        assertEquals(retryAfter, error.retryAfter().orElse(null));
    }

    private static void violations(List<Violation> actual, List<?> expected) {
        for (int at = 0; at < expected.size(); at++) {
            Violation one = actual.get(at);
            Map<String, String> found =
                    Map.of("field", one.field(), "description", one.description(), "rule", one.rule());
            assertTrue(JsonMatch.holds(found, expected.get(at)), () -> found + " is not as expected");
        }
    }

    private static void contains(String text, String part) {
        assertTrue(text.contains(part), () -> text + " has no " + part);
    }

    private static Map<String, Object> asJson(JobEvent event) {
        try {
            // The library prints no numbers that JSON has no word for.
            if (event.hasMetrics()) {
                return Map.of(
                        "metrics",
                        Map.of(
                                "step", event.getMetrics().getStep(),
                                "values", Json.fromStruct(event.getMetrics().getValues())));
            }
            Struct.Builder json = Struct.newBuilder();
            String text = JsonFormat.printer().preservingProtoFieldNames().print(event);
            JsonFormat.parser().merge(text, json);
            return Json.fromStruct(json.build());
        } catch (InvalidProtocolBufferException error) {
            throw new AssertionError(error);
        }
    }

    /** 64-bit integers are texts in protobuf's JSON. */
    private static Object withText(Object expected) {
        if (!(expected instanceof Map<?, ?> members)) return expected;
        return members.entrySet().stream()
                .collect(Collectors.toMap(
                        Map.Entry::getKey,
                        member -> member.getKey().equals("size_bytes")
                                ? member.getValue().toString()
                                : withText(member.getValue()),
                        (first, second) -> first,
                        LinkedHashMap::new));
    }
}
