package dev.pluginrunner.client;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;

/** Asks a server that closes connections without a word whether it is TLS that it speaks. */
final class Probe {
    private static final int PATIENCE_MS = 2000;

    /** The records of TLS that a server begins with: its part of the handshake, or an alert. */
    private static final int HANDSHAKE = 0x16;

    private static final int ALERT = 0x15;

    private static final byte[] CLIENT_HELLO = clientHello();

    private Probe() {}

    /** Whether the server answers the first word of TLS with TLS, be it an alert. */
    static boolean speaksTls(Address address) {
        if (address.host().isEmpty()) return false;
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(address.host(), address.port()), PATIENCE_MS);
            socket.setSoTimeout(PATIENCE_MS);
            socket.getOutputStream().write(CLIENT_HELLO);
            int first = socket.getInputStream().read();
            return first == HANDSHAKE || first == ALERT;
        } catch (IOException gone) {
            return false;
        }
    }

    /** The least that a client of TLS 1.2 may say. */
    private static byte[] clientHello() {
        int[] head = {0x16, 3, 1, 0, 51, 1, 0, 0, 47, 3, 3};
        int[] suites = {0, 0, 8, 0xc0, 0x2f, 0xc0, 0x2b, 0xc0, 0x30, 0xc0, 0x2c, 1, 0};
        int random = 32;
        byte[] hello = new byte[head.length + random + suites.length];
        Arrays.fill(hello, (byte) 0x5a);
        for (int at = 0; at < head.length; at++) hello[at] = (byte) head[at];
        for (int at = 0; at < suites.length; at++) hello[head.length + random + at] = (byte) suites[at];
        return hello;
    }
}
