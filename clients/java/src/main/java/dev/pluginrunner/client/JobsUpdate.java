package dev.pluginrunner.client;

import dev.pluginrunner.v1.Job;

/** What a watch of many jobs yields: jobs as they change, and ids of those that are gone. */
public sealed interface JobsUpdate {
    /**
     * A job that matches, as it is now.
     *
     * @param job the job, without params and result
     */
    record Snapshot(Job job) implements JobsUpdate {}

    /**
     * A job was deleted, or no longer matches.
     *
     * @param jobId its id
     */
    record Removed(String jobId) implements JobsUpdate {}
}
