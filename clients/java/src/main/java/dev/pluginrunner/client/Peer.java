package dev.pluginrunner.client;

import io.grpc.Metadata;
import io.grpc.Status;

/** Whom a connection leads to, as far as failures tell of it. */
final class Peer {
    private final Address address;
    private final boolean tls;
    private volatile boolean heard;

    Peer(Address address, boolean tls) {
        this.address = address;
        this.tls = tls;
    }

    /** Something came from a service. */
    void heard() {
        heard = true;
    }

    /** Whether finding out what a status means takes a look at the server, and so a while. */
    boolean isUnclear(Status status) {
        return !tls && !heard && status.getCode() == Status.Code.UNAVAILABLE && isCut(status);
    }

    /** What a status means. */
    PluginRunnerException failure(Status status, Metadata trailers) {
        PluginRunnerException failure = CallFailure.of(status, trailers, address.target());
        boolean unexplained = failure.again() == Failure.Again.MAYBE && isUnclear(status);
        if (unexplained && Probe.speaksTls(address)) return TransportFailure.speaksTls(address.target(), failure);
        return failure;
    }

    /** What gRPC says of a connection that the server closed before it said anything. */
    private static boolean isCut(Status status) {
        String text = status.getDescription() + " " + status.getCause();
        return text.matches("(?s).*(closed|reset|Broken pipe|ended).*");
    }
}
