package dev.pluginrunner.client;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/** How what came is compared with what a case expects. */
final class JsonMatch {
    private JsonMatch() {}

    /** Whether a value is as expected; objects may have further names. */
    static boolean holds(Object actual, Object expected) {
        if (expected instanceof Map<?, ?> members) {
            return actual instanceof Map<?, ?> map
                    && members.keySet().stream()
                            .allMatch(name -> map.containsKey(name) && holds(map.get(name), members.get(name)));
        }
        if (expected instanceof List<?> items) {
            if (!(actual instanceof List<?> list) || list.size() != items.size()) return false;
            for (int at = 0; at < items.size(); at++) {
                if (!holds(list.get(at), items.get(at))) return false;
            }
            return true;
        }
        return Objects.equals(actual, expected);
    }
}
