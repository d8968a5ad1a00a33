package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Volumes that are mounted, or linked to, where a clone could not be moved: it is said so, and nothing is deleted. */
final class PlacesIT {
    private static final Duration SOON = Duration.ofSeconds(20);

    private final PostgresBench bench;

    PlacesIT() throws IOException {
        bench = new PostgresBench();
    }

    @BeforeEach
    void aPrimaryRuns() {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private CompletableFuture<?> clone(String name) {
        return bench.database(name).cloneFrom(bench.upstream("a", 1), bench.id(name), percent -> {});
    }

    private void assertRefused(String words) {
        assertThatThrownBy(() -> bench.get(clone("b")))
                .isInstanceOf(DatabaseFailure.class)
                .hasMessageContaining(words);
        assertThatThrownBy(() -> bench.get(bench.database("b").wipe()))
                .isInstanceOf(DatabaseFailure.class)
                .hasMessageContaining(words);
        bench.awaitTrue(
                SOON, () -> bench.get(bench.database("b").observe()).problem().contains(words), "the status says it");
    }

    @Test
    void aLinkInPlaceOfTheDataIsLeftAlone() throws Exception {
        Path elsewhere = Files.createDirectories(bench.dataDir("b").resolveSibling("elsewhere"));
        Files.writeString(elsewhere.resolve("mine"), "x");
        Files.createSymbolicLink(bench.dataDir("b"), elsewhere);
        assertRefused("is a symbolic link, which a clone would replace");
        assertThat(bench.dataDir("b")).isSymbolicLink();
        assertThat(elsewhere.resolve("mine")).exists();
        // A link above the data directory is followed.
        Files.delete(bench.dataDir("b"));
        bench.get(clone("b"));
    }

    @Test
    void aLinkInPlaceOfTheWalIsLeftAlone() throws Exception {
        bench.get(clone("b"));
        Path wal = bench.dataDir("b").resolve("pg_wal");
        Path elsewhere = bench.dataDir("b").resolveSibling("wal");
        PostgresBench.run("mv", wal.toString(), elsewhere.toString());
        Files.createSymbolicLink(wal, elsewhere);
        assertRefused("is a symbolic link, which a clone would not keep");
        assertThat(wal).isSymbolicLink();
        assertThat(bench.dataDir("b").resolve("PG_VERSION")).exists();
    }

    @Test
    void aMountInPlaceOfTheDataIsLeftAlone() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root may mount");
        Path place = Files.createDirectories(bench.dataDir("b"));
        PostgresBench.run("mount", "-t", "tmpfs", "-o", "size=1m", "cellkeeper-test", place.toString());
        try {
            Files.writeString(place.resolve("mine"), "x");
            assertRefused("is a mount of its own");
            assertThat(place.resolve("mine")).exists();
        } finally {
            PostgresBench.run("umount", place.toString());
        }
    }
}
