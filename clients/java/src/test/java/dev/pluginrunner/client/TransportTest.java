package dev.pluginrunner.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.pluginrunner.client.Failure.Again;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("What is wrong with a connection")
@Timeout(30)
class TransportTest {
    private static final Targets targets = Targets.read();

    /** An empty frame of settings, which is what a server of HTTP/2 begins with. */
    private static final String SETTINGS = "000000040000000000";

    /** What a server does with a connection, which it then keeps open. */
    private interface Speech {
        void of(DataInputStream heard, OutputStream said) throws IOException;
    }

    /** A server of bytes. */
    private static final class Saying implements AutoCloseable {
        final AtomicInteger taken = new AtomicInteger();
        private final ServerSocket socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final Speech speech;

        /** Says the bytes once something came. */
        Saying(byte... bytes) throws IOException {
            this((heard, said) -> {
                heard.read();
                said.write(bytes);
            });
        }

        Saying(Speech speech) throws IOException {
            this.speech = speech;
            Thread accepting = new Thread(this::accept);
            accepting.setDaemon(true);
            accepting.start();
        }

        String address() {
            return "127.0.0.1:" + socket.getLocalPort();
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }

        private void accept() {
            while (true) {
                try {
                    Socket connection = socket.accept();
                    taken.incrementAndGet();
                    speech.of(new DataInputStream(connection.getInputStream()), connection.getOutputStream());
                } catch (IOException closed) {
                    if (socket.isClosed()) return;
                }
            }
        }
    }

    /** Answers the first call of HTTP/2 with a status of HTTP. */
    private static Speech status(String number) {
        return (heard, said) -> {
            said.write(HexFormat.of().parseHex(SETTINGS));
            heard.readNBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length());
            int type;
            int stream;
            do {
                int lengthAndType = heard.readInt();
                heard.readByte();
                type = lengthAndType & 0xff;
                stream = heard.readInt();
                heard.readNBytes(lengthAndType >>> 8);
            } while (type != 1);
            // Headers and the end of the call: the name 8 of HPACK's static table is the status.
            said.write(HexFormat.of().parseHex("0000050105%08x0803".formatted(stream)));
            said.write(number.getBytes(US_ASCII));
        };
    }

    private static PluginRunnerClientBuilder at(String address) {
        return PluginRunnerClient.builder().address(address);
    }

    /** A call and a watch say the same, and are not tried again. */
    private static void says(PluginRunnerClientBuilder builder, String part) {
        try (PluginRunnerClient client = builder.build()) {
            Executable watch = () -> {
                try (Watch<JobUpdate> updates = client.watch("any", 0, error -> {
                    throw new AssertionError("It is tried again: " + error);
                })) {
                    updates.hasNext();
                }
            };
            for (Executable call : List.<Executable>of(client::serverInfo, watch)) {
                PluginRunnerException error = assertThrows(PluginRunnerException.class, call);
                assertEquals("UNAVAILABLE", error.reason());
                assertTrue(error.getMessage().contains(part), error::getMessage);
            }
        }
    }

    @Test
    @DisplayName("is said by its likely cause, at once")
    void causes() throws Exception {
        says(at(targets.get("secure", "address")), "speaks TLS");
        says(at(targets.get("plain")).tls(), "does not speak TLS");
        says(at(targets.get("secure", "address")).tls(), "signed by none of the given authorities");
        Path authorities = Path.of(targets.get("mutual", "ca"));
        says(at(targets.get("mutual", "address")).tlsAuthorities(authorities), "wants a certificate of the client");
        try (Saying http = new Saying("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(US_ASCII))) {
            says(at(http.address()), "does not speak HTTP/2");
        }
    }

    @Test
    @DisplayName("is found in time where a host is silent")
    void silent() throws Exception {
        for (boolean tls : List.of(false, true)) {
            try (Saying nothing = new Saying()) {
                PluginRunnerClientBuilder builder = at(nothing.address()).connectTimeout(Duration.ofMillis(300));
                says(tls ? builder.tls() : builder, "within 0.3 s");
            }
        }
    }

    @Test
    @DisplayName("is left behind with a connection that went silent")
    void renewed() throws Exception {
        try (Saying mute = new Saying(HexFormat.of().parseHex(SETTINGS));
                PluginRunnerClient client = at(mute.address())
                        .heartbeatTimeout(Duration.ofMillis(500))
                        .build();
                Watch<JobUpdate> watch = client.watch("any")) {
            PluginRunnerException error = assertThrows(PluginRunnerException.class, watch::hasNext);
            assertTrue(error.getMessage().contains("Nothing came from the server for 0.5 s"), error::getMessage);
            assertTrue(mute.taken.get() >= 3, () -> mute.taken + " connections");
        }
    }

    @Test
    @DisplayName("is said before the first call where the settings show it")
    void settings(@TempDir Path folder) throws IOException {
        Path key = Files.writeString(folder.resolve("key.pem"), "-----BEGIN PRIVATE KEY-----\nMIIB\n");
        Path text = Files.writeString(folder.resolve("text.pem"), "no PEM");
        Path certificate = Path.of(targets.get("mutual", "cert"));
        Map<PluginRunnerClientBuilder, List<String>> faults = Map.of(
                at("http://runner:50151"), List.of("/address", "give its host and port, \"runner:50151\""),
                at("https://runner/"), List.of("/address", "speak TLS with tls()"),
                at("runner:0"), List.of("/address", "port between 1 and 65535"),
                at("run ner:1"), List.of("/address", "host:port"),
                at("runner").tlsAuthorities(key), List.of("/tls/ca", "is a private key"),
                at("runner").tlsAuthorities(text), List.of("/tls/ca", "has no certificate"),
                at("runner").tlsAuthorities(folder.resolve("none")), List.of("/tls/ca", "does not exist"),
                at("runner").tlsCertificate(certificate, certificate), List.of("/tls/key", "is a certificate"),
                at("runner").tlsCertificate(key, key), List.of("/tls/cert", "is a private key"));
        faults.forEach((builder, expected) -> {
            ValidationException error = assertThrows(ValidationException.class, builder::build);
            assertEquals("REQUEST_INVALID", error.reason());
            assertEquals(expected.get(0), error.violations().get(0).field());
            assertTrue(error.getMessage().contains(expected.get(1)), error::getMessage);
        });
    }

    @Test
    @DisplayName("is not that an address has no port, or is one of IPv6")
    void addresses() {
        Map.of(
                        "", "127.0.0.1:50151",
                        "localhost", "localhost:50151",
                        "runner.example.com:443", "runner.example.com:443",
                        "::1", "[::1]:50151",
                        "[::1]:80", "[::1]:80",
                        "dns:///runner:80", "dns:///runner:80",
                        "unix:/run/runner", "unix:/run/runner")
                .forEach((given, expected) ->
                        assertEquals(expected, Address.of(given).target()));
        assertTrue(
                Address.of("localhost:1").loopback() && !Address.of("runner:1").loopback());
    }

    @Test
    @DisplayName("is never a proxy where the address is this machine's own")
    void proxies() {
        String address = targets.get("plain");
        Map<String, String> properties =
                Map.of("https.proxyHost", "127.0.0.1", "https.proxyPort", "9", "http.nonProxyHosts", "");
        properties.forEach(System::setProperty);
        try (PluginRunnerClient client = at(address).build()) {
            assertEquals("embedded", client.serverInfo().getEngine());
        } finally {
            properties.keySet().forEach(System::clearProperty);
        }
    }

    @Test
    @DisplayName("is a proxy's own answer where it has a status of HTTP")
    void statuses() {
        Object[][] statuses = {
            {302, Status.UNKNOWN, "INTERNAL", Again.NEVER},
            {400, Status.INTERNAL, "INTERNAL", Again.NEVER},
            {401, Status.UNAUTHENTICATED, "UNAUTHENTICATED", Again.NEVER},
            {403, Status.PERMISSION_DENIED, "FORBIDDEN", Again.NEVER},
            {404, Status.UNIMPLEMENTED, "FORBIDDEN", Again.NEVER},
            {413, Status.UNKNOWN, "REQUEST_INVALID", Again.NEVER},
            {429, Status.UNAVAILABLE, "OVERLOADED", Again.NEVER},
            {431, Status.INTERNAL, "REQUEST_INVALID", Again.NEVER},
            {502, Status.UNAVAILABLE, "UNAVAILABLE", Again.MAYBE},
            {503, Status.UNAVAILABLE, "UNAVAILABLE", Again.MAYBE},
        };
        for (Object[] one : statuses) {
            // The words of gRPC.
            Status status = ((Status) one[1])
                    .withDescription("HTTP status code " + one[0] + "\ninvalid content-type: text/html");
            PluginRunnerException error = CallFailure.of(status, new Metadata(), "runner:1");
            assertEquals(List.of(one[2], one[3]), List.of(error.reason(), error.again()), () -> one[0] + "");
            assertTrue(error.getMessage().contains("(HTTP " + one[0] + ")"), error::getMessage);
        }
    }

    @Test
    @DisplayName("is a proxy's own answer where it comes instead of the service's")
    void proxied() throws Exception {
        for (List<String> one : List.of(
                List.of("403", "FORBIDDEN"),
                List.of("404", "FORBIDDEN"),
                List.of("413", "REQUEST_INVALID"),
                List.of("500", "INTERNAL"))) {
            try (Saying proxy = new Saying(status(one.get(0)));
                    PluginRunnerClient client = at(proxy.address()).build()) {
                PluginRunnerException error = assertThrows(PluginRunnerException.class, client::serverInfo);
                assertEquals(one.get(1), error.reason(), error::getMessage);
                assertTrue(error.getMessage().contains("(HTTP " + one.get(0) + ")"), error::getMessage);
                assertEquals(1, proxy.taken.get());
            }
        }
    }

    @Test
    @DisplayName("is the request's size where the server says so")
    void tooLarge() {
        Status status = Status.RESOURCE_EXHAUSTED.withDescription("Received message larger than max (5 vs. 4)");
        PluginRunnerException error = CallFailure.of(status, new Metadata(), "runner:1");
        assertEquals("REQUEST_INVALID", error.reason());
        assertTrue(error.getMessage().contains("--max-request-size"), error::getMessage);
    }
}
