package dev.pluginrunner.client;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the service is.
 *
 * @param target what gRPC takes it for
 * @param host the host of that; empty where gRPC resolves a name
 * @param port its port
 * @param loopback whether that is this machine
 */
record Address(String target, String host, int port, boolean loopback) {
    /** What the service listens on by default. */
    private static final int DEFAULT_PORT = 50151;

    private static final Pattern URL = Pattern.compile("(https?)://([^/]*)/*(.*)", Pattern.CASE_INSENSITIVE);
    private static final Pattern NAME_OF_GRPC = Pattern.compile("[a-z][a-z0-9+.-]*://.*|unix:.*|dns:[^0-9].*");
    private static final Pattern HOST_AND_PORT = Pattern.compile("(\\[[0-9a-fA-F:.%]+]|[^\\s:/@\\[\\]]+)(?::(.*))?");
    private static final Pattern LOOPBACK = Pattern.compile("localhost|127(\\.\\d+){3}|\\[(::1|0:0:0:0:0:0:0:1)]");

    /** Reads {@code host:port}, {@code host}, or a name that gRPC resolves, such as {@code dns:///runner:50151}. */
    static Address of(String given) {
        String text = given.isEmpty() ? "127.0.0.1" : given;
        Matcher url = URL.matcher(text);
        if (url.matches()) {
            String tls = url.group(1).equalsIgnoreCase("https") ? ", and speak TLS with tls()" : "";
            throw refused(text, "is a URL; give its host and port, \"" + url.group(2) + "\"" + tls);
        }
        if (NAME_OF_GRPC.matcher(text).matches()) return new Address(text, "", 0, false);
        boolean bareIpv6 = text.indexOf(':') != text.lastIndexOf(':') && !text.contains("[");
        Matcher parts = HOST_AND_PORT.matcher(bareIpv6 ? "[" + text + "]" : text);
        if (!parts.matches()) throw refused(text, "is not of the form host:port");
        String host = parts.group(1);
        boolean loopback = LOOPBACK.matcher(host.toLowerCase(Locale.ROOT)).matches();
        int port = parts.group(2) == null ? DEFAULT_PORT : port(text, parts.group(2));
        return new Address(host + ":" + port, host, port, loopback);
    }

    private static int port(String address, String text) {
        int port = text.matches("\\d{1,5}") ? Integer.parseInt(text) : 0;
        if (port < 1 || port > 65535) throw refused(address, "has no port between 1 and 65535");
        return port;
    }

    private static PluginRunnerException refused(String address, String what) {
        return Failure.request("/address", "\"" + address + "\" " + what);
    }
}
