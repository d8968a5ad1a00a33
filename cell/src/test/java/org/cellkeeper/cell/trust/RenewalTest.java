package org.cellkeeper.cell.trust;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Certificates that are replaced in their files while a cell runs. */
final class RenewalTest {
    private static final String HOST = "10.0.0.1";
    private static final Authority AUTHORITY = Authority.create("an authority", Duration.ofDays(100));

    @TempDir
    private Path folder;

    private final List<Identity> renewed = new ArrayList<>();
    private Credentials credentials;
    private TrustFolder kept;
    private Renewal renewal;

    @BeforeEach
    void begin() throws Exception {
        Identity first = issue("cell-1", Duration.ofDays(90));
        credentials = new Credentials(Encryption.REQUIRED, first);
        credentials.onRenewal(renewed::add);
        kept = new TrustFolder(folder.resolve("tls"));
        kept.write(first);
        renewal = new Renewal(
                new Renewal.Files(folder.resolve("ca"), folder.resolve("chain"), folder.resolve("key")),
                "cell-1",
                HOST,
                kept,
                credentials);
    }

    /** And puts it in the files. */
    private Identity issue(String cell, Duration validFor) throws Exception {
        Authority.Issued issued = AUTHORITY.issue(cell, List.of(HOST), validFor);
        Files.writeString(folder.resolve("ca"), Pem.text(AUTHORITY.certificate()));
        Files.writeString(folder.resolve("chain"), Pem.text(issued.certificate()));
        Files.writeString(folder.resolve("key"), Pem.text(issued.key()));
        return Identity.of(
                Files.readString(folder.resolve("ca")),
                Files.readString(folder.resolve("chain")),
                Files.readString(folder.resolve("key")));
    }

    @Test
    void aNewOneIsTakenUpOnceAndKept() throws Exception {
        assertThat(renewal.look()).isEmpty();
        assertThat(renewed).isEmpty();
        Identity next = issue("cell-1", Duration.ofDays(80));
        assertThat(renewal.look()).isEmpty();
        assertThat(renewal.look()).isEmpty();
        assertThat(renewed).containsExactly(next);
        assertThat(credentials.identity()).isEqualTo(next);
        assertThat(kept.own()).hasContent(next.key() + next.chain());
    }

    @Test
    void whatCannotBeUsedLeavesTheOneBeforeInForce() throws Exception {
        Identity first = credentials.identity();
        issue("cell-2", Duration.ofDays(80));
        renewal.look();
        issue("cell-1", Duration.ofMinutes(-1));
        renewal.look();
        Files.writeString(folder.resolve("key"), "");
        renewal.look();
        Files.delete(folder.resolve("ca"));
        renewal.look();
        assertThat(credentials.identity()).isEqualTo(first);
        assertThat(renewed).isEmpty();
        assertThat(kept.own()).hasContent(first.key() + first.chain());
    }

    @Test
    void thatItEndsSoonIsSaidUntilThereIsAnother() throws Exception {
        issue("cell-1", Duration.ofDays(20));
        assertThat(renewal.look()).startsWith("this cell's certificate, or one of its authorities, ends on ");
        issue("cell-1", Duration.ofDays(90));
        assertThat(renewal.look()).isEmpty();
    }
}
