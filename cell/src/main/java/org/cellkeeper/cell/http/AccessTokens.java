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
import java.util.List;
import java.util.function.Supplier;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.cellkeeper.cell.model.ApiUser;
import org.jspecify.annotations.Nullable;

/**
 * Tokens that every cell can check without asking another: a random id, the time of expiry and whose it is, signed. The key is derived
 * from the first of the cluster's secrets and the user's name, role and password, so that a token carries the role that its user had, and a
 * new password or another role ends the user's sessions. What another of the secrets has signed is believed as long as that is listed. Any thread may use it.
 */
final class AccessTokens {
    static final Duration LIFETIME = Duration.ofHours(1);

    private static final String VERSION = "ck2";
    private static final int ID_BYTES = 16;
    private static final int MAC_BYTES = 32;
    private static final int HEAD_BYTES = ID_BYTES + Long.BYTES;
    private static final int MOST_BYTES = HEAD_BYTES + 256;

    private final SecureRandom random = new SecureRandom();
    private final Supplier<List<String>> secrets;
    private final Users users;

    /** @param secrets the one that signs first */
    AccessTokens(Supplier<List<String>> secrets, Users users) {
        this.secrets = secrets;
        this.users = users;
    }

    /** What a token stands for. */
    record Session(String id, Instant expires, Users.Known user) {}

    /** A new token, and what it stands for. */
    record Issued(String token, Session session) {
        /** Without the token. */
        @Override
        public String toString() {
            return session.toString();
        }
    }

    Issued issue(Users.Known user, Instant now) {
        byte[] id = new byte[ID_BYTES];
        random.nextBytes(id);
        Instant expires = Instant.ofEpochSecond(now.plus(LIFETIME).getEpochSecond());
        byte[] name = bytes(user.user().name());
        byte[] payload = ByteBuffer.allocate(HEAD_BYTES + name.length)
                .put(id)
                .putLong(expires.getEpochSecond())
                .put(name)
                .array();
        String token = VERSION + "." + text(payload) + "."
                + text(signature(secrets.get().getFirst(), user, payload));
        return new Issued(token, new Session(HexFormat.of().formatHex(id), expires, user));
    }

    /** Null for what no cell of this cluster has issued to a user as it is now, and for what has expired. */
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
        if (payload.length < HEAD_BYTES || payload.length > MOST_BYTES || signature.length != MAC_BYTES) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.wrap(payload);
        byte[] id = new byte[ID_BYTES];
        buffer.get(id);
        long expires = buffer.getLong();
        Users.Known user = users.find(StandardCharsets.UTF_8.decode(buffer).toString());
        if (user == null
                || secrets.get().stream()
                        .noneMatch(secret -> MessageDigest.isEqual(signature, signature(secret, user, payload)))) {
            return null;
        }
        Instant end = Instant.ofEpochSecond(expires);
        return now.isBefore(end) ? new Session(HexFormat.of().formatHex(id), end, user) : null;
    }

    private static byte[] signature(String secret, Users.Known known, byte[] payload) {
        ApiUser user = known.user();
        byte[] key = mac(
                bytes(secret),
                bytes("api token\n" + user.name() + "\n" + user.role() + "\n"
                        + user.secret().text()));
        return mac(
                key,
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
