package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.pluginrunner.v1.Heartbeat;
import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import dev.pluginrunner.v1.JobEvents;
import dev.pluginrunner.v1.JobFilter;
import dev.pluginrunner.v1.JobProgress;
import dev.pluginrunner.v1.JobResult;
import dev.pluginrunner.v1.JobState;
import dev.pluginrunner.v1.PluginRunnerGrpc.PluginRunnerImplBase;
import dev.pluginrunner.v1.Reconnect;
import dev.pluginrunner.v1.WatchJobRequest;
import dev.pluginrunner.v1.WatchJobResponse;
import dev.pluginrunner.v1.WatchJobsRequest;
import dev.pluginrunner.v1.WatchJobsResponse;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayName("A watch")
@Timeout(30)
class WatchTest {
    private static final WatchJobResponse SNAPSHOT = WatchJobResponse.newBuilder()
            .setSnapshot(Job.newBuilder().setJobId("job").setState(JobState.JOB_STATE_RUNNING))
            .build();

    /** What the service says to a call, after a first snapshot. */
    private interface Reply {
        void to(long after, StreamObserver<WatchJobResponse> response);
    }

    /** What the service says to each call in turn; the last one is said again. */
    private static final class Script extends PluginRunnerImplBase {
        final List<Long> positions = new ArrayList<>();
        final CountDownLatch left = new CountDownLatch(1);
        private final List<Reply> calls;

        Script(Reply... calls) {
            this.calls = List.of(calls);
        }

        @Override
        public synchronized void watchJob(WatchJobRequest request, StreamObserver<WatchJobResponse> response) {
            ((ServerCallStreamObserver<WatchJobResponse>) response).setOnCancelHandler(left::countDown);
            positions.add(request.getAfterSequence());
            response.onNext(SNAPSHOT);
            int at = Math.min(positions.size(), calls.size()) - 1;
            calls.get(at).to(request.getAfterSequence(), response);
        }
    }

    private static WatchJobResponse events(long... sequences) {
        JobEvents.Builder events = JobEvents.newBuilder();
        for (long sequence : sequences) {
            JobEvent.Builder event = JobEvent.newBuilder().setSequence(sequence);
            if (sequence == 6) event.setResult(JobResult.getDefaultInstance());
            else event.setProgress(JobProgress.getDefaultInstance());
            events.addEvents(event);
        }
        return WatchJobResponse.newBuilder().setEvents(events).build();
    }

    private static void finish(long after, StreamObserver<WatchJobResponse> response) {
        for (long sequence = after + 1; sequence <= 6; sequence++) response.onNext(events(sequence));
        response.onCompleted();
    }

    private static List<Long> sequences(Watch<JobUpdate> watch) {
        List<Long> sequences = new ArrayList<>();
        for (JobUpdate update : watch) {
            sequences.add(update instanceof JobUpdate.Event next ? next.event().getSequence() : 0L);
        }
        return sequences;
    }

    /** Watches to the end, and sees every event once, in order, whatever happens on the way. */
    private static void checkResumes(Script script, Duration heartbeatTimeout) throws Exception {
        AtomicInteger cuts = new AtomicInteger();
        try (ScriptedService service =
                new ScriptedService(script, builder -> builder.heartbeatTimeout(heartbeatTimeout))) {
            Watch<JobUpdate> watch = service.client().watch("job", 0, failure -> cuts.incrementAndGet());
            assertEquals(List.of(0L, 1L, 2L, 3L, 4L, 5L, 6L), sequences(watch));
        }
        assertTrue(cuts.get() > 0);
        assertEquals(cuts.get() + 1, script.positions.size());
        assertEquals(0, script.positions.get(0));
    }

    @Test
    @DisplayName("goes on when the stream ends early, fails or is moved to another server")
    void resumes() throws Exception {
        Script script = new Script(
                (after, response) -> {
                    response.onNext(events(1, 2));
                    response.onCompleted();
                },
                (after, response) -> {
                    response.onNext(events(3));
                    response.onError(Status.UNAVAILABLE.asRuntimeException());
                },
                (after, response) -> response.onError(Status.CANCELLED.asRuntimeException()),
                (after, response) -> response.onError(Status.DEADLINE_EXCEEDED.asRuntimeException()),
                (after, response) -> {
                    response.onNext(events(4));
                    response.onNext(WatchJobResponse.newBuilder()
                            .setReconnect(Reconnect.getDefaultInstance())
                            .build());
                },
                WatchTest::finish);
        checkResumes(script, Duration.ofSeconds(30));
        assertEquals(List.of(0L, 2L, 3L, 3L, 3L, 4L), script.positions);
    }

    @Test
    @DisplayName("asks again for events that are missing, and passes over those that it has")
    void gaps() throws Exception {
        Script script = new Script((after, response) -> response.onNext(events(1, 2, 4)), (after, response) -> {
            response.onNext(events(1, 2));
            response.onNext(events(1, 2, 3, 4, 5, 6));
            response.onCompleted();
        });
        checkResumes(script, Duration.ofSeconds(30));
    }

    @Test
    @DisplayName("takes a silent stream for cut")
    void silence() throws Exception {
        checkResumes(
                new Script((after, response) -> response.onNext(events(1)), WatchTest::finish), Duration.ofSeconds(2));
    }

    @Test
    @DisplayName("fails at once for a reason that is no cut")
    void fails() throws Exception {
        Script script = new Script((after, response) -> response.onError(Status.UNAUTHENTICATED.asRuntimeException()));
        try (ScriptedService service = new ScriptedService(script)) {
            PluginRunnerException error = assertThrows(
                    PluginExecutionException.class,
                    () -> sequences(service.client().watch("job")));
            assertEquals("UNAUTHENTICATED", error.reason());
        }
    }

    @Test
    @DisplayName("gives up a server that stays lost")
    void givesUp() throws Exception {
        Script script = new Script((after, response) -> response.onError(Status.UNAVAILABLE.asRuntimeException()));
        try (ScriptedService service = new ScriptedService(script, builder -> builder.retryFor(Duration.ZERO))) {
            PluginRunnerException error = assertThrows(
                    PluginExecutionException.class,
                    () -> sequences(service.client().watch("job")));
            assertEquals("UNAVAILABLE", error.reason());
        }
    }

    @Test
    @DisplayName("that is closed by another thread ends the call and the wait")
    void closed() throws Exception {
        Script script = new Script((after, response) -> {});
        try (ScriptedService service = new ScriptedService(script)) {
            Watch<JobUpdate> watch = service.client().watch("job");
            watch.next();
            CompletableFuture<Boolean> more = CompletableFuture.supplyAsync(watch::hasNext);
            watch.close();
            script.left.await();
            Throwable ended = assertThrows(CompletionException.class, more::join);
            assertEquals(CancellationException.class, ended.getCause().getClass());
        }
    }

    @Test
    @DisplayName("in the background hands on every update, and ends when its future is cancelled")
    void background() throws Exception {
        try (ScriptedService service = new ScriptedService(new Script(WatchTest::finish))) {
            List<JobUpdate> updates = new ArrayList<>();
            service.client().watchAsync("job", 3, updates::add).get();
            assertEquals(4, updates.size());
        }
        Script endless = new Script((after, response) -> {});
        try (ScriptedService service = new ScriptedService(endless)) {
            CountDownLatch begun = new CountDownLatch(1);
            CompletableFuture<Void> watching = service.client().watchAsync("job", 0, update -> begun.countDown());
            begun.await();
            watching.cancel(true);
            endless.left.await();
        }
    }

    @Test
    @DisplayName("of all jobs says which were gone when it came back")
    void removed() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        PluginRunnerImplBase jobs = new PluginRunnerImplBase() {
            @Override
            public void watchJobs(WatchJobsRequest request, StreamObserver<WatchJobsResponse> response) {
                List<String> ids = calls.getAndIncrement() == 0 ? List.of("a", "b") : List.of("b", "c");
                for (String id : ids) {
                    response.onNext(WatchJobsResponse.newBuilder()
                            .setSnapshot(Job.newBuilder().setJobId(id))
                            .build());
                }
                response.onNext(WatchJobsResponse.newBuilder()
                        .setHeartbeat(Heartbeat.getDefaultInstance())
                        .build());
                if (calls.get() == 1) response.onCompleted();
            }
        };
        try (ScriptedService service = new ScriptedService(jobs);
                Watch<JobsUpdate> watch = service.client().watchJobs(JobFilter.getDefaultInstance())) {
            List<String> seen = new ArrayList<>();
            while (!seen.contains("- a")) {
                JobsUpdate update = watch.next();
                if (update instanceof JobsUpdate.Removed gone) seen.add("- " + gone.jobId());
                if (update instanceof JobsUpdate.Snapshot there)
                    seen.add(there.job().getJobId());
            }
            assertEquals(List.of("a", "b", "b", "c", "- a"), seen);
        }
    }
}
