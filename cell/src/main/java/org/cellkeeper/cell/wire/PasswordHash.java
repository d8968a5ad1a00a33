package org.cellkeeper.cell.wire;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/**
 * A password that cannot be read back: PBKDF2 with HMAC-SHA256, a random salt, and so many iterations that guessing is slow. Its text is
 * {@code pbkdf2-sha256$ITERATIONS$SALT$KEY}, the last two as base64.
 */
public final class PasswordHash {
    public static final int ITERATIONS = 600_000;

    private static final String ALGORITHM = "PBKDF2WithHmacSHA256";
    private static final int SALT_BYTES = 16;
    private static final int KEY_BYTES = 32;
    private static final int LEAST_ITERATIONS = 100_000;
    private static final int MOST_ITERATIONS = 5_000_000;
    private static final Pattern FORM =
            Pattern.compile("pbkdf2-sha256\\$([1-9][0-9]{0,8})\\$([A-Za-z0-9+/]{22,86}={0,2})\\$([A-Za-z0-9+/]{43}=?)");

    private final int iterations;
    private final byte[] salt;
    private final byte[] key;

    private PasswordHash(int iterations, byte[] salt, byte[] key) {
        this.iterations = iterations;
        this.salt = salt;
        this.key = key;
    }

    /** With a new salt. */
    public static PasswordHash of(String password) {
        return of(password, ITERATIONS);
    }

    public static PasswordHash of(String password, int iterations) {
        byte[] salt = new byte[SALT_BYTES];
        new SecureRandom().nextBytes(salt);
        return new PasswordHash(iterations, salt, derived(password, salt, iterations));
    }

    /** Throws IllegalArgumentException, whose message says what is wrong and nothing of the text. */
    public static PasswordHash parse(String text) {
        Matcher form = FORM.matcher(text);
        if (!form.matches()) {
            throw new IllegalArgumentException("the hash is none that 'cellctl user hash' makes");
        }
        int iterations = Integer.parseInt(form.group(1));
        if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
            throw new IllegalArgumentException("the hash has " + iterations + " iterations, and must have "
                    + LEAST_ITERATIONS + " to " + MOST_ITERATIONS);
        }
        byte[] key = Base64.getDecoder().decode(form.group(3));
        if (key.length != KEY_BYTES) {
            throw new IllegalArgumentException("the hash is not whole");
        }
        return new PasswordHash(iterations, Base64.getDecoder().decode(form.group(2)), key);
    }

    /** Takes some tenths of a second, whatever the password is. */
    public boolean isOf(String password) {
        return MessageDigest.isEqual(key, derived(password, salt, iterations));
    }

    public String text() {
        Base64.Encoder base64 = Base64.getEncoder();
        return "pbkdf2-sha256$" + iterations + "$" + base64.encodeToString(salt) + "$" + base64.encodeToString(key);
    }

    private static byte[] derived(String password, byte[] salt, int iterations) {
        PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), salt, iterations, 8 * KEY_BYTES);
        try {
            return SecretKeyFactory.getInstance(ALGORITHM).generateSecret(spec).getEncoded();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no " + ALGORITHM, e);
        } finally {
            spec.clearPassword();
        }
    }

    @Override
    public String toString() {
        return "PasswordHash[***]";
    }
}
