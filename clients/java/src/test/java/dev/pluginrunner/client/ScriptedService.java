package dev.pluginrunner.client;

import dev.pluginrunner.v1.PluginRunnerGrpc.PluginRunnerImplBase;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import java.io.IOException;
import java.time.Duration;

/** A service that says what a test tells it to, and a client of it. */
final class ScriptedService implements AutoCloseable {
    private final Server server;
    private final PluginRunnerClient client;

    /** The client takes a stream for cut that is silent for longer than a time. */
    ScriptedService(PluginRunnerImplBase service, Duration heartbeatTimeout) throws IOException {
        server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
                .addService(service)
                .build()
                .start();
        client = PluginRunnerClient.builder()
                .address("127.0.0.1:" + server.getPort())
                .heartbeatTimeout(heartbeatTimeout)
                .build();
    }

    ScriptedService(PluginRunnerImplBase service) throws IOException {
        this(service, Duration.ofSeconds(30));
    }

    PluginRunnerClient client() {
        return client;
    }

    @Override
    public void close() {
        client.close();
        server.shutdownNow();
    }
}
