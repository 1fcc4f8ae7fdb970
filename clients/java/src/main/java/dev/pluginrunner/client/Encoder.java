package dev.pluginrunner.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAccumulator;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.IntStream;

/** Turns plain Java into protobuf's JSON: exactly, or not at all and with the place of what cannot be. */
final class Encoder {
    /** The largest integer that every reader of JSON holds exactly; its negative is the smallest. */
    static final long MAX_SAFE_INTEGER = (1L << 53) - 1;

    /** How many messages may lie in each other, so that every decoder takes them as an event's: it stops at 100. */
    static final int MAX_MESSAGES = 95;

    static final int MESSAGES_OF_OBJECT = 3;
    static final int MESSAGES_OF_LIST = 2;

    static final String NO_UNICODE = "has half of a surrogate pair in its text, which is no Unicode";

    private final Place place;
    private final boolean words;
    private final List<String> nonFinite = new ArrayList<>();

    private Encoder(String root, boolean words) {
        place = new Place(root);
        this.words = words;
    }

    /** Params, and the pointers to the texts in them that stand for a number. */
    record Params(Struct fields, List<String> nonFinite) {}

    /** The params of a request. */
    static Params params(Object params) {
        if (params == null) return new Params(Struct.getDefaultInstance(), List.of());
        Encoder encoder = new Encoder("/params", true);
        Value value = encoder.encode(params, 0);
        if (!value.hasStructValue()) throw encoder.refused("is no object: give a map, a record or a bean");
        return new Params(value.getStructValue(), encoder.nonFinite);
    }

    /** A value whose numbers are all numbers. */
    static Value value(Object value) {
        return new Encoder("", false).encode(value, 0);
    }

    /** {@code spent} counts the messages around the value. */
    private Value encode(Object value, int spent) {
        if (value == null)
            return Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();
        if (value instanceof CharSequence text) return text(text.toString());
        if (value instanceof Boolean bool)
            return Value.newBuilder().setBoolValue(bool).build();
        if (value instanceof Number number) return number(numberOf(number));
        if (value instanceof Map<?, ?> map) return object(map, spent);
        Optional<String> plain = Texts.of(value);
        if (plain.isPresent()) return text(plain.get());
        if (value instanceof Iterable<?> items) return list(items, spent);
        if (value.getClass().isArray()) return list(itemsOf(value), spent);
        if (value instanceof Value given) return encode(given, spent);
        if (value instanceof Struct given) return object(given.getFieldsMap(), spent);
        if (value instanceof ListValue given) return list(given.getValuesList(), spent);
        if (value instanceof Optional<?> optional) return encode(optional.orElse(null), spent);
        if (value instanceof OptionalInt optional)
            return encode(optional.isPresent() ? optional.getAsInt() : null, spent);
        if (value instanceof OptionalLong optional)
            return encode(optional.isPresent() ? optional.getAsLong() : null, spent);
        if (value instanceof OptionalDouble optional)
            return encode(optional.isPresent() ? optional.getAsDouble() : null, spent);
        return object(propertiesOf(value), spent);
    }

    private Value encode(Value given, int spent) {
        return switch (given.getKindCase()) {
            case STRING_VALUE -> text(given.getStringValue());
            case NUMBER_VALUE -> number(given.getNumberValue());
            case STRUCT_VALUE -> object(given.getStructValue().getFieldsMap(), spent);
            case LIST_VALUE -> list(given.getListValue().getValuesList(), spent);
            default -> given;
        };
    }

    private Value object(Map<?, ?> members, int spent) {
        int inside = spend(spent, MESSAGES_OF_OBJECT);
        Struct.Builder struct = Struct.newBuilder();
        members.forEach((key, member) -> {
            String name = nameOf(key);
            place.enter(name);
            checkText(name);
            if (struct.containsFields(name)) throw refused("has a name that another key of the map has as well");
            struct.putFields(name, encode(member, inside));
            place.leave();
        });
        return Value.newBuilder().setStructValue(struct).build();
    }

    private Value list(Iterable<?> items, int spent) {
        int inside = spend(spent, MESSAGES_OF_LIST);
        ListValue.Builder list = ListValue.newBuilder();
        int at = 0;
        for (Object item : items) {
            place.enter(at++);
            list.addValues(encode(item, inside));
            place.leave();
        }
        return Value.newBuilder().setListValue(list).build();
    }

    private Value text(String text) {
        checkText(text);
        return Value.newBuilder().setStringValue(text).build();
    }

    private Value number(double number) {
        if (!words || Double.isFinite(number))
            return Value.newBuilder().setNumberValue(number).build();
        nonFinite.add(place.pointer());
        return Value.newBuilder().setStringValue(Double.toString(number)).build();
    }

    private int spend(int spent, int messages) {
        if (spent + messages <= MAX_MESSAGES) return spent + messages;
        throw refused("is nested deeper than 95 messages, of which an object counts 3 and a list 2,"
                + " or it contains itself");
    }

    private void checkText(String text) {
        if (!isUnicode(text)) throw refused(NO_UNICODE);
    }

    /** Half a surrogate pair would become another character on the way. */
    static boolean isUnicode(String text) {
        for (int at = 0; at < text.length(); at++) {
            char unit = text.charAt(at);
            if (!Character.isSurrogate(unit)) continue;
            boolean pair = Character.isHighSurrogate(unit)
                    && at + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(at + 1));
            if (!pair) return false;
            at++;
        }
        return true;
    }

    private String nameOf(Object key) {
        if (key instanceof CharSequence || key instanceof Boolean || key instanceof Number) return key.toString();
        return Texts.of(key).orElseThrow(() -> {
            String what = key == null ? "null" : key.getClass().getName();
            return refused("has a key that is " + what + ": give a text, a number or what has one plain text");
        });
    }

    private double numberOf(Number number) {
        if (number instanceof Double || number instanceof Float) return number.doubleValue();
        if (number instanceof Byte || number instanceof Short || number instanceof Integer) return number.doubleValue();
        if (number instanceof Long || number instanceof AtomicInteger || number instanceof AtomicLong)
            return whole(number.longValue());
        if (number instanceof LongAdder || number instanceof LongAccumulator) return whole(number.longValue());
        if (number instanceof BigInteger big) return whole(big);
        if (number instanceof BigDecimal decimal) return decimal(decimal);
        return number.doubleValue();
    }

    private double whole(long number) {
        if (Math.abs(number) <= MAX_SAFE_INTEGER && number != Long.MIN_VALUE) return number;
        throw refused(inexact(Long.toString(number)));
    }

    private double whole(BigInteger number) {
        if (number.bitLength() <= 53) return whole(number.longValueExact());
        throw refused(inexact(number.toString()));
    }

    /** A decimal fraction is as exact as its shortest double. */
    private double decimal(BigDecimal number) {
        if (number.scale() == 0) return whole(number.unscaledValue());
        double nearest = number.doubleValue();
        if (Double.isFinite(nearest) && new BigDecimal(Double.toString(nearest)).compareTo(number) == 0) return nearest;
        throw refused("is the number " + number + ", which has more digits than numbers of JSON:"
                + " send a double, or a text");
    }

    private static String inexact(String number) {
        return "is the integer " + number + "; those beyond ±(2^53 - 1) are not exact in JSON: send it as a text";
    }

    private Map<String, Object> propertiesOf(Object value) {
        try {
            if (value instanceof Record object) return Records.toMap(object);
            return Beans.toMap(value)
                    .orElseThrow(() -> refused("is of " + value.getClass().getName()
                            + ", which is no JSON: give a map, a record, or a bean with public getters"));
        } catch (IllegalArgumentException unreadable) {
            throw refused("cannot be read: " + unreadable.getMessage());
        }
    }

    private static Iterable<Object> itemsOf(Object array) {
        return IntStream.range(0, Array.getLength(array)).mapToObj(at -> Array.get(array, at))::iterator;
    }

    private PluginRunnerException refused(String description) {
        return Failure.request(place.fullPointer(), description);
    }
}
