package dev.pluginrunner.client;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Records and what they hold, from and to the plain values of JSON. */
final class Records {
    /** What a number becomes. */
    private static final Map<Class<?>, Function<Number, Object>> NUMBERS = Map.of(
            int.class, Records::intOf,
            Integer.class, Records::intOf,
            long.class, Records::wholeOf,
            Long.class, Records::wholeOf,
            double.class, Number::doubleValue,
            Double.class, Number::doubleValue,
            float.class, Number::floatValue,
            Float.class, Number::floatValue,
            Number.class, number -> number);

    private Records() {}

    /** The components of a record by name. */
    static Map<String, Object> toMap(Record object) {
        Map<String, Object> components = new LinkedHashMap<>();
        for (RecordComponent component : object.getClass().getRecordComponents()) {
            try {
                component.getAccessor().setAccessible(true);
                components.put(component.getName(), component.getAccessor().invoke(object));
            } catch (ReflectiveOperationException error) {
                throw new IllegalArgumentException(component + " cannot be read.", error);
            }
        }
        return components;
    }

    /** The value as the type that a component declares. */
    static Object as(Object value, Type type) {
        if (type instanceof ParameterizedType generic) return asGeneric(value, generic);
        if (!(type instanceof Class<?> wanted)) throw new IllegalArgumentException(type + " is not known here.");
        if (value == null && !wanted.isPrimitive()) return wanted == Optional.class ? Optional.empty() : null;
        if (value instanceof Number number && NUMBERS.containsKey(wanted))
            return NUMBERS.get(wanted).apply(number);
        if (value instanceof Boolean && wanted == boolean.class) return value;
        if (value instanceof Map<?, ?> members && wanted.isRecord()) return newRecord(members, wanted);
        if (value instanceof String name && wanted.isEnum()) return constant(name, wanted);
        if (wanted.isInstance(value)) return value;
        if (value instanceof String text) {
            return Texts.parse(text, wanted).orElseThrow(() -> new IllegalArgumentException(text + noSuch(wanted)));
        }
        throw new IllegalArgumentException(value + noSuch(wanted));
    }

    private static String noSuch(Class<?> wanted) {
        return " is no " + wanted.getSimpleName() + ".";
    }

    private static Object asGeneric(Object value, ParameterizedType type) {
        Type[] arguments = type.getActualTypeArguments();
        Type last = arguments[arguments.length - 1];
        if (type.getRawType() == Optional.class) return Optional.ofNullable(as(value, last));
        if (value instanceof List<?> items && isOneOf(type, List.class, Collection.class, Iterable.class)) {
            return Collections.unmodifiableList(
                    items.stream().map(item -> as(item, last)).collect(Collectors.toList()));
        }
        if (value instanceof Map<?, ?> members && isOneOf(type, Map.class)) {
            Map<Object, Object> map = new LinkedHashMap<>();
            members.forEach((name, member) -> map.put(name, as(member, last)));
            return Collections.unmodifiableMap(map);
        }
        return as(value, type.getRawType());
    }

    private static boolean isOneOf(ParameterizedType type, Class<?>... raw) {
        return Arrays.asList(raw).contains(type.getRawType());
    }

    private static Object newRecord(Map<?, ?> members, Class<?> type) {
        RecordComponent[] components = type.getRecordComponents();
        Object[] values = new Object[components.length];
        for (int at = 0; at < components.length; at++) {
            values[at] = as(members.get(components[at].getName()), components[at].getGenericType());
        }
        Class<?>[] types =
                Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
        try {
            Constructor<?> constructor = type.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values);
        } catch (InvocationTargetException error) {
            throw new IllegalArgumentException(type.getSimpleName() + " refuses " + members, error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException(type.getSimpleName() + " cannot be made.", error);
        }
    }

    private static Object constant(String name, Class<?> type) {
        return Arrays.stream(type.getEnumConstants())
                .filter(constant -> ((Enum<?>) constant).name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(name + " is no " + type.getSimpleName() + "."));
    }

    private static int intOf(Number number) {
        long whole = wholeOf(number);
        if (whole == (int) whole) return (int) whole;
        throw new IllegalArgumentException(number + " does not fit into an int.");
    }

    private static long wholeOf(Number number) {
        if (number instanceof Long whole) return whole;
        throw new IllegalArgumentException(number + " is not a whole number.");
    }
}
