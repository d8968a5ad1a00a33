package org.cellkeeper.cell.backup;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.cellkeeper.cell.model.Signature;
import org.jspecify.annotations.Nullable;

/**
 * Signs manifests, and tells what a signature proves. None of the keys is ever where the backups are. A signature names its key by a
 * digest, so that one of another cluster's can be told from a manifest that was changed.
 */
public final class Signatures {
    private static final String ALGORITHM = "HMAC-SHA256";
    private static final String MAC = "HmacSHA256";
    private static final Pattern FORM = Pattern.compile(ALGORITHM + " ([0-9a-f]{16}) ([0-9a-f]{64})\n?");

    private record Key(SecretKeySpec secret, String id) {
        static Key of(String text) {
            SecretKeySpec secret = new SecretKeySpec(text.getBytes(StandardCharsets.UTF_8), MAC);
            byte[] digest = mac(secret, "name of this key".getBytes(StandardCharsets.UTF_8));
            return new Key(secret, HexFormat.of().formatHex(Arrays.copyOf(digest, 8)));
        }
    }

    private final Supplier<List<String>> texts;

    /** @param keys the first one signs, what any of them signed is valid */
    public Signatures(List<String> keys) {
        this(() -> keys);
    }

    /** @param keys the same, as they are each time that something is signed or looked at */
    public Signatures(Supplier<List<String>> keys) {
        this.texts = keys;
    }

    private List<Key> keys() {
        return texts.get().stream().map(Key::of).toList();
    }

    byte[] sign(byte[] manifest) {
        Key first = keys().getFirst();
        return (ALGORITHM + " " + first.id() + " " + HexFormat.of().formatHex(mac(first.secret(), manifest)) + "\n")
                .getBytes(StandardCharsets.UTF_8);
    }

    /** @param signature null when there is none */
    Signature of(byte[] manifest, byte @Nullable [] signature) {
        if (signature == null) {
            return Signature.MISSING;
        }
        Matcher parts = FORM.matcher(new String(signature, StandardCharsets.UTF_8));
        if (!parts.matches()) {
            return Signature.WRONG;
        }
        byte[] said = HexFormat.of().parseHex(parts.group(2));
        List<Key> keys = keys();
        if (keys.stream().anyMatch(key -> MessageDigest.isEqual(mac(key.secret(), manifest), said))) {
            return Signature.VALID;
        }
        return keys.stream().anyMatch(key -> key.id().equals(parts.group(1))) ? Signature.WRONG : Signature.FOREIGN;
    }

    private static byte[] mac(SecretKeySpec key, byte[] message) {
        try {
            Mac mac = Mac.getInstance(MAC);
            mac.init(key);
            return mac.doFinal(message);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no HmacSHA256", e);
        }
    }
}
