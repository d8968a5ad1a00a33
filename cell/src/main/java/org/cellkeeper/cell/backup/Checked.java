package org.cellkeeper.cell.backup;

import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.port.BackupFailure;

/** A file that is read: its end comes only when it was what its manifest says. An interrupt of the thread ends it. */
final class Checked extends InputStream {
    private final Backup.Part part;
    private final InputStream in;
    private final MessageDigest digest = sha256();
    private long left;
    private boolean proved;

    Checked(Backup.Part part, InputStream in) {
        this.part = part;
        this.in = in;
        this.left = part.size();
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("no SHA-256 in this Java", e);
        }
    }

    static BackupFailure damaged(Backup.Part part, String how) {
        return new BackupFailure(
                "the backup is damaged: " + part.name() + " " + how + "; nothing was changed, use another one");
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int from, int length) throws IOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new BackupFailure("interrupted");
        }
        if (length == 0) {
            return 0;
        }
        int read = left == 0 ? -1 : in.read(bytes, from, (int) Math.min(length, left));
        if (read < 0) {
            prove();
            return -1;
        }
        digest.update(bytes, from, read);
        left -= read;
        return read;
    }

    private void prove() throws IOException {
        if (proved) {
            return;
        }
        // It may have grown since it was looked at.
        if (left > 0 || in.read() >= 0) {
            throw damaged(part, "has not the " + part.size() + " bytes that were written");
        }
        if (!HexFormat.of().formatHex(digest.digest()).equals(part.sha256())) {
            throw damaged(part, "is not what was written");
        }
        proved = true;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
