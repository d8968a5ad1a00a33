package org.cellkeeper.cell.peer;

import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** One of the cluster's secrets, as a maker of HMACs. It is never sent and never printed. */
final class Secret {
    /** Bytes of an HMAC. */
    static final int LENGTH = 32;

    private static final String ALGORITHM = "HmacSHA256";
    private static final int SHORTEST = 16;

    private final SecretKeySpec key;

    Secret(byte[] bytes) {
        if (bytes.length < SHORTEST) {
            throw new IllegalArgumentException("the cluster's secret needs " + SHORTEST + " bytes at least");
        }
        key = new SecretKeySpec(bytes, ALGORITHM);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Secret secret && key.equals(secret.key);
    }

    @Override
    public int hashCode() {
        return key.hashCode();
    }

    byte[] sign(String purpose, byte[] text) {
        Mac mac = mac(key);
        mac.update(purpose.getBytes(StandardCharsets.US_ASCII));
        mac.update((byte) 0);
        return mac.doFinal(text);
    }

    /** A key of its own for one purpose of one session. */
    Mac sessionMac(String purpose, byte[] transcript) {
        return mac(new SecretKeySpec(sign(purpose, transcript), ALGORITHM));
    }

    private static Mac mac(SecretKeySpec key) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac;
        } catch (NoSuchAlgorithmException | InvalidKeyException impossible) {
            throw new IllegalStateException("every Java has " + ALGORITHM, impossible);
        }
    }
}
