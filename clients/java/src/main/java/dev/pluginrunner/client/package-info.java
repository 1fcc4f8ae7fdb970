/**
 * Runs the actions of plugins through a plugin-runner service: {@link dev.pluginrunner.client.PluginRunnerClient} is where to
 * start. Jobs, events and plugins are the messages of {@code dev.pluginrunner.v1}, as the service's proto files define them.
 */
package dev.pluginrunner.client;
