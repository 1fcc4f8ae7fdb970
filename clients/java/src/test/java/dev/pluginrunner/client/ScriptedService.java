package dev.pluginrunner.client;

import dev.pluginrunner.v1.PluginRunnerGrpc.PluginRunnerImplBase;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import java.io.IOException;
import java.util.function.UnaryOperator;

/** A service that says what a test tells it to, and a client of it. */
final class ScriptedService implements AutoCloseable {
    private final Server server;
    private final PluginRunnerClient client;

    ScriptedService(PluginRunnerImplBase service, UnaryOperator<PluginRunnerClientBuilder> options) throws IOException {
        server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
                .addService(service)
                .build()
                .start();
        PluginRunnerClientBuilder builder = PluginRunnerClient.builder().address("127.0.0.1:" + server.getPort());
        client = options.apply(builder).build();
    }

    ScriptedService(PluginRunnerImplBase service) throws IOException {
        this(service, UnaryOperator.identity());
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
