package dev.pluginrunner.client;

import java.util.List;
import java.util.Map;

/**
 * The verdict on params.
 *
 * @param valid whether the action would accept them
 * @param violations every fault, when it would not
 * @param params the params with defaults filled in, when it would
 */
public record Validation(boolean valid, List<Violation> violations, Map<String, Object> params) {}
