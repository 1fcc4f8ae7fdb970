package dev.pluginrunner.client;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * JSON as plain Java: {@code null}, {@link Boolean}, {@link Long} for integers within ±(2<sup>53</sup> − 1), {@link Double} for
 * all other numbers, {@link String}, {@link List} and {@link Map}. A Double may also be not a number, infinite, or minus zero.
 *
 * <p>Given may also be any other number, text, character, enum (by its name), time, date or {@link java.time.Duration} (as ISO
 * 8601), {@link java.util.UUID}, {@link java.net.URI}, {@link java.nio.file.Path}, bytes (as base64), {@link Optional}, record (by
 * the names of its components), bean (by its public getters), array or {@link Iterable}, and protobuf's own {@link Struct} and
 * {@link Value}. Keys of maps may be all of these that are a text, a number or a boolean. What cannot arrive exactly is refused
 * with its place, for example an integer beyond ±(2<sup>53</sup> − 1), or two keys that become one.
 */
public final class Json {
    private Json() {}

    /**
     * Turns an object into protobuf's JSON.
     *
     * @param object a map, a record, a bean or a {@link Struct}, or null for none
     * @return the same as message; a number that JSON has no word for stays a number
     * @throws ValidationException when it is no object, or something in it is not JSON
     */
    public static Struct toStruct(Object object) {
        if (object == null) return Struct.getDefaultInstance();
        Value value = toValue(object);
        if (value.hasStructValue()) return value.getStructValue();
        throw Failure.request("", object.getClass().getName() + " is no object of JSON");
    }

    /**
     * Turns a value into protobuf's JSON.
     *
     * @param value of the types that this class names
     * @return the same as message; a number that JSON has no word for stays a number
     * @throws ValidationException when something in it is not JSON
     */
    public static Value toValue(Object value) {
        return Encoder.value(value);
    }

    /**
     * Gives a plain value the type that is expected of it, for example a result that of a record.
     *
     * @param <T> the type
     * @param value of the types that {@link #fromValue} returns
     * @param type a record, whose components are again such types, an {@link Optional}, a {@link List} or a {@link Map} of
     *     them, or an enum; or a text, a boolean, an int, a long, a float or a double; or a time, a date, a {@link
     *     java.time.Duration}, a {@link java.util.UUID}, a {@link java.net.URI}, a {@link java.nio.file.Path} or bytes. Names that a
     *     record lacks are passed over.
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

    /** A Long only where every reader of JSON has the same integer. */
    private static Object numberOf(double number) {
        boolean minusZero = number == 0 && 1 / number < 0;
        boolean safe = number == Math.rint(number) && Math.abs(number) <= Encoder.MAX_SAFE_INTEGER && !minusZero;
        if (safe) return (long) number;
        return number;
    }
}
