package dev.pluginrunner.client;

import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** A connection to a service, whose calls fail with a {@link PluginRunnerException}. */
final class Connection implements AutoCloseable {
    static final int MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    /** The service takes a longer deadline for one that has passed. */
    private static final Duration LONGEST_DEADLINE = Duration.ofDays(24);

    private final String address;
    private final Peer peer;
    private final String token;
    private final Duration connectTimeout;
    private final ManagedChannel channel;
    private volatile boolean closed;

    Connection(Address address, String token, ChannelCredentials credentials, Duration connectTimeout) {
        this.address = address.target();
        peer = new Peer(address, !(credentials instanceof InsecureChannelCredentials));
        this.token = token;
        this.connectTimeout = connectTimeout;
        ManagedChannelBuilder<?> builder = Grpc.newChannelBuilder(this.address, credentials)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .keepAliveTime(20, TimeUnit.SECONDS)
                .keepAliveTimeout(20, TimeUnit.SECONDS)
                .keepAliveWithoutCalls(true)
                // Calls are repeated by this client: it knows what is safe to repeat.
                .disableRetry();
        // No proxy knows this machine better than this machine.
        if (address.loopback()) builder.proxyDetector(server -> null);
        channel = builder.build();
    }

    String address() {
        return address;
    }

    /** Makes a call that has one answer. Completing the future otherwise, by a cancel for example, ends the call. */
    <Q, P> CompletableFuture<P> unary(MethodDescriptor<Q, P> method, Q request, Duration limit) {
        CallOptions options = limit == null || limit.compareTo(LONGEST_DEADLINE) > 0
                ? CallOptions.DEFAULT
                : CallOptions.DEFAULT.withDeadlineAfter(limit);
        return answer(method, request, options, message -> true);
    }

    /** Makes a call whose answer is the first message of a kind; the call ends with it. */
    <Q, P> CompletableFuture<P> first(MethodDescriptor<Q, P> method, Q request, Predicate<P> wanted) {
        return answer(method, request, CallOptions.DEFAULT, wanted);
    }

    /** Opens a stream, whose messages are taken one by one. */
    <Q, P> MessageStream<P> stream(MethodDescriptor<Q, P> method, Q request) {
        ClientCall<Q, P> call = newCall(method, CallOptions.DEFAULT);
        MessageStream<P> stream = new MessageStream<>(call, peer);
        start(call, stream, request);
        whenSilent(stream::fail);
        return stream;
    }

    /**
     * Leaves a connection that is in doubt: the next call makes another. Calls that are under way keep theirs. One that is
     * still being made would never be there in time if it were begun anew.
     */
    void renew() {
        if (channel.getState(false) == ConnectivityState.READY) channel.enterIdle();
    }

    @Override
    public void close() {
        closed = true;
        channel.shutdownNow();
    }

    private <Q, P> CompletableFuture<P> answer(
            MethodDescriptor<Q, P> method, Q request, CallOptions options, Predicate<P> wanted) {
        ClientCall<Q, P> call = newCall(method, options);
        Answer<P> answer = new Answer<>(call, peer, !method.getType().serverSendsOneMessage(), wanted);
        start(call, answer, request);
        call.request(1);
        whenSilent(answer.outcome()::completeExceptionally);
        // Not before: a call that has failed may be cancelled, but then takes no request.
        answer.outcome().whenComplete((message, error) -> call.cancel("The answer is no longer awaited.", null));
        return answer.outcome();
    }

    private <Q, P> ClientCall<Q, P> newCall(MethodDescriptor<Q, P> method, CallOptions options) {
        if (closed) throw Failure.closed();
        // The channel would fail calls for up to two minutes after it found nobody; these calls are a new try each.
        if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) channel.enterIdle();
        return channel.newCall(method, options);
    }

    /** Tells of a connection that is not there in time: gRPC itself waits long for a host that takes it and says nothing. */
    private void whenSilent(Consumer<PluginRunnerException> tell) {
        if (channel.getState(false) == ConnectivityState.READY) return;
        CompletableFuture.delayedExecutor(connectTimeout.toMillis(), TimeUnit.MILLISECONDS)
                .execute(() -> {
                    if (channel.getState(false) == ConnectivityState.CONNECTING) {
                        tell.accept(TransportFailure.silent(address, connectTimeout));
                    }
                });
    }

    private <Q, P> void start(ClientCall<Q, P> call, ClientCall.Listener<P> listener, Q request) {
        Metadata headers = new Metadata();
        if (!token.isEmpty()) headers.put(AUTHORIZATION, "Bearer " + token);
        call.start(listener, headers);
        call.sendMessage(request);
        call.halfClose();
    }
}
