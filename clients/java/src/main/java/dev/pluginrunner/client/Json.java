package dev.pluginrunner.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * JSON as plain Java: {@code null}, {@link Boolean}, {@link Long} for numbers without a fraction that fit, {@link Double} for the
 * others, {@link String}, {@link List} and {@link Map}.
 *
 * <p>Given may also be any other number, text, character, enum (by its name), {@link Optional}, record (by the names of its
 * components), array or {@link Iterable}, and protobuf's own {@link Struct} and {@link Value}.
 */
public final class Json {
    /** As deep as messages of protobuf may be. */
    private static final int MAX_DEPTH = 100;

    private Json() {}

    /**
     * Turns an object into protobuf's JSON.
     *
     * @param object a map or a record, a {@link Struct}, or null for none
     * @return the same as message
     * @throws IllegalArgumentException when it is no object, or something in it is not JSON
     */
    public static Struct toStruct(Object object) {
        if (object == null) return Struct.getDefaultInstance();
        Value value = toValue(object);
        if (value.hasStructValue()) return value.getStructValue();
        throw new IllegalArgumentException(object.getClass().getName() + " is not an object of JSON.");
    }

    /**
     * Turns a value into protobuf's JSON.
     *
     * @param value of the types that this class names
     * @return the same as message
     * @throws IllegalArgumentException when something in it is not JSON
     */
    public static Value toValue(Object value) {
        return toValue(value, 0);
    }

    private static Value toValue(Object value, int depth) {
        if (depth > MAX_DEPTH) {
            throw new IllegalArgumentException(
                    "The value is nested deeper than " + MAX_DEPTH + " levels, or contains itself.");
        }
        if (value instanceof Value given) return given;
        if (value instanceof Optional<?> optional) return toValue(optional.orElse(null), depth);
        Value.Builder json = Value.newBuilder();
        if (value == null) json.setNullValue(NullValue.NULL_VALUE);
        else if (value instanceof Struct struct) json.setStructValue(struct);
        else if (value instanceof Boolean bool) json.setBoolValue(bool);
        else if (value instanceof Number number) json.setNumberValue(doubleOf(number));
        else if (value instanceof CharSequence text) json.setStringValue(text.toString());
        else if (value instanceof Character character) json.setStringValue(character.toString());
        else if (value instanceof Enum<?> constant) json.setStringValue(constant.name());
        else if (value instanceof Map<?, ?> map) json.setStructValue(structOf(map, depth + 1));
        else if (value instanceof Record object) json.setStructValue(structOf(Records.toMap(object), depth + 1));
        else if (value instanceof Path path) json.setStringValue(path.toString());
        else if (value instanceof Iterable<?> items) json.setListValue(listOf(items, depth + 1));
        else if (value.getClass().isArray()) json.setListValue(listOf(itemsOf(value), depth + 1));
        else throw new IllegalArgumentException(value.getClass().getName() + " is not JSON.");
        return json.build();
    }

    /**
     * Gives a plain value the type that is expected of it, for example a result that of a record.
     *
     * @param <T> the type
     * @param value of the types that {@link #fromValue} returns
     * @param type a record, whose components are again such types, an {@link Optional}, a {@link List} or a {@link Map} of
     *     them, or an enum; or a text, a boolean, an int, a long or a double. Names that a record lacks are passed over.
     * @return the same as that type; null stays null
     * @throws IllegalArgumentException when the value is something else
     */
    public static <T> T as(Object value, Class<T> type) {
        return type.cast(Records.as(value, type));
    }

    /**
     * Turns protobuf's JSON into plain Java.
     *
     * @param struct an object
     * @return its members in their order; the map cannot be changed
     */
    public static Map<String, Object> fromStruct(Struct struct) {
        Map<String, Object> members = new LinkedHashMap<>();
        struct.getFieldsMap().forEach((name, value) -> members.put(name, fromValue(value)));
        return Collections.unmodifiableMap(members);
    }

    /**
     * Turns protobuf's JSON into plain Java.
     *
     * @param value any value
     * @return null, a Boolean, a Long, a Double, a String, or an unmodifiable List or Map of these
     */
    public static Object fromValue(Value value) {
        return switch (value.getKindCase()) {
            case BOOL_VALUE -> value.getBoolValue();
            case NUMBER_VALUE -> numberOf(value.getNumberValue());
            case STRING_VALUE -> value.getStringValue();
            case LIST_VALUE ->
                Collections.unmodifiableList(value.getListValue().getValuesList().stream()
                        .map(Json::fromValue)
                        .collect(Collectors.toList()));
            case STRUCT_VALUE -> fromStruct(value.getStructValue());
            case NULL_VALUE, KIND_NOT_SET -> null;
        };
    }

    private static Struct structOf(Map<?, ?> map, int depth) {
        Struct.Builder struct = Struct.newBuilder();
        map.forEach((name, value) -> struct.putFields(String.valueOf(name), toValue(value, depth)));
        return struct.build();
    }

    private static ListValue listOf(Iterable<?> items, int depth) {
        ListValue.Builder list = ListValue.newBuilder();
        items.forEach(item -> list.addValues(toValue(item, depth)));
        return list.build();
    }

    private static Iterable<Object> itemsOf(Object array) {
        return IntStream.range(0, Array.getLength(array)).mapToObj(at -> Array.get(array, at))::iterator;
    }

    /** JSON carries a number as a double: one that it cannot hold is refused, not changed. */
    private static double doubleOf(Number number) {
        double value = number.doubleValue();
        boolean whole = number instanceof Long || number instanceof BigInteger;
        if (!Double.isFinite(value)
                || whole && new BigDecimal(value).compareTo(new BigDecimal(number.toString())) != 0) {
            throw new IllegalArgumentException(number + " is not a number that JSON can carry.");
        }
        return value;
    }

    private static Object numberOf(double number) {
        boolean fits = number == Math.rint(number) && Math.abs(number) < 0x1p63;
        if (fits) return (long) number;
        return number;
    }
}
