package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The rows of contract/values.json. */
class ValuesTest {
    private static final Targets targets = Targets.read();
    private static final PluginRunnerClient plain = targets.connect("plain");
    private static final PluginRunnerClient down = targets.connect("down");

    @AfterAll
    static void close() {
        plain.close();
        down.close();
    }

    @TestFactory
    Stream<DynamicTest> echoed() {
        return rows("echoed")
                .map(row -> DynamicTest.dynamicTest(row.text("name") + " comes back", () -> {
                    Object value = valueOf(row.get("value"));
                    for (String plugin : List.of("python-values", "javascript-values")) {
                        Object result = plain.run(plugin, "echo", Collections.singletonMap("value", value));
                        assertEquals(value, result, plugin);
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> refused() {
        return rows("refused")
                .map(row -> DynamicTest.dynamicTest(row.text("name") + " is refused", () -> {
                    Map<String, Object> params = Collections.singletonMap("value", valueOf(row.get("value")));
                    ValidationException error =
                            assertThrows(ValidationException.class, () -> down.run("any", "any", params));
                    assertEquals(row.get("reason"), error.reason());
                    String field = error.violations().get(0).field();
                    if (row.has("field")) assertEquals(row.get("field"), field);
                    assertTrue(field.startsWith("/params/value"), field);
                }));
    }

    private static Stream<Case> rows(String list) {
        try {
            Struct.Builder contract = Struct.newBuilder();
            JsonFormat.parser().merge(Files.readString(Path.of(targets.get("values"))), contract);
            Value rows = contract.getFieldsOrThrow(list);
            return ((List<?>) Json.fromValue(rows)).stream().map(row -> new Case((Map<?, ?>) row));
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    /** A value of the contract with its marks written out: test/clients/README.md says which there are. */
    private static Object valueOf(Object given) {
        if (given instanceof List<?> items)
            return items.stream().map(ValuesTest::valueOf).collect(Collectors.toList());
        if (!(given instanceof Map<?, ?> members)) return given;
        if (members.get("$number") instanceof String number) return numberOf(number);
        if (members.get("$utf16") instanceof List<?> units) {
            return units.stream()
                    .map(unit -> Character.toString((char) Integer.parseInt((String) unit, 16)))
                    .collect(Collectors.joining());
        }
        if (members.get("$nest") instanceof String kind) {
            Object nested = 1L;
            for (long level = 0; level < (Long) members.get("levels"); level++) {
                nested = kind.equals("object") ? Map.of("a", nested) : List.of(nested);
            }
            return nested;
        }
        Map<Object, Object> values = new LinkedHashMap<>();
        members.forEach((name, member) -> values.put(name, valueOf(member)));
        return values;
    }

    private static Object numberOf(String number) {
        return switch (number) {
            case "NaN" -> Double.NaN;
            case "Infinity" -> Double.POSITIVE_INFINITY;
            case "-Infinity" -> Double.NEGATIVE_INFINITY;
            case "-0" -> -0.0;
            default -> {
                BigInteger whole = new BigInteger(number);
                yield whole.bitLength() < Long.SIZE ? (Object) whole.longValueExact() : whole;
            }
        };
    }
}
