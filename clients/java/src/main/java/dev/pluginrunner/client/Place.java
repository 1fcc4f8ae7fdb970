package dev.pluginrunner.client;

import java.util.ArrayList;
import java.util.List;

/** Where in a value something is, as a JSON pointer. */
final class Place {
    private final String root;
    private final List<Object> steps = new ArrayList<>();

    Place(String root) {
        this.root = root;
    }

    void enter(Object step) {
        steps.add(step);
    }

    void leave() {
        steps.remove(steps.size() - 1);
    }

    /** The pointer from the value. */
    String pointer() {
        StringBuilder pointer = new StringBuilder();
        for (Object step : steps) {
            pointer.append('/').append(step.toString().replace("~", "~0").replace("/", "~1"));
        }
        return pointer.toString();
    }

    /** The pointer from what the value is part of. */
    String fullPointer() {
        return root + pointer();
    }
}
