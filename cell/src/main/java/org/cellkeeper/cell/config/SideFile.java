package org.cellkeeper.cell.config;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

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
        return withoutEnd(content);
    }

    /** What it held, byte by byte. */
    byte[] content() {
        return content.clone();
    }

    static byte[] withoutEnd(byte[] bytes) {
        int length = bytes.length;
        while (length > 0 && bytes[length - 1] <= ' ' && bytes[length - 1] >= 0) {
            length--;
        }
        return Arrays.copyOf(bytes, length);
    }

    /** The password that it held. */
    public String password() {
        return new String(secret(), StandardCharsets.UTF_8);
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
