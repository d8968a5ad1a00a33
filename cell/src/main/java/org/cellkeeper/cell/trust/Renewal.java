package org.cellkeeper.cell.trust;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import org.cellkeeper.cell.wire.PlainFiles;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes certificates up that were replaced in their files. Those that cannot be used leave the ones before in force. For one thread. */
public final class Renewal {
    private static final Logger LOG = LoggerFactory.getLogger(Renewal.class);
    private static final int LARGEST = 1 << 20;
    private static final Duration SOON = Duration.ofDays(21);

    private final Files files;
    private final String cell;
    private final String host;
    private final TrustFolder folder;
    private final Credentials credentials;

    /** Where the authorities, the certificate and its key are, as PEM. */
    public record Files(Path authorities, Path chain, Path key) {}

    /** @param folder where they are kept once they were found good */
    public Renewal(Files files, String cell, String host, TrustFolder folder, Credentials credentials) {
        this.files = files;
        this.cell = cell;
        this.host = host;
        this.folder = folder;
        this.credentials = credentials;
    }

    /**
     * Takes up what is new and good. What cannot be used is left where it is: whoever reads the configuration complains of it.
     *
     * @return when what is in force ends, in words; empty while that is not soon
     */
    public String look() {
        renew();
        Identity present = credentials.identity();
        if (present == null) {
            return "";
        }
        Duration left = Duration.between(Instant.now(), present.expires());
        return left.compareTo(SOON) > 0
                ? ""
                : "this cell's certificate, or one of its authorities, " + (left.isNegative() ? "ended" : "ends")
                        + " on "
                        + LocalDate.ofInstant(present.expires(), ZoneOffset.UTC)
                        + ": put another in the place of " + files.chain()
                        + ", which is taken up without a restart";
    }

    private void renew() {
        try {
            Identity now = Identity.of(text(files.authorities()), text(files.chain()), text(files.key()));
            if (!now.equals(credentials.identity()) && now.problem(cell, host).isEmpty()) {
                folder.write(now);
                credentials.renew(now);
                LOG.info("The cell's certificate was replaced: {}", now);
            }
        } catch (IOException | GeneralSecurityException unusable) {
            LOG.debug("The cell's certificate cannot be replaced: {}", unusable.toString());
        }
    }

    private static String text(Path file) throws IOException {
        return new String(PlainFiles.read(file, LARGEST), StandardCharsets.UTF_8);
    }
}
