package dev.pluginrunner.client;

import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import dev.pluginrunner.v1.JobState;
import dev.pluginrunner.v1.PluginRunnerGrpc;
import dev.pluginrunner.v1.WatchJobRequest;
import dev.pluginrunner.v1.WatchJobResponse;
import java.util.ArrayDeque;
import java.util.Queue;

/** One snapshot of a job, then every event after a position, each once and in order. */
final class JobSource implements Source<JobUpdate>, ResumingStream.Protocol<WatchJobResponse> {
    private final Connection connection;
    private final String jobId;
    private final ResumingStream<WatchJobResponse> messages;
    private final Queue<JobUpdate> waiting = new ArrayDeque<>();
    private long last;
    private Job newest;
    private boolean ended;

    JobSource(Connection connection, String jobId, long afterSequence, ResumeOptions options) {
        this.connection = connection;
        this.jobId = jobId;
        last = afterSequence;
        messages = new ResumingStream<>(this, options);
    }

    @Override
    public JobUpdate next() throws InterruptedException {
        while (waiting.isEmpty() && !ended) {
            WatchJobResponse message = messages.next();
            if (message == null) ended = true;
            else take(message);
        }
        if (ended) messages.close();
        return waiting.poll();
    }

    @Override
    public void close() {
        messages.close();
    }

    @Override
    public MessageStream<WatchJobResponse> open() {
        WatchJobRequest request = WatchJobRequest.newBuilder()
                .setJobId(jobId)
                .setAfterSequence(last)
                .build();
        return connection.stream(PluginRunnerGrpc.getWatchJobMethod(), request);
    }

    @Override
    public void silent() {
        connection.renew();
    }

    @Override
    public boolean finished() {
        return newest != null && isFinal(newest.getState()) && last >= newest.getLastSequence();
    }

    @Override
    public void check(WatchJobResponse message) {
        if (message.hasReconnect()) throw Failure.cut("The server is going away.");
        long expected = last + 1;
        for (JobEvent event : message.getEvents().getEventsList()) {
            if (event.getSequence() > expected) {
                throw Failure.cut(
                        "Events " + expected + " to " + (event.getSequence() - 1) + " are missing from the stream.");
            }
            if (event.getSequence() == expected) expected++;
        }
    }

    @Override
    public boolean isSnapshot(WatchJobResponse message) {
        return message.hasSnapshot();
    }

    /** Whether a job in this state has ended. */
    static boolean isFinal(JobState state) {
        return state == JobState.JOB_STATE_SUCCEEDED
                || state == JobState.JOB_STATE_FAILED
                || state == JobState.JOB_STATE_CANCELLED;
    }

    private void take(WatchJobResponse message) {
        if (message.hasSnapshot()) {
            if (newest == null) waiting.add(new JobUpdate.Snapshot(NonFinite.restore(message.getSnapshot())));
            newest = message.getSnapshot();
        }
        for (JobEvent event : message.getEvents().getEventsList()) {
            if (event.getSequence() <= last) continue;
            last = event.getSequence();
            waiting.add(new JobUpdate.Event(NonFinite.restore(event)));
            ended |= event.hasResult() || event.hasError();
        }
    }
}
