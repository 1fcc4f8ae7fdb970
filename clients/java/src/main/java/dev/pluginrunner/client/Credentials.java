package dev.pluginrunner.client;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;

/**
 * The files of TLS; null for those that are not given.
 *
 * @param tls whether TLS is spoken at all
 */
record Credentials(boolean tls, Path authorities, Path certificate, Path key) {
    private static final String CERTIFICATE = "-----BEGIN CERTIFICATE-----";
    private static final String KEY = "PRIVATE KEY-----";

    ChannelCredentials read() {
        if (!tls) return InsecureChannelCredentials.create();
        TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
        try {
            if (authorities != null) credentials.trustManager(stream(certificates("/tls/ca", authorities)));
            if (certificate != null) {
                byte[] chain = certificates("/tls/cert", certificate);
                credentials.keyManager(stream(chain), stream(keys("/tls/key", key)));
            }
        } catch (IOException unusable) {
            throw Failure.request("/tls", "has files that cannot be used: " + unusable.getMessage(), unusable);
        }
        return credentials.build();
    }

    private static byte[] certificates(String field, Path file) {
        byte[] pem = bytes(field, file);
        String text = new String(pem, StandardCharsets.ISO_8859_1);
        if (!text.contains(CERTIFICATE)) {
            String what = text.contains(KEY) ? "is a private key, and no certificate" : "has no certificate in PEM";
            throw Failure.request(field, file + " " + what);
        }
        try {
            CertificateFactory.getInstance("X.509").generateCertificates(stream(pem));
        } catch (GeneralSecurityException malformed) {
            throw Failure.request(field, file + " has a malformed certificate: " + malformed.getMessage(), malformed);
        }
        return pem;
    }

    private static byte[] keys(String field, Path file) {
        byte[] pem = bytes(field, file);
        String text = new String(pem, StandardCharsets.ISO_8859_1);
        if (text.contains(KEY)) return pem;
        String what = text.contains(CERTIFICATE) ? "is a certificate, and no private key" : "has no private key in PEM";
        throw Failure.request(field, file + " " + what);
    }

    private static byte[] bytes(String field, Path file) {
        if (file == null) throw Failure.request(field, "is missing");
        try {
            return Files.readAllBytes(file);
        } catch (NoSuchFileException missing) {
            throw Failure.request(field, file + " does not exist", missing);
        } catch (IOException unreadable) {
            throw Failure.request(field, file + " cannot be read: " + unreadable.getMessage(), unreadable);
        }
    }

    private static ByteArrayInputStream stream(byte[] bytes) {
        return new ByteArrayInputStream(bytes);
    }
}
