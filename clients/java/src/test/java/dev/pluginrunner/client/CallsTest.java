package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.pluginrunner.v1.GetJobRequest;
import dev.pluginrunner.v1.GetJobResponse;
import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import dev.pluginrunner.v1.JobEvents;
import dev.pluginrunner.v1.JobResult;
import dev.pluginrunner.v1.JobState;
import dev.pluginrunner.v1.PluginRunnerGrpc.PluginRunnerImplBase;
import dev.pluginrunner.v1.RunPluginRequest;
import dev.pluginrunner.v1.RunPluginResponse;
import dev.pluginrunner.v1.WatchJobRequest;
import dev.pluginrunner.v1.WatchJobResponse;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayName("A call")
@Timeout(30)
class CallsTest {
    /** Takes every run and answers none. */
    private static final class Endless extends PluginRunnerImplBase {
        final CountDownLatch taken = new CountDownLatch(1);
        final CountDownLatch left = new CountDownLatch(1);
        volatile long deadlineSeconds;

        @Override
        public void runPlugin(RunPluginRequest request, StreamObserver<RunPluginResponse> response) {
            ((ServerCallStreamObserver<RunPluginResponse>) response).setOnCancelHandler(left::countDown);
            if (Context.current().getDeadline() != null) {
                deadlineSeconds = Context.current().getDeadline().timeRemaining(TimeUnit.SECONDS);
            }
            taken.countDown();
        }
    }

    @Test
    @DisplayName("that nobody has taken is repeated under the same request id")
    void repeated() throws Exception {
        ConcurrentLinkedQueue<String> requestIds = new ConcurrentLinkedQueue<>();
        PluginRunnerImplBase flaky = new PluginRunnerImplBase() {
            @Override
            public void runPlugin(RunPluginRequest request, StreamObserver<RunPluginResponse> response) {
                requestIds.add(request.getRequestId());
                if (requestIds.size() < 3) {
                    response.onError(Status.UNAVAILABLE.asRuntimeException());
                    return;
                }
                response.onNext(RunPluginResponse.newBuilder()
                        .setResult(Json.toValue("done"))
                        .build());
                response.onCompleted();
            }
        };
        try (ScriptedService service = new ScriptedService(flaky)) {
            assertEquals("done", service.client().run("any", "any"));
        }
        assertEquals(3, requestIds.size());
        assertEquals(1, requestIds.stream().distinct().count());
        assertNotEquals("", requestIds.peek());
    }

    @Test
    @DisplayName("cannot be made with a token that no header can carry, which is not said")
    void token() {
        PluginRunnerClientBuilder builder = PluginRunnerClient.builder().token("s3cret\n");
        String message = assertThrows(ValidationException.class, builder::build).getMessage();
        assertTrue(!message.contains("s3cret"));
    }

    @Test
    @DisplayName("finds a server that has come back")
    void comesBack() throws Exception {
        ServerSocket down = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        CompletableFuture<Void> refusing = CompletableFuture.runAsync(() -> refuse(down));
        String address = "127.0.0.1:" + down.getLocalPort();
        try (PluginRunnerClient client =
                PluginRunnerClient.builder().address(address).build()) {
            PluginRunnerException nobody = assertThrows(PluginRunnerException.class, client::serverInfo);
            assertEquals("UNAVAILABLE", nobody.reason());
            assertTrue(nobody.getMessage().contains(address), nobody.getMessage());
            down.close();
            refusing.join();
            Server up = Grpc.newServerBuilderForPort(down.getLocalPort(), InsecureServerCredentials.create())
                    .addService(new PluginRunnerImplBase() {})
                    .build()
                    .start();
            PluginRunnerException answered = assertThrows(PluginRunnerException.class, client::serverInfo);
            assertEquals(Status.Code.UNIMPLEMENTED, answered.code());
            up.shutdownNow();
        }
    }

    /** Closes connections as they come, until the socket is closed. */
    private static void refuse(ServerSocket socket) {
        while (true) {
            try {
                socket.accept().close();
            } catch (IOException closed) {
                return;
            }
        }
    }

    @Test
    @DisplayName("ends when its future is cancelled")
    void cancelled() throws Exception {
        Endless endless = new Endless();
        try (ScriptedService service = new ScriptedService(endless)) {
            CompletableFuture<Object> result = service.client().runAsync("any", "any", null);
            endless.taken.await();
            result.cancel(true);
            endless.left.await();
            assertThrows(CancellationException.class, result::join);
        }
    }

    @Test
    @DisplayName("ends when its thread is interrupted, which stays so")
    void interrupted() throws Exception {
        Endless endless = new Endless();
        AtomicReference<Boolean> flag = new AtomicReference<>();
        try (ScriptedService service = new ScriptedService(endless)) {
            Thread caller = new Thread(() -> {
                assertThrows(CancellationException.class, () -> service.client().run("any", "any"));
                flag.set(Thread.currentThread().isInterrupted());
            });
            caller.start();
            endless.taken.await();
            caller.interrupt();
            caller.join();
            endless.left.await();
        }
        assertEquals(true, flag.get());
    }

    @Test
    @DisplayName("may take longer than the timeout that goes to the service, and has no deadline above 24 days")
    void deadlines() throws Exception {
        for (Duration timeout : List.of(Duration.ofMinutes(1), Duration.ofDays(30))) {
            Endless endless = new Endless();
            try (ScriptedService service = new ScriptedService(endless)) {
                ActionOptions options = ActionOptions.builder().timeout(timeout).build();
                CompletableFuture<Object> result = service.client().runAsync("any", "any", null, options);
                endless.taken.await();
                result.cancel(true);
            }
            if (timeout.toDays() > 24) assertEquals(0, endless.deadlineSeconds);
            else assertTrue(endless.deadlineSeconds > 60, () -> endless.deadlineSeconds + " s");
        }
    }

    @Test
    @DisplayName("fails when the client is closed, and the failure has the caller's stack")
    void closed() throws Exception {
        ScriptedService service = new ScriptedService(new PluginRunnerImplBase() {});
        service.close();
        PluginRunnerException error =
                assertThrows(ValidationException.class, () -> service.client().run("any", "any"));
        assertEquals("/client", error.violations().get(0).field());
        assertEquals(Waiting.class.getName(), error.getStackTrace()[0].getClassName());
        assertThrows(
                ValidationException.class, () -> service.client().watch("any").hasNext());
    }

    @Test
    @DisplayName("for a result that the job's record leaves out takes it from the last event")
    void largeResult() throws Exception {
        Job job = Job.newBuilder()
                .setState(JobState.JOB_STATE_SUCCEEDED)
                .setLastSequence(7)
                .build();
        PluginRunnerImplBase large = new PluginRunnerImplBase() {
            @Override
            public void getJob(GetJobRequest request, StreamObserver<GetJobResponse> response) {
                response.onNext(GetJobResponse.newBuilder().setJob(job).build());
                response.onCompleted();
            }

            @Override
            public void watchJob(WatchJobRequest request, StreamObserver<WatchJobResponse> response) {
                JobResult result = JobResult.newBuilder()
                        .setValue(Json.toValue(Map.of("a", 1)))
                        .build();
                JobEvent last = JobEvent.newBuilder()
                        .setSequence(request.getAfterSequence() + 1)
                        .setResult(result)
                        .build();
                response.onNext(WatchJobResponse.newBuilder()
                        .setEvents(JobEvents.newBuilder().addEvents(last))
                        .build());
                response.onCompleted();
            }
        };
        try (ScriptedService service = new ScriptedService(large)) {
            assertEquals(Map.of("a", 1L), service.client().result("any"));
            assertEquals(Map.of("a", 1L), service.client().resultAsync("any").get());
        }
    }
}
