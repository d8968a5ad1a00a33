package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.cellkeeper.cell.backup.ShareBackups;
import org.cellkeeper.cell.backup.Signatures;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.BackupFailure;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Backups of a real PostgreSQL that somebody forged who can write to the share: what they gain by it. */
final class ForgedBundleIT {
    private static final long EPOCH = 3;

    private static PostgresBench bench;
    private static Path share;
    private static Path booty;
    private static Forger forger;
    private static int made;

    private ShareBackups backups;
    private String name;
    private Path bundle;

    @BeforeAll
    static void start() throws Exception {
        bench = new PostgresBench();
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        bench.get(bench.database("a").applySync(SyncSetting.of(Set.of(bench.id("b")), 1, EPOCH)));
        share = bench.dataDir("a").resolveSibling("share");
        Files.createDirectory(share);
        booty = bench.dataDir("a").resolveSibling("booty");
        new OwnedFiles(PostgresBench.osUser()).makeFolder(booty, "rwx------");
        forger = new Forger(bench);
        bench.execute("a", "CREATE TABLE items (what text)");
        bench.execute("a", "ALTER TABLE items OWNER TO vcloud");
    }

    @AfterAll
    static void stop() {
        bench.close();
    }

    private static ShareBackups backups(String secret) {
        return new ShareBackups(
                share,
                new PostgresArchive(bench.settings("a")),
                new CellName("cell-1"),
                "0.1.0",
                "{}".getBytes(StandardCharsets.UTF_8),
                new Signatures(List.of(secret)));
    }

    @BeforeEach
    void aBackup() throws Exception {
        backups = backups("the cluster's secret");
        bench.execute("a", "TRUNCATE items");
        bench.execute("a", "INSERT INTO items VALUES ('true')");
        name = "backup-" + ++made;
        bundle = share.resolve(name);
        backups.create(name, percent -> {});
    }

    private static List<String> list(String sql) throws SQLException {
        List<String> found = new ArrayList<>();
        try (Connection session = bench.agent("a", PostgresSettings.APPLICATION);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            while (row.next()) {
                found.add(row.getString(1));
            }
        }
        return found;
    }

    private static List<Path> booty() throws IOException {
        try (Stream<Path> all = Files.list(booty)) {
            return all.toList();
        }
    }

    /** Neither used nor looked into, and nothing of it is anywhere. */
    private void refused(String words) throws Exception {
        List<Integer> told = new ArrayList<>();
        for (ThrowingCallable use : List.<ThrowingCallable>of(
                () -> backups.restore(name, false, told::add), () -> backups.check(name, false, told::add))) {
            assertThatExceptionOfType(BackupFailure.class).isThrownBy(use).withMessageContaining(words);
        }
        assertThat(told).as("progress of something").isEmpty();
        assertThat(list("SELECT what FROM items")).containsExactly("true");
        assertThat(booty()).isEmpty();
    }

    private void refusedAsChanged() throws Exception {
        refused("it was changed after it was made");
    }

    /** As if it were of before backups were signed, which an operator may accept. */
    private String accepted() throws IOException {
        Files.deleteIfExists(bundle.resolve("manifest.hmac"));
        return backups.restore(name, true, percent -> {});
    }

    // ---- what is in it

    @Test
    void rowsThatWereChangedAreNotBroughtBack() throws Exception {
        forger.edit(bundle, "UPDATE items SET what = 'forged'");
        refusedAsChanged();
    }

    @Test
    void codeThatReadingItWouldRunDoesNotRun() throws Exception {
        // What pg_dump asks first, as the superuser.
        forger.edit(
                bundle,
                "CREATE FUNCTION public.evil() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                        + " COPY (SELECT 1) TO PROGRAM 'cat > " + booty.resolve("dumped") + "'; RETURN true; END $$",
                "SET allow_system_table_mods = on",
                "CREATE OR REPLACE VIEW pg_catalog.pg_roles AS SELECT rolname, rolsuper, rolinherit, rolcreaterole,"
                        + " rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, '********'::text AS rolpassword,"
                        + " rolvaliduntil, rolbypassrls, NULL::text[] COLLATE \"C\" AS rolconfig, oid"
                        + " FROM pg_catalog.pg_authid WHERE public.evil()");
        refusedAsChanged();
    }

    @Test
    void aRoleThatWasAddedIsNotMade() throws Exception {
        forger.edit(bundle, "CREATE ROLE intruder LOGIN PASSWORD 'known'");
        refusedAsChanged();
        assertThat(list("SELECT rolname FROM pg_roles WHERE rolname = 'intruder'"))
                .isEmpty();
    }

    @Test
    void aLibraryThatSessionsBeginWithIsNotLoaded() throws Exception {
        // One that is not there: to try to load it ends the session.
        forger.edit(
                bundle,
                "ALTER ROLE cellkeeper SET session_preload_libraries = '/absent'",
                "ALTER ROLE cellkeeper IN DATABASE vcloud SET local_preload_libraries = 'absent'",
                "ALTER DATABASE vcloud SET session_preload_libraries = '/absent'");
        refusedAsChanged();
        assertThat(accepted()).startsWith("the database of before is kept");
    }

    @Test
    void aSettingThatItCameWithIsNotFollowed() throws Exception {
        Forger.Change settings = data -> Files.writeString(data.resolve("postgresql.auto.conf"), """
                archive_mode = on
                archive_command = 'cp %%p %1$s'
                restore_command = 'touch %1$s/restored'
                archive_cleanup_command = 'touch %1$s/cleaned'
                recovery_end_command = 'touch %1$s/ended'
                """.formatted(booty));
        forger.edit(bundle, settings);
        for (Path path : booty()) {
            Files.delete(path);
        }
        refusedAsChanged();
        assertThat(accepted()).startsWith("the database of before is kept");
        assertThat(booty()).isEmpty();
    }

    @Test
    void aSubscriptionInItCallsNobody() throws Exception {
        try (ServerSocketChannel server =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            server.configureBlocking(false);
            int port = ((InetSocketAddress) server.getLocalAddress()).getPort();
            forger.edit(
                    bundle,
                    "CREATE SUBSCRIPTION calls CONNECTION 'host=127.0.0.1 port=" + port
                            + " user=x password=x dbname=x connect_timeout=2' PUBLICATION p WITH (connect = false)",
                    "ALTER SUBSCRIPTION calls ENABLE");
            refusedAsChanged();
            assertThat(accepted()).contains("subscription calls (left out");
            assertThat(server.accept()).isNull();
        }
    }

    @Test
    void aLinkInItLeadsNowhere() throws Exception {
        forger.pack(bundle, tree -> {
            OwnedFiles.deleteTree(tree.resolve("pg_wal"));
            Files.createSymbolicLink(tree.resolve("pg_wal"), booty);
        });
        refusedAsChanged();
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(this::accepted)
                .withMessageContaining("the backup holds pg_wal, which is a link or no file; nothing was changed");
        assertThat(booty()).isEmpty();
    }

    @Test
    void aPipeInItIsNotWaitedFor() throws Exception {
        forger.pack(bundle, tree -> {
            Files.delete(tree.resolve("PG_VERSION"));
            PostgresBench.run("mkfifo", tree.resolve("PG_VERSION").toString());
        });
        refusedAsChanged();
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(this::accepted)
                .withMessageContaining("the backup holds PG_VERSION, which is a link or no file; nothing was changed");
    }

    // ---- what is said of it

    @Test
    void aLieAboutItsSizeIsNotBelieved() throws Exception {
        Forger.manifest(bundle, manifest -> manifest.put("databaseBytes", 0));
        refusedAsChanged();
    }

    @Test
    void anOlderOneUnderItsNameIsNotTakenForIt() throws Exception {
        bench.execute("a", "UPDATE items SET what = 'older'");
        backups.create("backup-older", percent -> {});
        bench.execute("a", "UPDATE items SET what = 'true'");
        backups.delete(name);
        Files.move(share.resolve("backup-older"), bundle);
        Forger.manifest(bundle, manifest -> manifest.put("name", name));
        refusedAsChanged();
    }

    @Test
    void anotherClustersIsNotTakenForOnesOwn() throws Exception {
        bench.execute("a", "UPDATE items SET what = 'theirs'");
        backups.delete(name);
        backups("another secret").create(name, percent -> {});
        bench.execute("a", "UPDATE items SET what = 'true'");
        refused("it is signed with another secret than this cluster's");
    }

    @Test
    void withoutASignatureItIsNotTakenForOneOfBefore() throws Exception {
        forger.edit(bundle, "UPDATE items SET what = 'forged'");
        Files.delete(bundle.resolve("manifest.hmac"));
        refused("it has no signature");
    }

    // ---- what is changed meanwhile

    private Path forgedTwin() throws Exception {
        Path twin = share.resolve(".twin");
        OwnedFiles.deleteTree(twin);
        Forger.copy(bundle, twin);
        forger.edit(twin, "UPDATE items SET what = 'forged'");
        return twin;
    }

    private static void swap(Path base, Path twin) {
        try {
            if (Files.exists(base.resolve("base.tar.gz"))) {
                Forger.overwrite(twin.resolve("base"), base);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void whatWasChangedAfterItWasLookedAtIsNotUsed() throws Exception {
        Path twin = forgedTwin();
        // It is looked at, and then it is read.
        try {
            backups.restore(name, false, percent -> swap(bundle.resolve("base"), twin));
        } catch (BackupFailure late) {
            assertThat(late).hasMessageContaining("damaged");
        }
        assertThat(list("SELECT what FROM items")).containsExactly("true");
    }

    @Test
    void whatWasChangedBeforeItWasSignedIsNotVouchedFor() throws Exception {
        Path twin = forgedTwin();
        String next = "backup-" + ++made;
        backups.create(next, percent -> {
            if (percent >= 80) {
                swap(share.resolve(".partial-" + next).resolve("base"), twin);
            }
        });
        swap(share.resolve(next).resolve("base"), twin);
        name = next;
        refused("the backup is damaged: base/base.tar.gz has ");
    }

    @Test
    void aFileThatIsMovedIntoItsPlaceIsReadOnce() throws Exception {
        Path file = bundle.resolve("base/base.tar.gz");
        Path twin = forgedTwin().resolve("base/base.tar.gz");
        Files.move(twin, file, StandardCopyOption.REPLACE_EXISTING);
        refused("the backup is damaged: base/base.tar.gz has ");
    }

    @Test
    void oneThatNobodyTouchedComesBack() throws Exception {
        bench.execute("a", "UPDATE items SET what = 'later'");
        assertThat(backups.check(name, false, percent -> {})).isEmpty();
        assertThat(backups.restore(name, false, percent -> {})).startsWith("the database of before is kept");
        assertThat(list("SELECT what FROM items")).containsExactly("true");
    }
}
