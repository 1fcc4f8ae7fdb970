package dev.pluginrunner.client;

import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import java.util.concurrent.CompletableFuture;

/** One job. It goes on whatever becomes of this object. */
public final class JobHandle {
    private final PluginRunnerClient client;
    private final String id;

    JobHandle(PluginRunnerClient client, String id) {
        this.client = client;
        this.id = id;
    }

    /**
     * The job's id.
     *
     * @return the id that was given, or made
     */
    public String id() {
        return id;
    }

    /**
     * Asks for the job.
     *
     * @return the job as it is, its params and result included
     */
    public Job get() {
        return client.get(id);
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

    /** Deletes the record, the events and the files of the job, which has to have ended. */
    public void delete() {
        client.delete(id());
    }
}
