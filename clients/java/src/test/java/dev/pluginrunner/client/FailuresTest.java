package dev.pluginrunner.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Value;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import dev.pluginrunner.v1.DeleteJobRequest;
import dev.pluginrunner.v1.DeleteJobResponse;
import dev.pluginrunner.v1.FieldViolation;
import dev.pluginrunner.v1.GetJobRequest;
import dev.pluginrunner.v1.GetJobResponse;
import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobError;
import dev.pluginrunner.v1.JobState;
import dev.pluginrunner.v1.PluginRunnerGrpc.PluginRunnerImplBase;
import dev.pluginrunner.v1.RunPluginRequest;
import dev.pluginrunner.v1.RunPluginResponse;
import dev.pluginrunner.v1.SubmitJobRequest;
import dev.pluginrunner.v1.SubmitJobResponse;
import dev.pluginrunner.v1.ValidateParamsRequest;
import dev.pluginrunner.v1.ValidateParamsResponse;
import dev.pluginrunner.v1.WatchJobRequest;
import dev.pluginrunner.v1.WatchJobResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayName("What goes wrong")
@Timeout(30)
class FailuresTest {
    private static StatusRuntimeException status(Code code, String reason, Any... details) {
        ErrorInfo info = ErrorInfo.newBuilder()
                .setReason(reason)
                .setDomain("pluginrunner.v1.PluginRunner")
                .build();
        return StatusProto.toStatusRuntimeException(com.google.rpc.Status.newBuilder()
                .setCode(code.getNumber())
                .setMessage("It failed.")
                .addDetails(Any.pack(info))
                .addAllDetails(List.of(details))
                .build());
    }

    private static <T> void answer(StreamObserver<T> response, T message) {
        response.onNext(message);
        response.onCompleted();
    }

    @Test
    @DisplayName("prints the reason and the plugin's stack, and nothing of the RPC library")
    void printed() throws Exception {
        JobError error = JobError.newBuilder()
                .setReason("ACTION_FAILED")
                .setMessage("bad")
                .setStack("Traceback:\n  File \"train.py\", line 3\n")
                .build();
        PluginRunnerImplBase service = new PluginRunnerImplBase() {
            @Override
            public void getJob(GetJobRequest request, StreamObserver<GetJobResponse> response) {
                answer(
                        response,
                        GetJobResponse.newBuilder()
                                .setJob(Job.newBuilder().setError(error))
                                .build());
            }
        };
        try (ScriptedService scripted = new ScriptedService(service)) {
            JobHandle job = scripted.client().job("any");
            PluginRunnerException failure = assertThrows(PluginRunnerException.class, job::result);
            StringWriter trace = new StringWriter();
            failure.printStackTrace(new PrintWriter(trace));
            String text = trace.toString();
            assertTrue(text.startsWith(PluginExecutionException.class.getName() + ": ACTION_FAILED: bad\n"), text);
            assertTrue(text.contains("in the plugin:\nTraceback:\n  File \"train.py\", line 3"), text);
            assertTrue(!text.contains("io.grpc."), text);
        }
    }

    @Test
    @DisplayName("with a result keeps what can be carried of it")
    void partialResult() throws Exception {
        JobError partial = JobError.newBuilder()
                .setPartialResult(Json.toValue(Arrays.asList(1, "NaN", null)))
                .addNonFinite("/1")
                .build();
        PluginRunnerImplBase service = new PluginRunnerImplBase() {
            @Override
            public void runPlugin(RunPluginRequest request, StreamObserver<RunPluginResponse> response) {
                response.onError(status(Code.UNKNOWN, "RESULT_INVALID", Any.pack(partial)));
            }
        };
        try (ScriptedService scripted = new ScriptedService(service)) {
            PluginRunnerException failure = assertThrows(
                    PluginRunnerException.class, () -> scripted.client().run("any", "any"));
            assertEquals("RESULT_INVALID", failure.reason());
            assertEquals(
                    Arrays.asList(1L, Double.NaN, null), failure.partialResult().orElseThrow());
        }
    }

    @Test
    @DisplayName("is this client's own fault where a message cannot be decoded, and is not tried again")
    void undecodable() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        PluginRunnerImplBase service = new PluginRunnerImplBase() {
            @Override
            public void runPlugin(RunPluginRequest request, StreamObserver<RunPluginResponse> response) {
                calls.incrementAndGet();
                answer(
                        response,
                        RunPluginResponse.newBuilder().setResult(deep()).build());
            }

            @Override
            public void watchJob(WatchJobRequest request, StreamObserver<WatchJobResponse> response) {
                calls.incrementAndGet();
                response.onNext(WatchJobResponse.newBuilder()
                        .setSnapshot(Job.newBuilder().setState(JobState.JOB_STATE_RUNNING))
                        .build());
                response.onNext(WatchJobResponse.newBuilder()
                        .setSnapshot(Job.newBuilder().setResult(deep()))
                        .build());
            }
        };
        try (ScriptedService scripted = new ScriptedService(service)) {
            PluginRunnerException failure = assertThrows(
                    PluginRunnerException.class, () -> scripted.client().run("any", "any"));
            assertEquals("INTERNAL", failure.reason());
            assertTrue(failure.getMessage().contains("cannot be read by this client"), failure::getMessage);
            Watch<JobUpdate> watch = scripted.client().watch("any");
            watch.next();
            assertEquals(
                    "INTERNAL",
                    assertThrows(PluginRunnerException.class, watch::next).reason());
            assertEquals(2, calls.get());
        }
    }

    /** Nested as no decoder reads it. */
    private static Value deep() {
        Value value = Json.toValue(1);
        for (int level = 0; level < 40; level++) {
            value = Value.newBuilder()
                    .setStructValue(com.google.protobuf.Struct.newBuilder().putFields("a", value))
                    .build();
        }
        return value;
    }

    @Test
    @DisplayName("is no failure of a deletion whose answer was lost")
    void deleted() throws Exception {
        for (boolean lost : List.of(true, false)) {
            AtomicInteger calls = new AtomicInteger();
            PluginRunnerImplBase service = new PluginRunnerImplBase() {
                @Override
                public void deleteJob(DeleteJobRequest request, StreamObserver<DeleteJobResponse> response) {
                    boolean first = calls.incrementAndGet() == 1;
                    response.onError(
                            lost && first
                                    ? Status.UNAVAILABLE.asRuntimeException()
                                    : status(Code.NOT_FOUND, "JOB_NOT_FOUND"));
                }
            };
            try (ScriptedService scripted = new ScriptedService(service)) {
                JobHandle job = scripted.client().job("any");
                if (lost) job.delete();
                else assertThrows(PluginRunnerException.class, job::delete);
            }
        }
    }

    @Test
    @DisplayName("only in part is told as a warning")
    void warnings() throws Exception {
        FieldViolation fault =
                FieldViolation.newBuilder().setField("/params/epoch").build();
        PluginRunnerImplBase service = new PluginRunnerImplBase() {
            @Override
            public void runPlugin(RunPluginRequest request, StreamObserver<RunPluginResponse> response) {
                answer(
                        response,
                        RunPluginResponse.newBuilder().addWarnings(fault).build());
            }

            @Override
            public void submitJob(SubmitJobRequest request, StreamObserver<SubmitJobResponse> response) {
                answer(
                        response,
                        SubmitJobResponse.newBuilder()
                                .setSnapshot(Job.newBuilder().addWarnings(fault))
                                .build());
            }

            @Override
            public void validateParams(ValidateParamsRequest request, StreamObserver<ValidateParamsResponse> response) {
                answer(
                        response,
                        ValidateParamsResponse.newBuilder()
                                .addWarnings(fault)
                                .setParams(Json.toStruct(Map.of("x", request.getEnvOrThrow("A"), "y", "NaN")))
                                .addNonFinite("/y")
                                .build());
            }
        };
        List<String> told = new ArrayList<>();
        ActionOptions options = ActionOptions.builder()
                .onWarning(warning -> told.add(warning.field()))
                .env(Map.of("A", "b"))
                .build();
        try (ScriptedService scripted = new ScriptedService(service)) {
            scripted.client().run("any", "any", null, options);
            scripted.client().submit("any", "any", null, options);
            assertEquals(List.of("/params/epoch", "/params/epoch"), told);
            Validation verdict = scripted.client().validate("any", "any", null, options);
            assertEquals("/params/epoch", verdict.warnings().get(0).field());
            assertEquals(Map.of("x", "b", "y", Double.NaN), verdict.params());
        }
    }

    @Test
    @DisplayName("with params fails the future as it fails the call")
    void future() throws Exception {
        try (ScriptedService scripted = new ScriptedService(new PluginRunnerImplBase() {})) {
            var params = Map.of("x", Long.MAX_VALUE);
            var run = scripted.client().runAsync("any", "any", params);
            var submit = scripted.client()
                    .submitAsync("any", "any", params, ActionOptions.builder().build());
            for (var future : List.of(run, submit)) {
                Throwable cause =
                        assertThrows(CompletionException.class, future::join).getCause();
                assertEquals(ValidationException.class, cause.getClass());
            }
        }
    }

    @Test
    @DisplayName("with options is said before anything is sent")
    void options() {
        ActionOptions.Builder options = ActionOptions.builder();
        Map.of(
                        "/timeout",
                                options.timeout(Duration.ofSeconds(Long.MAX_VALUE))
                                        .build(),
                        "/env/A",
                                ActionOptions.builder()
                                        .env(Map.of("A", "\ud800"))
                                        .build(),
                        "/entrypoint",
                                ActionOptions.builder().entrypoint("\udc00").build())
                .forEach((field, given) -> {
                    ValidationException error =
                            assertThrows(ValidationException.class, () -> Requests.run("any", "any", null, given));
                    assertEquals(field, error.violations().get(0).field());
                });
    }

    @Test
    @DisplayName("in a function that is told of warnings fails the call")
    void told() throws Exception {
        PluginRunnerImplBase service = new PluginRunnerImplBase() {
            @Override
            public void runPlugin(RunPluginRequest request, StreamObserver<RunPluginResponse> response) {
                answer(
                        response,
                        RunPluginResponse.newBuilder()
                                .addWarnings(FieldViolation.getDefaultInstance())
                                .build());
            }
        };
        ActionOptions options = ActionOptions.builder()
                .onWarning(warning -> {
                    throw new IllegalStateException("told");
                })
                .build();
        try (ScriptedService scripted = new ScriptedService(service)) {
            assertThrows(IllegalStateException.class, () -> scripted.client().run("any", "any", null, options));
        }
    }

    @Test
    @DisplayName("has the reasons of the documentation, and runs have its modes")
    void words() throws IOException {
        Stream<String> rows = Files.readString(Path.of("../../docs/errors.md"))
                .lines()
                .filter(line -> line.startsWith("| `")
                        && !line.startsWith("| `ActionNotFoundError")
                        && !line.startsWith("| `ValidationError")
                        && !line.startsWith("| `ExecutionError"))
                .map(line -> line.substring(2, line.indexOf(" |", 2)));
        List<String> documented = Stream.concat(
                        rows.flatMap(cell -> Stream.of(cell.split(", "))).map(word -> word.replace("`", "")),
                        Stream.of("UNAVAILABLE"))
                .toList();
        List<String> known = Arrays.stream(Reason.class.getFields())
                .filter(field -> Modifier.isStatic(field.getModifiers()))
                .map(Field::getName)
                .toList();
        assertEquals(documented, known);
        assertEquals(Mode.TASK, Mode.of("task"));
        assertThrows(ValidationException.class, () -> Mode.of("tsak"));
    }
}
