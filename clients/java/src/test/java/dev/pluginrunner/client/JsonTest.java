package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.Struct;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

    private static Object roundTrip(Object value) {
        return Json.fromValue(Json.toValue(value));
    }

    @Test
    @DisplayName("numbers without a fraction are longs where they fit")
    void numbers() {
        assertEquals(
                List.of(1L, -3L, 1.5, 2L, 1L << 53, 1e300),
                roundTrip(List.of(1, -3L, 1.5f, 2.0, BigInteger.ONE.shiftLeft(53), new BigDecimal("1e300"))));
    }

    @Test
    @DisplayName("what JSON cannot carry is refused, not changed")
    void refused() {
        for (Object value :
                List.of((1L << 53) + 1, Long.MAX_VALUE, Double.NaN, Float.POSITIVE_INFINITY, Duration.ZERO)) {
            assertThrows(IllegalArgumentException.class, () -> Json.toValue(List.of(value)));
        }
        assertThrows(IllegalArgumentException.class, () -> Json.toStruct("text"));
        List<Object> endless = new ArrayList<>();
        endless.add(endless);
        assertThrows(IllegalArgumentException.class, () -> Json.toValue(endless));
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
