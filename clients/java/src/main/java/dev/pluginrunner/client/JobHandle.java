package dev.pluginrunner.client;

import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import java.util.concurrent.CompletableFuture;

/** A job that was submitted. It goes on whatever becomes of this object. */
public final class JobHandle {
    private final PluginRunnerClient client;
    private final Job snapshot;

    JobHandle(PluginRunnerClient client, Job snapshot) {
        this.client = client;
        this.snapshot = snapshot;
    }

    /**
     * The job's id.
     *
     * @return the id that was given, or made
     */
    public String id() {
        return snapshot.getJobId();
    }

    /**
     * The job as it was when it was submitted.
     *
     * @return the job
     */
    public Job snapshot() {
        return snapshot;
    }

    /**
     * Every event of the job, from the first to the last; live once it has caught up.
     *
     * @return a watch to iterate
     */
    public Watch<JobEvent> events() {
        return client.events(id(), 0);
    }

    /**
     * Waits for the job to end.
     *
     * @return its result, as {@link Json} says
     * @throws PluginRunnerException what ended the job otherwise
     */
    public Object result() {
        return client.result(id());
    }

    /**
     * Waits for the job to end, without a thread of the caller's.
     *
     * @return its result; cancelling the future ends the wait, not the job
     */
    public CompletableFuture<Object> resultAsync() {
        return client.resultAsync(id());
    }

    /**
     * Tells the job to stop.
     *
     * @return the job as it is then
     */
    public Job cancel() {
        return client.cancel(id());
    }
}
