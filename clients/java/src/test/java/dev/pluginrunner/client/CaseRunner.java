package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import dev.pluginrunner.v1.JobFilter;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** Runs cases. */
final class CaseRunner implements AutoCloseable {
    private final Targets targets;
    private final Map<String, PluginRunnerClient> clients = new ConcurrentHashMap<>();

    CaseRunner(Targets targets) {
        this.targets = targets;
    }

    @Override
    public void close() {
        clients.values().forEach(PluginRunnerClient::close);
    }

    void run(Case one) throws Exception {
        PluginRunnerClient client = clientOf(one.has("target") ? one.text("target") : "plain");
        Case request = one.object("request");
        Expectation expect = new Expectation(one.object("expect"));
        switch (one.text("do")) {
            case "run" -> expect.settles(() -> run(client, request));
            case "submit" -> expect.settles(() -> submit(client, request));
            case "job" -> job(client, request, expect);
            case "run_job" -> runJob(client, request);
            case "validate" ->
                expect.verdict(client.validate(request.text("plugin"), request.text("action"), request.get("params")));
            case "get" -> expect.settles(() -> client.get(request.text("job_id")));
            case "watch" -> expect.settles(() -> collect(client.watch(request.text("job_id"))));
            case "abort" -> abort(client, request);
            case "cancel" -> cancel(client, request, expect);
            case "delete" -> delete(client, request, expect);
            case "attach" -> attach(client, request, one.object("again"), expect);
            case "resume" -> resume(client, request, one.list("cut_after"), expect);
            case "silence" -> silence(client, request, one.number("silent_after"), expect);
            case "leave" -> leave(client, request, expect);
            case "watch_from" -> watchFrom(client, request, one.number("after_sequence"), expect);
            case "list" -> list(client, request, one.number("count"));
            default -> throw new AssertionError("The case does what this suite does not know: " + one.text("do"));
        }
    }

    private PluginRunnerClient clientOf(String target) {
        return clients.computeIfAbsent(target, targets::connect);
    }

    private void job(PluginRunnerClient client, Case request, Expectation expect) {
        JobHandle job = submit(client, request);
        List<JobEvent> events = collect(job.events());
        Expectation.order(events);
        expect.events(events);
        expect.settles(job::result);
        expect.state(client.get(job.id()));
    }

    private void runJob(PluginRunnerClient client, Case request) {
        String jobId = UUID.randomUUID().toString();
        ActionOptions options = request.options().mode(Mode.JOB).jobId(jobId).build();
        assertEquals(jobId, client.run(request.text("plugin"), request.text("action"), request.get("params"), options));
        assertFalse(client.get(jobId).hasEndTime());
        client.cancel(jobId);
    }

    private void abort(PluginRunnerClient client, Case request) {
        CompletableFuture<Object> result = client.runAsync(
                request.text("plugin"),
                request.text("action"),
                request.get("params"),
                request.options().build());
        assertThrows(TimeoutException.class, () -> result.get(300, TimeUnit.MILLISECONDS));
        result.cancel(true);
        assertThrows(CancellationException.class, result::get);
    }

    private void cancel(PluginRunnerClient client, Case request, Expectation expect) {
        JobHandle job = submit(client, request);
        progressed(job);
        job.cancel();
        expect.settles(job::result);
        expect.state(client.get(job.id()));
    }

    private void delete(PluginRunnerClient client, Case request, Expectation expect) {
        JobHandle job = submit(client, request);
        progressed(job);
        expect.settles(() -> {
            client.delete(job.id());
            return null;
        });
        job.cancel();
        collect(job.events());
        client.delete(job.id());
        PluginRunnerException gone = assertThrows(PluginRunnerException.class, () -> client.get(job.id()));
        assertEquals("JOB_NOT_FOUND", gone.reason());
    }

    private void attach(PluginRunnerClient client, Case request, Case again, Expectation expect) {
        String jobId = UUID.randomUUID().toString();
        JobHandle first = submit(client, request, request.options().jobId(jobId));
        Supplier<JobHandle> second = () -> submit(client, again, again.options().jobId(jobId));
        if (expect.isError()) expect.settles(second::get);
        else assertEquals(first.id(), second.get().id());
    }

    private void resume(PluginRunnerClient client, Case request, List<?> cutAfter, Expectation expect)
            throws IOException {
        JobHandle job = submit(client, request);
        List<JobEvent> events = new ArrayList<>();
        AtomicInteger cuts = new AtomicInteger();
        try (Watch<JobUpdate> watch = clientOf("proxy").watch(job.id(), 0, failure -> cuts.incrementAndGet())) {
            for (JobUpdate update : watch) {
                if (!(update instanceof JobUpdate.Event next)) continue;
                events.add(next.event());
                if (cutAfter.contains(next.event().getSequence())) tell("proxy", "cut");
            }
        }
        Expectation.order(events);
        // What is left may come in one message, so that a later cut finds nothing to cut.
        assertTrue(cuts.get() > 0, "The stream was not cut.");
        expect.settles(job::result);
    }

    private void silence(PluginRunnerClient client, Case request, long silentAfter, Expectation expect)
            throws IOException {
        JobHandle job = submit(client, request);
        List<JobEvent> events = new ArrayList<>();
        AtomicInteger cuts = new AtomicInteger();
        try (Watch<JobUpdate> watch = client.watch(job.id(), 0, failure -> cuts.incrementAndGet())) {
            for (JobUpdate update : watch) {
                if (!(update instanceof JobUpdate.Event next)) continue;
                events.add(next.event());
                if (next.event().getSequence() == silentAfter) tell("silent", "silence");
            }
        }
        Expectation.order(events);
        expect.events(events);
        assertTrue(cuts.get() > 0, "The stream was not silent.");
    }

    private void leave(PluginRunnerClient client, Case request, Expectation expect) throws IOException {
        Map<String, String> params = Map.of("mark", UUID.randomUUID().toString());
        CompletableFuture<Object> left = client.runAsync(request.text("plugin"), request.text("action"), params);
        tell("leaving", "leave");
        expect.settles(() -> Waiting.await(left));
        assertEquals(1L, client.run(request.text("plugin"), "starts", params));
    }

    /** Connects to what does something then, and returns once that is done. */
    private void tell(String... control) throws IOException {
        String[] hostAndPort = targets.get(control).split(":");
        try (Socket socket = new Socket(hostAndPort[0], Integer.parseInt(hostAndPort[1]))) {
            assertEquals(-1, socket.getInputStream().read());
        }
    }

    private void watchFrom(PluginRunnerClient client, Case request, long afterSequence, Expectation expect) {
        JobHandle job = submit(client, request);
        job.result();
        Supplier<List<JobUpdate>> watched = () -> collect(client.watch(job.id(), afterSequence));
        if (expect.isError()) expect.settles(watched::get);
        else expect.firstSequence(watched.get());
    }

    private void list(PluginRunnerClient client, Case request, long count) {
        Map<String, String> labels = Map.of("case", UUID.randomUUID().toString());
        List<String> ids = new ArrayList<>();
        for (long at = 0; at < count; at++) {
            ids.add(submit(client, request, request.options().labels(labels)).id());
        }
        Collections.reverse(ids);
        JobFilter filter = JobFilter.newBuilder().putAllLabels(labels).build();
        assertEquals(ids, client.list(filter, 2).map(Job::getJobId).toList());
    }

    private static Object run(PluginRunnerClient client, Case request) {
        return client.run(
                request.text("plugin"),
                request.text("action"),
                request.get("params"),
                request.options().build());
    }

    private static JobHandle submit(PluginRunnerClient client, Case request) {
        return submit(client, request, request.options());
    }

    private static JobHandle submit(PluginRunnerClient client, Case request, ActionOptions.Builder options) {
        return client.submit(request.text("plugin"), request.text("action"), request.get("params"), options.build());
    }

    private static void progressed(JobHandle job) {
        try (Watch<JobEvent> events = job.events()) {
            for (JobEvent event : events) {
                if (event.hasProgress()) return;
            }
        }
        throw new AssertionError("The job has ended without progress.");
    }

    private static <T> List<T> collect(Watch<T> watch) {
        List<T> items = new ArrayList<>();
        try (watch) {
            watch.forEach(items::add);
        }
        return items;
    }
}
