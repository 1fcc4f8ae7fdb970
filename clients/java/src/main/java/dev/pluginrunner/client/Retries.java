package dev.pluginrunner.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** How often, and when, what failed is tried again. */
final class Retries {
    /** How many calls a request that nobody has answered is worth. */
    static final int MAX_TRIES = 5;

    private static final long FIRST_DELAY_MS = 100;
    private static final long MAX_DELAY_MS = 10_000;

    private Retries() {}

    /** Repeats a call that is safe to repeat while it fails with UNAVAILABLE. Cancelling the future ends the call. */
    static <T> CompletableFuture<T> retrying(Supplier<CompletableFuture<T>> call) {
        CompletableFuture<T> outcome = new CompletableFuture<>();
        attempt(call, outcome, 1);
        return outcome;
    }

    private static <T> void attempt(Supplier<CompletableFuture<T>> call, CompletableFuture<T> outcome, int tries) {
        if (outcome.isDone()) return;
        CompletableFuture<T> current;
        try {
            current = call.get();
        } catch (RuntimeException error) {
            outcome.completeExceptionally(error);
            return;
        }
        outcome.whenComplete((answer, error) -> current.cancel(false));
        current.whenComplete((answer, error) -> {
            if (error == null) {
                outcome.complete(answer);
            } else if (tries < MAX_TRIES && error instanceof PluginRunnerException failure && isUnavailable(failure)) {
                after(delay(tries, failure)).execute(() -> attempt(call, outcome, tries + 1));
            } else {
                outcome.completeExceptionally(error);
            }
        });
    }

    /** The wait before the next try: longer with each failure, and never less than the service asked for. */
    static Duration delay(int failures, PluginRunnerException failure) {
        double backoff = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * Math.pow(2, failures - 1));
        // Jitter keeps clients that lost the same server from coming back at once.
        double jitter = 0.5 + ThreadLocalRandom.current().nextDouble() / 2;
        return failure.retryAfter().orElse(Duration.ZERO).plusMillis(Math.round(backoff * jitter));
    }

    private static boolean isUnavailable(PluginRunnerException failure) {
        return failure.code() == Status.Code.UNAVAILABLE && failure.again() == Failure.Again.MAYBE;
    }

    private static Executor after(Duration delay) {
        return CompletableFuture.delayedExecutor(delay.toMillis(), TimeUnit.MILLISECONDS);
    }
}
