package dev.pluginrunner.client;

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
    private Duration connectTimeout = Duration.ofSeconds(20);
    private Duration heartbeatTimeout = Duration.ofSeconds(30);
    private Duration retryFor = Duration.ofMinutes(10);

    PluginRunnerClientBuilder() {}

    /**
     * Where the service is.
     *
     * @param address {@code host:port}, {@code host} for the port 50151, or a name that gRPC resolves, such as {@code
     *     dns:///runner:50151}; default: {@code PLUGIN_RUNNER_ADDRESS}, then {@code 127.0.0.1:50151}
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
     * How long a host may be silent that is to take a connection.
     *
     * @param timeout default: 20 seconds
     * @return this
     */
    public PluginRunnerClientBuilder connectTimeout(Duration timeout) {
        connectTimeout = timeout;
        return this;
    }

    /**
     * A watch that hears nothing for so long is opened again, on a new connection.
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
     * @throws ValidationException when the address is none, a file of TLS cannot be used, or a header cannot carry the token,
     *     with the line break of its file for example
     */
    public PluginRunnerClient build() {
        if (!token.chars().allMatch(character -> character >= ' ' && character <= '~')) {
            throw Failure.request("/token", "has characters that a header cannot carry");
        }
        Address target = Address.of(address);
        var credentials = new Credentials(tls, authorities, certificate, key).read();
        Connection connection = new Connection(target, token, credentials, connectTimeout);
        return new PluginRunnerClient(connection, heartbeatTimeout, retryFor);
    }
}
