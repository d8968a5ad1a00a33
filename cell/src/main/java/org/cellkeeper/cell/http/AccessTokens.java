package org.cellkeeper.cell.http;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Tokens that every cell can check without asking another: a random id and the time of expiry, signed. The key is derived from the
 * cluster's secret and the password, so that a new password ends all sessions. Any thread may use it.
 */
final class AccessTokens {
    static final Duration LIFETIME = Duration.ofHours(1);

    private static final String VERSION = "ck1";
    private static final int ID_BYTES = 16;
    private static final int MAC_BYTES = 32;
    private static final int PAYLOAD_BYTES = ID_BYTES + Long.BYTES;

    private final SecureRandom random = new SecureRandom();
    private final SecretKeySpec key;

    AccessTokens(String secret, String password) {
        byte[] material = mac(bytes(secret), bytes("api token\n" + password));
        this.key = new SecretKeySpec(material, "HmacSHA256");
    }

    /** What a token stands for. */
    record Session(String id, Instant expires) {}

    /** A new token, and what it stands for. */
    record Issued(String token, Session session) {
        /** Without the token. */
        @Override
        public String toString() {
            return session.toString();
        }
    }

    Issued issue(Instant now) {
        byte[] id = new byte[ID_BYTES];
        random.nextBytes(id);
        Instant expires = Instant.ofEpochSecond(now.plus(LIFETIME).getEpochSecond());
        byte[] payload = ByteBuffer.allocate(PAYLOAD_BYTES)
                .put(id)
                .putLong(expires.getEpochSecond())
                .array();
        String token = VERSION + "." + text(payload) + "." + text(signature(payload));
        return new Issued(token, new Session(HexFormat.of().formatHex(id), expires));
    }

    /** Null for what no cell of this cluster has issued, and for what has expired. */
    @Nullable
    Session verify(String token, Instant now) {
        String[] parts = token.split("\\.", -1);
        if (parts.length != 3 || !parts[0].equals(VERSION)) {
            return null;
        }
        byte[] payload;
        byte[] signature;
        try {
            payload = Base64.getUrlDecoder().decode(parts[1]);
            signature = Base64.getUrlDecoder().decode(parts[2]);
        } catch (IllegalArgumentException e) {
            return null;
        }
        if (payload.length != PAYLOAD_BYTES
                || signature.length != MAC_BYTES
                || !MessageDigest.isEqual(signature, signature(payload))) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.wrap(payload);
        byte[] id = new byte[ID_BYTES];
        buffer.get(id);
        Instant expires = Instant.ofEpochSecond(buffer.getLong());
        return now.isBefore(expires) ? new Session(HexFormat.of().formatHex(id), expires) : null;
    }

    private byte[] signature(byte[] payload) {
        return mac(
                key.getEncoded(),
                ByteBuffer.allocate(VERSION.length() + payload.length)
                        .put(bytes(VERSION))
                        .put(payload)
                        .array());
    }

    private static byte[] mac(byte[] key, byte[] message) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(message);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no HmacSHA256", e);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }
}
