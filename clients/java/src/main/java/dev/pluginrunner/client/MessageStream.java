package dev.pluginrunner.client;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The messages of a call, taken one by one: the service sends no more than is asked for. */
final class MessageStream<P> extends ClientCall.Listener<P> implements AutoCloseable {
    private final BlockingQueue<Supplier<Optional<P>>> received = new LinkedBlockingQueue<>();
    private final ClientCall<?, P> call;
    private final Peer peer;

    MessageStream(ClientCall<?, P> call, Peer peer) {
        this.call = call;
        this.peer = peer;
    }

    /** Returns the next message, empty after the last, or null when nothing comes for too long; throws how the call failed. */
    Optional<P> next(Duration silence) throws InterruptedException {
        call.request(1);
        Supplier<Optional<P>> next = received.poll(silence.toNanos(), TimeUnit.NANOSECONDS);
        return next == null ? null : next.get();
    }

    @Override
    public void onMessage(P message) {
        peer.heard();
        received.add(() -> Optional.of(message));
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        received.add(() -> {
            if (status.isOk()) return Optional.empty();
            throw peer.failure(status, trailers);
        });
    }

    /** Ends the stream with a failure of this side. */
    void fail(PluginRunnerException failure) {
        received.add(() -> {
            throw failure;
        });
    }

    @Override
    public void close() {
        call.cancel("The stream is no longer wanted.", null);
    }
}
