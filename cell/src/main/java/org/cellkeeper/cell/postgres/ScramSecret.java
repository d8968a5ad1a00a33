package org.cellkeeper.cell.postgres;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * What PostgreSQL keeps of a password (RFC 5802, RFC 7677). To give a role the password that it has makes another secret all the same, by
 * a new salt; whoever keeps the old one, as the doors do for their clients, is not let in any more.
 */
final class ScramSecret {
    private static final Pattern FORM =
            Pattern.compile("SCRAM-SHA-256\\$([0-9]{1,7}):([A-Za-z0-9+/=]+)\\$([A-Za-z0-9+/=]+):[A-Za-z0-9+/=]+");
    private static final int KEY_BITS = 256;

    private ScramSecret() {}

    /** Whether it is surely this password's; not of one with letters that are prepared first (RFC 4013). */
    static boolean isOf(String password, @Nullable String secret) {
        Matcher parts = FORM.matcher(secret == null ? "" : secret);
        if (!parts.matches() || password.isEmpty()) {
            return false;
        }
        try {
            Base64.Decoder decoder = Base64.getDecoder();
            byte[] salted = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                    .generateSecret(new PBEKeySpec(
                            password.toCharArray(),
                            decoder.decode(parts.group(2)),
                            Integer.parseInt(parts.group(1)),
                            KEY_BITS))
                    .getEncoded();
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(salted, "HmacSHA256"));
            byte[] client = mac.doFinal("Client Key".getBytes(StandardCharsets.US_ASCII));
            byte[] stored = MessageDigest.getInstance("SHA-256").digest(client);
            return MessageDigest.isEqual(stored, decoder.decode(parts.group(3)));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            return false;
        }
    }
}
