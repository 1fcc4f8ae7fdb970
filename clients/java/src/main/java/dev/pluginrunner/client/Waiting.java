package dev.pluginrunner.client;

import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/** From calls that go on to threads that wait, and back. */
final class Waiting {
    private Waiting() {}

    /** Waits for a future's value and throws its failure; an interrupt cancels it. */
    static <T> T await(CompletableFuture<T> future) {
        try {
            return future.get();
        } catch (InterruptedException interrupted) {
            future.cancel(false);
            throw interrupted();
        } catch (ExecutionException failed) {
            if (!(failed.getCause() instanceof RuntimeException failure)) throw new IllegalStateException(failed);
            // The caller's stack says more than that of the thread which the answer came on.
            failure.fillInStackTrace();
            throw failure;
        }
    }

    /** What a future's value is turned into. Completing the result otherwise, by a cancel for example, cancels the future. */
    static <T, R> CompletableFuture<R> map(CompletableFuture<T> future, Function<? super T, ? extends R> turn) {
        CompletableFuture<R> outcome = new CompletableFuture<>();
        outcome.whenComplete((value, error) -> future.cancel(false));
        future.whenComplete((value, error) -> {
            try {
                if (error == null) outcome.complete(turn.apply(value));
                else outcome.completeExceptionally(error);
            } catch (RuntimeException failed) {
                outcome.completeExceptionally(failed);
            }
        });
        return outcome;
    }

    /** Waits on a thread of its own. Completing the future otherwise, by a cancel for example, interrupts the wait. */
    static <T> CompletableFuture<T> inBackground(ExecutorService threads, Callable<T> wait) {
        CompletableFuture<T> outcome = new CompletableFuture<>();
        AtomicBoolean ended = new AtomicBoolean();
        Runnable task = () -> {
            try {
                T value = wait.call();
                ended.set(true);
                outcome.complete(value);
            } catch (Throwable error) {
                ended.set(true);
                outcome.completeExceptionally(error);
            }
        };
        try {
            Future<?> running = threads.submit(task);
            outcome.whenComplete((value, error) -> {
                if (!ended.get()) running.cancel(true);
            });
        } catch (RejectedExecutionException closed) {
            outcome.completeExceptionally(Failure.closed());
        }
        return outcome;
    }

    /** What a wait throws whose thread was interrupted; the thread stays so. */
    static CancellationException interrupted() {
        Thread.currentThread().interrupt();
        return new CancellationException("The thread was interrupted.");
    }
}
