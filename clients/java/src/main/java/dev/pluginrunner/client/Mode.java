package dev.pluginrunner.client;

/** Where a run takes place. */
public enum Mode {
    /** In the service's own process, or in one worker that stays. */
    LOCAL,
    /** On the engine's pool of warm workers. */
    TASK,
    /** As a job: the run returns the job's id as soon as the service has recorded it. */
    JOB
}
