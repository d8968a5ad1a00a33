package org.cellkeeper.cell.postgres;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a postmaster's lock file says. PostgreSQL writes it line by line while it starts, in an order that differs between its versions:
 * a line that is missing or empty says nothing yet.
 *
 * @param pid of the postmaster; 0 when the file does not say
 * @param port 0 when the file does not say
 * @param listening null when the file does not say yet
 * @param ready whether the postmaster says that it takes connections
 */
record LockFile(long pid, int port, @Nullable Listening listening, boolean ready) {
    /** Where a postmaster listens. */
    record Listening(String host, int port) {
        @Override
        public String toString() {
            return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
        }
    }

    static final String NAME = "postmaster.pid";

    private static final int PID = 0;
    private static final int PORT = 3;
    private static final int HOST = 5;
    private static final int STATUS = 7;

    /** As it is now; one that cannot be read says nothing. */
    static LockFile in(Path dataDir) {
        try {
            return of(OwnedFiles.read(dataDir.resolve(NAME)));
        } catch (UncheckedIOException e) {
            return of(null);
        }
    }

    /** @param text null when there is no file */
    static LockFile of(@Nullable String text) {
        String[] lines = (text == null ? "" : text).split("\n", -1);
        String host = line(lines, HOST);
        int port = (int) number(line(lines, PORT));
        return new LockFile(
                number(line(lines, PID)),
                port,
                host.isEmpty() || port == 0 ? null : new Listening(host, port),
                line(lines, STATUS).equals("ready"));
    }

    /** Only a line that has its end is whole. */
    private static String line(String[] lines, int n) {
        return n < lines.length - 1 ? lines[n].strip() : "";
    }

    private static long number(String line) {
        return line.matches("[0-9]{1,9}") ? Long.parseLong(line) : 0;
    }
}
