package dev.pluginrunner.client;

import com.google.protobuf.MessageOrBuilder;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Objects with public getters, as maps of their properties. */
final class Beans {
    private Beans() {}

    /** The properties of an object by name; empty when it is no bean. */
    static Optional<Map<String, Object>> toMap(Object bean) {
        if (!mayBeBean(bean)) return Optional.empty();
        Map<String, Object> properties = new TreeMap<>();
        for (Method method : bean.getClass().getMethods()) {
            String name = propertyOf(method);
            if (!name.isEmpty()) properties.put(name, read(method, bean));
        }
        return properties.isEmpty() ? Optional.empty() : Optional.of(properties);
    }

    /** What comes with Java and with protobuf has getters that say nothing of a value. */
    private static boolean mayBeBean(Object object) {
        boolean fromJava = object.getClass().getModule().getDescriptor() != null
                && object.getClass().getModule().getName().matches("(java|jdk)\\..*");
        return !fromJava
                && !(object instanceof MessageOrBuilder)
                && !(object instanceof Throwable)
                && !(object instanceof Class);
    }

    /** The property that a getter has; empty when the method is none. */
    private static String propertyOf(Method method) {
        boolean reads = method.getParameterCount() == 0
                && method.getReturnType() != void.class
                && method.getDeclaringClass() != Object.class
                && !Modifier.isStatic(method.getModifiers())
                && !method.isBridge();
        if (!reads) return "";
        String name = method.getName();
        if (name.startsWith("get")) return decapitalized(name.substring(3));
        boolean truth = method.getReturnType() == boolean.class || method.getReturnType() == Boolean.class;
        return truth && name.startsWith("is") ? decapitalized(name.substring(2)) : "";
    }

    /** As beans are named: {@code URL} stays, {@code BatchSize} is {@code batchSize}. */
    private static String decapitalized(String name) {
        if (name.isEmpty() || Character.isLowerCase(name.charAt(0))) return "";
        boolean acronym =
                name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1));
        return acronym ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    private static Object read(Method getter, Object bean) {
        try {
            getter.setAccessible(true);
            return getter.invoke(bean);
        } catch (InvocationTargetException failed) {
            throw new IllegalArgumentException(getter.getName() + "() threw " + failed.getCause(), failed.getCause());
        } catch (ReflectiveOperationException | RuntimeException closed) {
            throw new IllegalArgumentException(getter + " cannot be called: " + closed.getMessage(), closed);
        }
    }
}
