package dev.pluginrunner.client;

import java.io.Serializable;

/**
 * One fault of one value.
 *
 * @param field JSON pointer to the value, for example {@code /params/epochs}; empty for the whole
 * @param description what is wrong with it
 * @param rule the rule that it breaks: a keyword of JSON Schema, or the code's own word
 */
public record Violation(String field, String description, String rule) implements Serializable {}
