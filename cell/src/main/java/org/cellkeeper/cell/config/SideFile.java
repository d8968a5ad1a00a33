package org.cellkeeper.cell.config;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A file that the configuration names, with what it held when the configuration was read: what was checked is what is used. Only the
 * path is ever shown or written.
 */
public final class SideFile {
    private final Path path;
    private final transient byte[] content;

    SideFile(Path path, byte[] content) {
        this.path = path;
        this.content = content;
    }

    public Path path() {
        return path;
    }

    /** What it held, as text. */
    public String text() {
        return new String(content, StandardCharsets.UTF_8);
    }

    /** The secret that it held: all of it, without line ends and blanks at the end. */
    public byte[] secret() {
        int length = content.length;
        while (length > 0 && content[length - 1] <= ' ' && content[length - 1] >= 0) {
            length--;
        }
        return Arrays.copyOf(content, length);
    }

    /** The password that it held. */
    public String password() {
        return new String(secret(), StandardCharsets.UTF_8);
    }

    /** A secret of its own for each purpose, in hexadecimal: none tells the one that the file held. */
    public String derived(String purpose) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret(), "HmacSHA256"));
            return HexFormat.of().formatHex(mac.doFinal(purpose.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no HmacSHA256", e);
        }
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
