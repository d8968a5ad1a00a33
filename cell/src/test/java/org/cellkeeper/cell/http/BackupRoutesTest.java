package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.BackupFile;
import org.cellkeeper.api.BackupInfo;
import org.cellkeeper.api.MountInfo;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.port.BackupOperator.Request;
import org.cellkeeper.cell.port.Backups;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Backups and the transfer share, as a client of the API meets them. */
final class BackupRoutesTest {
    private final FakeBackups backups = new FakeBackups();

    @TempDir
    private Path directory;

    private ApplianceApi api;
    private ApplianceClient client;
    private URI cell;

    @BeforeEach
    void serve() throws Exception {
        int port = freePort();
        api = serve(port, new FakeOperator(), backups);
        cell = URI.create("https://127.0.0.1:" + port);
        client = new ApplianceClient(List.of(cell), "root", "word", ApplianceClient.trustAll());
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private ApplianceApi serve(int port, FakeOperator operator, FakeBackups itsBackups) {
        ApplianceApi made = new ApplianceApi(
                ApiSettings.of(
                        FakeOperator.CELL_1, new Address("127.0.0.1", 5432, port, 5481), directory, "word", "secret"),
                operator,
                itsBackups,
                new FakeApp(),
                new FakeRevocations(),
                null,
                () -> "");
        made.start();
        return made;
    }

    @AfterEach
    void stop() {
        client.close();
        api.close();
    }

    @Test
    void backupsAreToldPageByPageWithWhereTheyLie() {
        backups.count = 51;
        assertThat(client.backups())
                .hasSize(51)
                .startsWith(new BackupFile("2026-01-02T12:00:00.123Z", "/transfer/backup-0", "backup-0", 42, "0.1.0"))
                .extracting(BackupFile::name)
                .doesNotHaveDuplicates();
        backups.count = 0;
        assertThat(client.backups()).isEmpty();
    }

    @Test
    void oneBackupTellsWhatItsManifestSays() {
        BackupInfo told = client.backup("backup-0");
        assertThat(told.lsn()).isEqualTo("0/3000100");
        assertThat(told.files()).contains(new BackupInfo.Part("base/base.tar.gz", 40, "aa"));
        assertThat(told.warnings()).containsExactly("event trigger watch (left out)");
        refused(404, "no-such-backup", () -> client.backup("backup-1"));
    }

    @Test
    void aDamagedBackupIsNotOneThatThereNeverWas() {
        refused(409, "backup-damaged", () -> client.submit(new ApplianceClient.Request.CheckBackup("backup-damaged")));
        assertThat(backups.asked).isEmpty();
    }

    @Test
    void requestsReachTheOperatorAsTheyWereMeant() {
        assertThat(client.submit(new ApplianceClient.Request.Backup(false))).isEqualTo("task-7");
        client.submit(new ApplianceClient.Request.Backup(true));
        client.submit(new ApplianceClient.Request.CheckBackup("backup-0"));
        client.submit(new ApplianceClient.Request.Restore("backup-0", "backup-0"));
        client.submit(new ApplianceClient.Request.DeleteBackup("backup-0"));
        assertThat(backups.asked)
                .containsExactly(
                        new Request.Create(false, false),
                        new Request.Create(true, false),
                        new Request.Check("backup-0", false),
                        new Request.Restore("backup-0", false),
                        new Request.Delete("backup-0", false));
    }

    @Test
    void aClientThatPrefersAStandbyAsksOneWhereOneAnswers() throws Exception {
        int port = freePort();
        URI standby = URI.create("https://127.0.0.1:" + port);
        URI silent = URI.create("https://127.0.0.1:" + freePort());
        FakeOperator operator = new FakeOperator();
        FakeBackups itsBackups = new FakeBackups();
        try (ApplianceApi _ = serve(port, operator, itsBackups);
                ApplianceClient all = new ApplianceClient(
                        List.of(silent, cell, standby), "root", "word", ApplianceClient.trustAll())) {
            all.preferStandby();
            all.submit(new ApplianceClient.Request.CheckBackup("backup-0"));
            assertThat(backups.asked).hasSize(1);
            operator.primary = false;
            all.preferStandby();
            all.submit(new ApplianceClient.Request.CheckBackup("backup-0"));
        }
        assertThat(itsBackups.asked).containsExactly(new Request.Check("backup-0", false));
        assertThat(backups.asked).hasSize(1);
    }

    @Test
    void aRestoreThatIsNotConfirmedIsRefusedAndNotAskedFor() {
        refused(400, "bad-request", () -> client.submit(new ApplianceClient.Request.Restore("backup-0", "yes")));
        refused(
                404,
                "no-such-backup",
                () -> client.submit(new ApplianceClient.Request.Restore("backup-9", "backup-9")));
        refused(404, "no-such-backup", () -> client.submit(new ApplianceClient.Request.DeleteBackup("backup-9")));
        refused(404, "no-such-backup", () -> client.submit(new ApplianceClient.Request.CheckBackup("backup-9")));
        assertThat(backups.asked).isEmpty();
    }

    @Test
    void theMountIsToldAsItIs() {
        assertThat(client.mount(cell))
                .isEqualTo(new MountInfo(true, "backups are kept there", "/transfer", 1000L, 300L, 700L));
        backups.share = new Backups.Share(false, null, 0, 0, 0, "there is none");
        assertThat(client.mount(cell)).isEqualTo(new MountInfo(false, "there is none", null, null, null, null));
        refused(503, "no-transfer-share", client::backups);
    }

    private static void refused(int status, String code, Runnable request) {
        assertThatExceptionOfType(ApplianceFailure.Refused.class)
                .isThrownBy(request::run)
                .satisfies(refusal -> {
                    assertThat(refusal.status()).isEqualTo(status);
                    assertThat(refusal.code()).isEqualTo(code);
                });
    }
}
