package dev.pluginrunner.client;

import java.util.List;
import java.util.Map;

/**
 * The verdict on params.
 *
 * @param valid whether the action would accept them
 * @param violations every fault, when it would not
 * @param params the params as they were given, with defaults filled in, when it would
 * @param warnings what the action would not use of them, for example a name that its model does not know
 */
public record Validation(
        boolean valid, List<Violation> violations, Map<String, Object> params, List<Violation> warnings) {}
