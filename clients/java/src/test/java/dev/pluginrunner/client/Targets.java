package dev.pluginrunner.client;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** The servers that the tests run against: see test/clients/README.md. */
record Targets(Map<?, ?> all) {
    /** Reads the file that PLUGIN_RUNNER_TARGETS names. */
    static Targets read() {
        String file = System.getenv("PLUGIN_RUNNER_TARGETS");
        requireNonNull(file, "Run this by node test/clients/with-targets.ts, which starts the servers.");
        return new Targets((Map<?, ?>) readJson(Path.of(file)));
    }

    static Object readJson(Path file) {
        try (Reader reader = Files.newBufferedReader(file)) {
            Value.Builder value = Value.newBuilder();
            JsonFormat.parser().merge(reader, value);
            return Json.fromValue(value.build());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The text at the end of a path of names. */
    String get(String... path) {
        Object at = all;
        for (String name : path) at = ((Map<?, ?>) at).get(name);
        return requireNonNull((String) at, () -> "The targets have no " + List.of(path));
    }

    /** A client of the target that a case names. */
    PluginRunnerClient connect(String target) {
        PluginRunnerClientBuilder builder = PluginRunnerClient.builder();
        return switch (target) {
            case "plain", "reasons", "down" -> builder.address(get(target)).build();
            case "proxy", "leaving" -> builder.address(get(target, "address")).build();
            case "silent" ->
                builder.address(get(target, "address"))
                        .heartbeatTimeout(Duration.ofSeconds(1))
                        .build();
            case "secure" ->
                secure(builder).tlsAuthorities(path("secure", "ca")).build();
            case "secure_without_token" ->
                secure(builder).tlsAuthorities(path("secure", "ca")).token("").build();
            case "secure_without_ca" -> secure(builder).tls().build();
            case "mutual" ->
                builder.address(get("mutual", "address"))
                        .tlsAuthorities(path("mutual", "ca"))
                        .tlsCertificate(path("mutual", "cert"), path("mutual", "key"))
                        .build();
            default -> throw new AssertionError("The case has a target that this suite does not know: " + target);
        };
    }

    private PluginRunnerClientBuilder secure(PluginRunnerClientBuilder builder) {
        return builder.address(get("secure", "address")).token(get("secure", "token"));
    }

    private Path path(String... path) {
        return Path.of(get(path));
    }
}
