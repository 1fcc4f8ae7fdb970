package dev.pluginrunner.client;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/** Waits for the one message of a call that is wanted. */
final class Answer<P> extends ClientCall.Listener<P> {
    private final CompletableFuture<P> outcome = new CompletableFuture<>();
    private final ClientCall<?, P> call;
    private final Peer peer;
    private final boolean more;
    private final Predicate<P> wanted;
    private P answer;

    /** The call ends with the message where more would follow. */
    Answer(ClientCall<?, P> call, Peer peer, boolean more, Predicate<P> wanted) {
        this.call = call;
        this.peer = peer;
        this.more = more;
        this.wanted = wanted;
    }

    CompletableFuture<P> outcome() {
        return outcome;
    }

    @Override
    public void onMessage(P message) {
        peer.heard();
        if (wanted.test(message)) answer = message;
        if (more && answer != null) outcome.complete(answer);
        else call.request(1);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        if (outcome.isDone()) return;
        Runnable fail = () -> outcome.completeExceptionally(peer.failure(status, trailers));
        if (!status.isOk() && peer.isUnclear(status)) CompletableFuture.runAsync(fail);
        else if (!status.isOk()) fail.run();
        else if (answer == null) outcome.completeExceptionally(Failure.cut("The call ended without an answer."));
        else outcome.complete(answer);
    }
}
