package dev.pluginrunner.client;

import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** One of the cases that every client passes, or an object in it: test/clients/README.md says what its fields mean. */
record Case(Map<?, ?> fields) {
    /** Writes out texts that are repeated. */
    static Object expand(Object value) {
        if (value instanceof List<?> items)
            return items.stream().map(Case::expand).collect(Collectors.toList());
        if (!(value instanceof Map<?, ?> members)) return value;
        if (members.get("$repeat") instanceof String text && members.get("times") instanceof Long times) {
            return text.repeat(times.intValue());
        }
        Map<Object, Object> expanded = new LinkedHashMap<>();
        members.forEach((name, member) -> expanded.put(name, expand(member)));
        return expanded;
    }

    boolean has(String name) {
        return fields.containsKey(name);
    }

    Object get(String name) {
        return fields.get(name);
    }

    String text(String name) {
        return has(name) ? (String) get(name) : "";
    }

    long number(String name) {
        return has(name) ? (Long) get(name) : 0;
    }

    List<?> list(String name) {
        return has(name) ? (List<?>) get(name) : List.of();
    }

    Case object(String name) {
        return new Case(has(name) ? (Map<?, ?>) get(name) : Map.of());
    }

    /** The options of a request. */
    ActionOptions.Builder options() {
        ActionOptions.Builder options = ActionOptions.builder()
                .mode(text("mode").equals("task") ? Mode.TASK : Mode.LOCAL)
                .entrypoint(text("entrypoint"))
                .env(texts("env"))
                .jobId(text("job_id"))
                .labels(texts("labels"));
        if (get("timeout") instanceof Number seconds) {
            options.timeout(Duration.ofMillis(Math.round(seconds.doubleValue() * 1000)));
        }
        return options;
    }

    private Map<String, String> texts(String name) {
        Map<String, String> texts = new HashMap<>();
        object(name).fields().forEach((key, value) -> texts.put((String) key, (String) value));
        return texts;
    }
}
