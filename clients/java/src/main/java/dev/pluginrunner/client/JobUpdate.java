package dev.pluginrunner.client;

import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;

/** What a watch of one job yields: the job as it was first, then its events. */
public sealed interface JobUpdate {
    /**
     * The job as it was when the watch began.
     *
     * @param job the job
     */
    record Snapshot(Job job) implements JobUpdate {}

    /**
     * The job's next event.
     *
     * @param event the event
     */
    record Event(JobEvent event) implements JobUpdate {}
}
