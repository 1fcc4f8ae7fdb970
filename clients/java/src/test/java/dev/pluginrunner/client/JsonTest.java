package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("JSON as plain Java")
class JsonTest {
    private enum Optimizer {
        SGD
    }

    private record Layer(int units, List<Double> weights) {}

    private record Model(
            String name,
            Optional<Long> seed,
            Optimizer optimizer,
            Map<String, Layer> layers,
            Object rest,
            boolean ready) {}

    private record Natives(
            Instant instant,
            OffsetDateTime offset,
            LocalDate date,
            Duration span,
            UUID id,
            Path path,
            byte[] bytes,
            float rate) {}

    /** What only looks like a getter is none. */
    private static final class Bean {
        public int getBatchSize() {
            return 8;
        }

        public String getURL() {
            return "x";
        }

        public boolean isShuffled() {
            return true;
        }

        public String getter(String name) {
            return name;
        }

        public void get() {}
    }

    private static final class Broken {
        public int getNumber() {
            throw new IllegalStateException("broken");
        }
    }

    private static Object roundTrip(Object value) {
        return Json.fromValue(Json.toValue(value));
    }

    /** Where a value is refused, when it stands in params. */
    private static String refusedAt(Object value) {
        ValidationException error =
                assertThrows(ValidationException.class, () -> Encoder.params(Collections.singletonMap("x", value)));
        assertEquals("REQUEST_INVALID", error.reason());
        assertTrue(error.getMessage().contains(error.violations().get(0).field()), error.getMessage());
        return error.violations().get(0).field();
    }

    @Test
    @DisplayName("integers that every reader of JSON holds are longs, all other numbers doubles")
    void numbers() {
        assertEquals(
                List.of(1L, -3L, 1.5, 2L, 7L, 0x1p53, 1e300, -0.0, 0.1),
                roundTrip(List.of(
                        1,
                        -3L,
                        1.5f,
                        2.0,
                        new AtomicLong(7),
                        0x1p53,
                        new BigDecimal("1e300"),
                        -0.0,
                        new BigDecimal("0.1"))));
    }

    @Test
    @DisplayName("numbers without JSON stay numbers, and go as texts that are listed")
    void nonFinite() {
        Object params = Map.of("x", Arrays.asList(Double.NaN, "NaN", Float.NEGATIVE_INFINITY));
        assertEquals(params.toString(), roundTrip(params).toString());
        Encoder.Params sent = Encoder.params(params);
        assertEquals(List.of("/x/0", "/x/2"), sent.nonFinite());
        assertEquals(
                List.of("NaN", "NaN", "-Infinity"),
                Json.fromStruct(sent.fields()).get("x"));
        assertEquals(
                params.toString(),
                Json.fromStruct(NonFinite.restore(sent.fields(), sent.nonFinite()))
                        .toString());
        Value raw = Value.newBuilder().setNumberValue(Double.POSITIVE_INFINITY).build();
        assertEquals(List.of("/a~1b"), Encoder.params(Map.of("a/b", raw)).nonFinite());
    }

    @Test
    @DisplayName("only the texts that are listed become numbers again")
    void restored() {
        Value value = Json.toValue(List.of("NaN", "Infinity", Map.of("a/b~c", "-Infinity")));
        Object restored = Json.fromValue(NonFinite.restore(value, List.of("/1", "/2/a~1b~0c", "/7", "/0/x")));
        assertEquals(List.of("NaN", Double.POSITIVE_INFINITY, Map.of("a/b~c", Double.NEGATIVE_INFINITY)), restored);
        assertEquals(Double.NaN, Json.fromValue(NonFinite.restore(Json.toValue("NaN"), List.of(""))));
    }

    @Test
    @DisplayName("what JSON cannot carry is refused with its place, not changed")
    void refused() {
        for (Object value : List.of(
                1L << 53,
                Long.MIN_VALUE,
                BigInteger.ONE.shiftLeft(53).negate(),
                new BigDecimal("9007199254740993"),
                new BigDecimal("3.14159265358979323846"),
                "a\ud800",
                '\udc00',
                new Object(),
                new IllegalStateException())) {
            assertEquals("/params/x/1", refusedAt(Arrays.asList(null, value)), () -> value + " is taken");
        }
        assertThrows(ValidationException.class, () -> Json.toStruct("text"));
        assertThrows(ValidationException.class, () -> Encoder.params(List.of()));
        List<Object> endless = new ArrayList<>();
        endless.add(endless);
        assertEquals("/params/x" + "/0".repeat(46), refusedAt(endless));
    }

    @Test
    @DisplayName("nesting is refused where decoders would stop")
    void nesting() {
        Object objects = 1;
        for (int level = 0; level < 30; level++) objects = Map.of("a", objects);
        Encoder.params(Map.of("x", objects));
        assertEquals("/params/x" + "/a".repeat(30), refusedAt(Map.of("a", objects)));
    }

    @Test
    @DisplayName("nesting has the limits of the contract")
    void limits() {
        Map<?, ?> limits = (Map<?, ?>) Targets.readJson(Path.of("../../contract/limits.json"));
        assertEquals((long) Encoder.MAX_MESSAGES, limits.get("message_levels"));
        assertEquals((long) Encoder.MESSAGES_OF_OBJECT, limits.get("object_levels"));
        assertEquals((long) Encoder.MESSAGES_OF_LIST, limits.get("list_levels"));
    }

    @Test
    @DisplayName("keys have the text of their value, and two of one text are refused")
    void keys() {
        UUID id = UUID.randomUUID();
        Map<Object, Object> keys = new LinkedHashMap<>();
        keys.put(1, "a");
        keys.put(true, "b");
        keys.put(Optimizer.SGD, "c");
        keys.put(id, "d");
        keys.put(LocalDate.of(2024, 2, 29), "e");
        assertEquals(Map.of("1", "a", "true", "b", "SGD", "c", id.toString(), "d", "2024-02-29", "e"), roundTrip(keys));
        keys.put("1", "f");
        assertEquals("/params/x/1", refusedAt(keys));
        assertEquals("/params/x", refusedAt(Collections.singletonMap(null, 1)));
        assertEquals("/params/x", refusedAt(Map.of(List.of(), 1)));
    }

    @Test
    @DisplayName("times, ids and bytes have their plain text, and records take them back")
    void texts() {
        Instant instant = Instant.parse("2024-02-29T12:30:00Z");
        OffsetDateTime offset = OffsetDateTime.parse("2024-02-29T12:30:00+02:00");
        Natives natives = new Natives(
                instant,
                offset,
                LocalDate.of(2024, 2, 29),
                Duration.ofMillis(1500),
                UUID.fromString("00000000-0000-0000-0000-000000000001"),
                Path.of("/tmp/x"),
                new byte[] {1, 2},
                0.5f);
        Object plain = roundTrip(natives);
        assertEquals(
                Map.of(
                        "instant", "2024-02-29T12:30:00Z",
                        "offset", "2024-02-29T12:30:00+02:00",
                        "date", "2024-02-29",
                        "span", "PT1.5S",
                        "id", "00000000-0000-0000-0000-000000000001",
                        "path", "/tmp/x",
                        "bytes", "AQI=",
                        "rate", 0.5),
                plain);
        Natives back = Json.as(plain, Natives.class);
        assertEquals(List.of(natives.instant(), natives.offset()), List.of(back.instant(), back.offset()));
        assertEquals(List.of(natives.span(), natives.id()), List.of(back.span(), back.id()));
        assertArrayEquals(natives.bytes(), back.bytes());
        assertEquals(
                List.of("2024-02-29T12:30:00Z", "2024-02-29T12:30:00", "12:30:00", "AQI="),
                roundTrip(List.of(
                        Date.from(instant),
                        LocalDateTime.of(2024, 2, 29, 12, 30),
                        LocalTime.of(12, 30),
                        ByteBuffer.wrap(new byte[] {1, 2}))));
    }

    @Test
    @DisplayName("a bean is an object of its public getters")
    void beans() {
        assertEquals(Map.of("batchSize", 8L, "URL", "x", "shuffled", true), roundTrip(new Bean()));
        ValidationException error =
                assertThrows(ValidationException.class, () -> Encoder.params(Map.of("x", List.of(new Broken()))));
        assertEquals("/params/x/0", error.violations().get(0).field());
        assertTrue(error.getMessage().contains("getNumber() threw"), error.getMessage());
    }

    @Test
    @DisplayName("arrays, characters, enums and messages are values as well")
    void others() {
        Object[] values = {
            'ü',
            Path.of("/data/a"),
            Optimizer.SGD,
            Optional.empty(),
            Struct.getDefaultInstance(),
            Json.toValue(1),
            new int[] {1, 2},
            null
        };
        assertEquals(
                Arrays.asList("ü", "/data/a", "SGD", null, Map.of(), 1L, List.of(1L, 2L), null), roundTrip(values));
    }

    @Test
    @DisplayName("a record is an object, and an object a record")
    void records() {
        Layer layer = new Layer(16, List.of(0.5, 2.0));
        Model model = new Model("m", Optional.of(7L), Optimizer.SGD, Map.of("first", layer), 1L, true);
        Object plain = roundTrip(model);
        assertEquals(
                Map.of(
                        "name",
                        "m",
                        "seed",
                        7L,
                        "optimizer",
                        "SGD",
                        "layers",
                        Map.of("first", Map.of("units", 16L, "weights", List.of(0.5, 2L))),
                        "rest",
                        1L,
                        "ready",
                        true),
                plain);
        assertEquals(model, Json.as(plain, Model.class));
    }

    @Test
    @DisplayName("names that a record lacks are passed over, and those that the object lacks are null")
    void lenient() {
        assertEquals(new Layer(1, null), Json.as(Map.of("units", 1L, "further", "x"), Layer.class));
        assertNull(Json.as(null, Layer.class));
    }

    @Test
    @DisplayName("a value of another type is refused")
    void otherType() {
        for (Object units : List.of("1", 1.5, 1L << 40)) {
            assertThrows(IllegalArgumentException.class, () -> Json.as(Map.of("units", units), Layer.class));
        }
        assertThrows(IllegalArgumentException.class, () -> Json.as(Map.of(), Layer.class));
        assertThrows(IllegalArgumentException.class, () -> Json.as("ADAM", Optimizer.class));
    }
}
