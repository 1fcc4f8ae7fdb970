package dev.pluginrunner.client;

import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The messages of a stream that is opened again whenever it was cut. */
final class ResumingStream<P> implements AutoCloseable {
    /** What differs between the streams. */
    interface Protocol<P> {
        /** Opens the stream where it was. */
        MessageStream<P> open();

        /** Nothing came for too long, so that the connection itself is in doubt. */
        void silent();

        /** Whether the end of the stream is right. */
        boolean finished();

        /** Throws that the stream was cut when the message says so, or when something before it is missing. */
        void check(P message);

        /** Whether the message may be all that a failing server gets to say, and so leaves the waits as long as they are. */
        boolean isSnapshot(P message);
    }

    /** No watch sets a deadline or cancels itself, so these too are the doing of a proxy or of a server that stops. */
    private static final Set<String> CUT_REASONS =
            Set.of("UNAVAILABLE", "ENGINE_UNAVAILABLE", "STORAGE_UNAVAILABLE", "OVERLOADED", "DEADLINE", "CANCELLED");

    private final Protocol<P> protocol;
    private final ResumeOptions options;
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile MessageStream<P> stream;
    private int failures;
    private boolean answered;
    private boolean lost;
    private long lostAt;

    ResumingStream(Protocol<P> protocol, ResumeOptions options) {
        this.protocol = protocol;
        this.options = options;
    }

    /** Returns the next message, or null after the last. */
    P next() throws InterruptedException {
        for (; ; ) {
            PluginRunnerException cause;
            try {
                P message = receive();
                if (message != null || protocol.finished()) return message;
                cause = Failure.cut("The stream ended early.");
            } catch (PluginRunnerException failure) {
                if (!isCut(failure)) throw failure;
                cause = failure;
            }
            pauseOrGiveUp(cause);
        }
    }

    @Override
    public void close() {
        closed.countDown();
        endStream();
    }

    private boolean isCut(PluginRunnerException failure) {
        boolean again =
                switch (failure.again()) {
                    case MAYBE -> true;
                    case WHEN_LOST -> answered;
                    case NEVER -> false;
                };
        return again && CUT_REASONS.contains(failure.reason());
    }

    private P receive() throws InterruptedException {
        MessageStream<P> current = stream;
        if (current == null) current = stream = protocol.open();
        checkOpen();
        Optional<P> next = current.next(options.silence());
        if (next == null) {
            protocol.silent();
            throw Failure.cut(
                    "Nothing came from the server for " + options.silence().toMillis() / 1000.0 + " s.");
        }
        if (next.isEmpty()) return null;
        P message = next.get();
        answered = true;
        lost = false;
        protocol.check(message);
        if (!protocol.isSnapshot(message)) failures = 0;
        return message;
    }

    /** A server that never answered is given up after a few tries, one that was lost after a time. */
    private void pauseOrGiveUp(PluginRunnerException cause) throws InterruptedException {
        checkOpen();
        endStream();
        failures++;
        if (!lost) lostAt = System.nanoTime();
        lost = true;
        boolean givenUp =
                answered ? System.nanoTime() - lostAt > options.retryFor().toNanos() : failures >= Retries.MAX_TRIES;
        if (givenUp) throw cause;
        options.onRetry().accept(cause);
        closed.await(Retries.delay(failures, cause).toNanos(), TimeUnit.NANOSECONDS);
    }

    private void checkOpen() {
        if (closed.getCount() > 0) return;
        endStream();
        throw new CancellationException("The watch was closed.");
    }

    private void endStream() {
        MessageStream<P> current = stream;
        stream = null;
        if (current != null) current.close();
    }
}
