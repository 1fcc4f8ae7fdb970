package dev.pluginrunner.client;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The messages of a call, taken one by one: the service sends no more than is asked for. */
final class MessageStream<P> extends ClientCall.Listener<P> implements AutoCloseable {
    private final BlockingQueue<Supplier<P>> received = new LinkedBlockingQueue<>();
    private final ClientCall<?, P> call;
    private final String address;

    MessageStream(ClientCall<?, P> call, String address) {
        this.call = call;
        this.address = address;
    }

    /** Returns the next message, or null after the last; throws how the call failed, also when nothing comes for too long. */
    P next(Duration silence) throws InterruptedException {
        call.request(1);
        Supplier<P> next = received.poll(silence.toNanos(), TimeUnit.NANOSECONDS);
        if (next == null) throw Failure.cut("Nothing came from the server for " + silence.toMillis() / 1000.0 + " s.");
        return next.get();
    }

    @Override
    public void onMessage(P message) {
        received.add(() -> message);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        received.add(() -> {
            if (status.isOk()) return null;
            throw CallFailure.of(status, trailers, address);
        });
    }

    @Override
    public void close() {
        call.cancel("The stream is no longer wanted.", null);
    }
}
