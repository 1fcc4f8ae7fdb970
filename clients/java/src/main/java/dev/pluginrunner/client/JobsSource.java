package dev.pluginrunner.client;

import dev.pluginrunner.v1.JobFilter;
import dev.pluginrunner.v1.PluginRunnerGrpc;
import dev.pluginrunner.v1.WatchJobsRequest;
import dev.pluginrunner.v1.WatchJobsResponse;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Queue;
import java.util.Set;

/** The jobs that match a filter, then each that changes, without an end. */
final class JobsSource implements Source<JobsUpdate>, ResumingStream.Protocol<WatchJobsResponse> {
    private final Connection connection;
    private final WatchJobsRequest request;
    private final ResumingStream<WatchJobsResponse> messages;
    private final Queue<JobsUpdate> waiting = new ArrayDeque<>();
    private final Set<String> known = new HashSet<>();
    private final Set<String> unconfirmed = new HashSet<>();

    JobsSource(Connection connection, JobFilter filter, ResumeOptions options) {
        this.connection = connection;
        request = WatchJobsRequest.newBuilder().setFilter(filter).build();
        messages = new ResumingStream<>(this, options);
    }

    @Override
    public JobsUpdate next() throws InterruptedException {
        while (waiting.isEmpty()) take(messages.next());
        return waiting.poll();
    }

    @Override
    public void close() {
        messages.close();
    }

    @Override
    public MessageStream<WatchJobsResponse> open() {
        unconfirmed.addAll(known);
        return connection.stream(PluginRunnerGrpc.getWatchJobsMethod(), request);
    }

    @Override
    public void silent() {
        connection.renew();
    }

    @Override
    public boolean finished() {
        return false;
    }

    @Override
    public void check(WatchJobsResponse message) {
        if (message.hasReconnect()) throw Failure.cut("The server is going away.");
    }

    @Override
    public boolean isSnapshot(WatchJobsResponse message) {
        return message.hasSnapshot();
    }

    private void take(WatchJobsResponse message) {
        switch (message.getUpdateCase()) {
            case SNAPSHOT -> {
                known.add(message.getSnapshot().getJobId());
                unconfirmed.remove(message.getSnapshot().getJobId());
                waiting.add(new JobsUpdate.Snapshot(NonFinite.restore(message.getSnapshot())));
            }
            case REMOVED_JOB_ID -> remove(message.getRemovedJobId());
            case HEARTBEAT -> {
                // Everything there is has been sent again: what is missing went away while nobody listened.
                unconfirmed.forEach(this::remove);
                unconfirmed.clear();
            }
            default -> {}
        }
    }

    private void remove(String jobId) {
        if (known.remove(jobId)) waiting.add(new JobsUpdate.Removed(jobId));
    }
}
