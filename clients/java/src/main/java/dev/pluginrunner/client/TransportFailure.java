package dev.pluginrunner.client;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pluginrunner.client.Failure.Again;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;

/** What a status means that the service did not send: the connection, a proxy or this client's own gRPC did. */
final class TransportFailure {
    private static final Pattern HTTP_STATUS = Pattern.compile("HTTP status code (\\d+)");

    /** What gRPC says of a first frame of HTTP/2 that is none: its bytes. */
    private static final Pattern NO_SETTINGS = Pattern.compile("not SETTINGS. Hex dump for first \\d+ bytes: (\\w+)");

    private final Status status;
    private final String address;
    private final Throwable cause;

    private TransportFailure(Status status, String address, Throwable cause) {
        this.status = status;
        this.address = address;
        this.cause = cause;
    }

    static Failure of(Status status, String address, Throwable cause) {
        TransportFailure failure = new TransportFailure(status, address, cause);
        return Stream.<Optional<Failure>>of(
                        failure.ofMessage(),
                        failure.ofSpeech(),
                        failure.ofSilence(),
                        failure.ofCertificates(),
                        failure.ofHttp())
                .flatMap(Optional::stream)
                .findFirst()
                .orElseGet(failure::ofCode);
    }

    /** A host that takes no connection, or takes it and says nothing. */
    static PluginRunnerException silent(String address, Duration patience) {
        String message = "No answer from " + address + " within " + patience.toMillis() / 1000.0
                + " s. It is silent: see that the address is the service's.";
        return Failure.of(Reason.UNAVAILABLE, Code.UNAVAILABLE, message, Again.WHEN_LOST, null)
                .exception();
    }

    /** A server that closed the connection without a word, because it is TLS that it speaks. */
    static PluginRunnerException speaksTls(String address, Throwable cause) {
        String message = "The server at " + address + " speaks TLS: connect with tls().";
        return Failure.of(Reason.UNAVAILABLE, Code.UNAVAILABLE, message, Again.NEVER, cause)
                .exception();
    }

    /** What one message is too large for, or no message at all. */
    private Optional<Failure> ofMessage() {
        if (causes().anyMatch(InvalidProtocolBufferException.class::isInstance)) {
            String why = " cannot be read by this client: it is nested too deep or damaged (" + text() + ")";
            return certain(Reason.INTERNAL, "The answer of " + address + why);
        }
        if (status.getCode() != Code.RESOURCE_EXHAUSTED) return Optional.empty();
        if (text().startsWith("gRPC message exceeds maximum size")) {
            String what = " is larger than the " + Connection.MAX_MESSAGE_BYTES + " bytes that this client takes";
            return certain(Reason.INTERNAL, "The answer of " + address + what);
        }
        return certain(
                Reason.REQUEST_INVALID,
                "The request is larger than the server at " + address + " takes (" + text()
                        + "). Send a file's path instead, or start the server with a larger --max-request-size");
    }

    /** What the server speaks instead of what it was spoken to in. */
    private Optional<Failure> ofSpeech() {
        Matcher bytes = NO_SETTINGS.matcher(text());
        boolean found = bytes.find();
        if (found && (bytes.group(1).startsWith("15") || bytes.group(1).startsWith("16"))) {
            return certain(Reason.UNAVAILABLE, "The server at " + address + " speaks TLS: connect with tls()");
        }
        if (found) {
            String what = " does not speak HTTP/2: it is no plugin-runner service, or another port of it";
            return certain(Reason.UNAVAILABLE, "The server at " + address + what);
        }
        if (has("NotSslRecordException", "not an SSL/TLS record", "WRONG_VERSION_NUMBER", "wrong version number")) {
            return certain(
                    Reason.UNAVAILABLE, "The server at " + address + " does not speak TLS: connect without tls()");
        }
        return Optional.empty();
    }

    /** What TLS refused. */
    private Optional<Failure> ofCertificates() {
        String untrusted = "The certificate of " + address + " is not trusted: ";
        if (has("PKIX path", "unable to find valid certification path", "signature check failed")) {
            String why = "it is signed by none of the given authorities; give its authority by tlsAuthorities(file)";
            return certain(Reason.UNAVAILABLE, untrusted + why);
        }
        if (has("No subject alternative", "No name matching")) {
            return certain(Reason.UNAVAILABLE, untrusted + "it is that of another host (" + text() + ")");
        }
        if (has("CertificateExpiredException", "CertificateNotYetValidException", "NotAfter:")) {
            return certain(Reason.UNAVAILABLE, untrusted + "it has expired or is not yet valid");
        }
        if (has("CERTIFICATE_REQUIRED", "certificate required", "bad_certificate", "BAD_CERTIFICATE")) {
            String what = " wants a certificate of the client that it trusts: give it by tlsCertificate(file, key)";
            return certain(Reason.UNAVAILABLE, "The server at " + address + what);
        }
        if (causes().anyMatch(SSLException.class::isInstance)) {
            return certain(Reason.UNAVAILABLE, "No connection with TLS to " + address + ": " + text());
        }
        return Optional.empty();
    }

    /** What a proxy answered instead of the service. Only 502, 503 and 504 are worth another try. */
    private Optional<Failure> ofHttp() {
        Matcher found = HTTP_STATUS.matcher(text());
        if (!found.find()) return Optional.empty();
        String number = found.group(1);
        return Optional.of(
                switch (number) {
                    case "401", "407" -> proxy(Reason.UNAUTHENTICATED, "wants credentials", number, Again.NEVER);
                    case "403" -> proxy(Reason.FORBIDDEN, "refuses the call", number, Again.NEVER);
                    case "404" -> proxy(Reason.FORBIDDEN, "does not know this service", number, Again.NEVER);
                    case "413" -> proxy(Reason.REQUEST_INVALID, "refuses a request of this size", number, Again.NEVER);
                    case "431" -> proxy(Reason.REQUEST_INVALID, "refuses headers of this size", number, Again.NEVER);
                    case "429" -> proxy(Reason.OVERLOADED, "takes no more calls for now", number, Again.NEVER);
                    case "502", "503", "504" ->
                        proxy(Reason.UNAVAILABLE, "finds no service that answers", number, Again.MAYBE);
                    default -> proxy(Reason.INTERNAL, "refuses the call", number, Again.NEVER);
                });
    }

    private Failure proxy(String reason, String what, String number, Again again) {
        return failure(reason, "A proxy at " + address + " " + what + " (HTTP " + number + ").", again);
    }

    private Optional<Failure> ofSilence() {
        boolean timedOut = has("handshake timed out")
                || causes().anyMatch(one ->
                        one instanceof ConnectException && isTimeout(one) || one instanceof InterruptedIOException);
        if (!timedOut) return Optional.empty();
        String message = "No answer from " + address + " in time (" + text()
                + "). It is silent: see that the address is the service's.";
        return Optional.of(failure(Reason.UNAVAILABLE, message, Again.WHEN_LOST));
    }

    private static boolean isTimeout(Throwable error) {
        return String.valueOf(error.getMessage()).contains("timed out");
    }

    private Failure ofCode() {
        String reason =
                switch (status.getCode()) {
                    case UNAVAILABLE, CANCELLED, UNKNOWN, INTERNAL -> Reason.UNAVAILABLE;
                    case DEADLINE_EXCEEDED -> Reason.DEADLINE;
                    case UNAUTHENTICATED -> Reason.UNAUTHENTICATED;
                    case PERMISSION_DENIED -> Reason.FORBIDDEN;
                    default -> Reason.INTERNAL;
                };
        String what = reason.equals(Reason.UNAVAILABLE) ? "No answer from " : "The call failed at ";
        return failure(reason, what + address + ": " + text(), Again.MAYBE);
    }

    private Optional<Failure> certain(String reason, String message) {
        return Optional.of(failure(reason, message + ".", Again.NEVER));
    }

    private Failure failure(String reason, String message, Again again) {
        List<Violation> violations =
                reason.equals(Reason.REQUEST_INVALID) ? List.of(new Violation("", message, "size")) : List.of();
        Map<String, String> metadata =
                Map.of("address", address, "status", status.getCode().name());
        return new Failure(reason, message, status.getCode(), metadata, violations, "", "", null, null, again, cause);
    }

    private boolean has(String... words) {
        String all = causes().map(Throwable::toString).collect(Collectors.joining("\n", text(), ""));
        return Stream.of(words).anyMatch(all::contains);
    }

    /** What happened, with its causes, each said once. */
    private String text() {
        String description = CallFailure.messageOf(status);
        StringBuilder text = new StringBuilder(description);
        causes().map(Throwable::getMessage).filter(message -> message != null).forEach(message -> {
            if (text.indexOf(message) < 0) text.append(": ").append(message);
        });
        return text.toString();
    }

    private Stream<Throwable> causes() {
        return Stream.iterate(status.getCause(), one -> one != null, Throwable::getCause)
                .limit(10);
    }
}
