package dev.pluginrunner.client;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;

/** Says where the service is, and how to speak to it. */
public final class PluginRunnerClientBuilder {
    private String address = System.getenv().getOrDefault("PLUGIN_RUNNER_ADDRESS", "");
    private String token = System.getenv().getOrDefault("PLUGIN_RUNNER_TOKEN", "");
    private boolean tls;
    private Path authorities;
    private Path certificate;
    private Path key;
    private Duration heartbeatTimeout = Duration.ofSeconds(30);
    private Duration retryFor = Duration.ofMinutes(10);

    PluginRunnerClientBuilder() {}

    /**
     * Where the service is.
     *
     * @param address {@code host:port} or another name of gRPC's; default: {@code PLUGIN_RUNNER_ADDRESS}, then
     *     {@code 127.0.0.1:50151}
     * @return this
     */
    public PluginRunnerClientBuilder address(String address) {
        this.address = address;
        return this;
    }

    /**
     * Sent as bearer token.
     *
     * @param token default: {@code PLUGIN_RUNNER_TOKEN}; empty for none
     * @return this
     */
    public PluginRunnerClientBuilder token(String token) {
        this.token = token;
        return this;
    }

    /**
     * Speaks TLS, with the system's certificate authorities unless others are given. The default is plain text.
     *
     * @return this
     */
    public PluginRunnerClientBuilder tls() {
        tls = true;
        return this;
    }

    /**
     * Speaks TLS with a service that these authorities know.
     *
     * @param authorities a PEM file
     * @return this
     */
    public PluginRunnerClientBuilder tlsAuthorities(Path authorities) {
        this.authorities = authorities;
        return tls();
    }

    /**
     * Speaks TLS and sends a certificate of one's own.
     *
     * @param certificate a PEM file
     * @param key a PEM file
     * @return this
     */
    public PluginRunnerClientBuilder tlsCertificate(Path certificate, Path key) {
        this.certificate = certificate;
        this.key = key;
        return tls();
    }

    /**
     * A watch that hears nothing for so long is opened again.
     *
     * @param timeout default: 30 seconds, three heartbeats
     * @return this
     */
    public PluginRunnerClientBuilder heartbeatTimeout(Duration timeout) {
        heartbeatTimeout = timeout;
        return this;
    }

    /**
     * How long a watch looks for a server that it has lost.
     *
     * @param time default: 10 minutes
     * @return this
     */
    public PluginRunnerClientBuilder retryFor(Duration time) {
        retryFor = time;
        return this;
    }

    /**
     * Builds the client. The connection is made by the first call.
     *
     * @return a client to close
     * @throws UncheckedIOException when a file of TLS cannot be read
     * @throws IllegalArgumentException when a header cannot carry the token, with the line break of its file for example
     */
    public PluginRunnerClient build() {
        if (!token.chars().allMatch(character -> character >= ' ' && character <= '~')) {
            throw new IllegalArgumentException("The token has characters that a header cannot carry.");
        }
        String target = address.isEmpty() ? "127.0.0.1:50151" : address;
        return new PluginRunnerClient(new Connection(target, token, credentials()), heartbeatTimeout, retryFor);
    }

    private ChannelCredentials credentials() {
        if (!tls) return InsecureChannelCredentials.create();
        TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
        try {
            if (authorities != null) credentials.trustManager(authorities.toFile());
            if (certificate != null) credentials.keyManager(certificate.toFile(), key.toFile());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return credentials.build();
    }
}
