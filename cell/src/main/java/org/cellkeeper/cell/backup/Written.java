package org.cellkeeper.cell.backup;

import java.io.IOException;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.Backup;

/** A file in the making: its checksum is that of what is written here, not of what lies there afterwards. */
final class Written extends OutputStream {
    private final String name;
    private final OutputStream out;
    private final Consumer<Backup.Part> made;
    private final MessageDigest digest = Checked.sha256();
    private long size;
    private boolean closed;

    /** @param made is told when it is closed */
    Written(String name, OutputStream out, Consumer<Backup.Part> made) {
        this.name = name;
        this.out = out;
        this.made = made;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int length) throws IOException {
        out.write(bytes, from, length);
        digest.update(bytes, from, length);
        size += length;
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        out.close();
        made.accept(new Backup.Part(name, size, HexFormat.of().formatHex(digest.digest())));
    }
}
