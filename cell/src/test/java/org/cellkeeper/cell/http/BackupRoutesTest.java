package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.cellkeeper.cell.http.RawRequests.authorized;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.BackupFile;
import org.cellkeeper.api.BackupInfo;
import org.cellkeeper.api.MountInfo;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.port.BackupOperator.Request;
import org.cellkeeper.cell.port.Backups;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Backups and the transfer share, as a client of the API meets them. */
final class BackupRoutesTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final FakeBackups backups = new FakeBackups();

    @TempDir
    private Path directory;

    private ApplianceApi api;
    private ApplianceClient client;
    private URI cell;

    @BeforeEach
    void serve() throws Exception {
        int port = FreePort.find();
        api = serve(port, new FakeOperator(), backups);
        cell = URI.create("https://127.0.0.1:" + port);
        client = new ApplianceClient(List.of(cell), "root", "word", Trust.all());
    }

    private ApplianceApi serve(int port, FakeOperator operator, FakeBackups itsBackups) {
        ApplianceApi made = new ApplianceApi(
                ApiSettings.of(
                        FakeOperator.CELL_1, new Address("127.0.0.1", 5432, port, 5481), directory, "word", "secret"),
                operator,
                itsBackups,
                new FakeApp(),
                new FakeRevocations(),
                new FakeReload(),
                Companions.NONE,
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
                .startsWith(new BackupFile(
                        "2026-01-02T12:00:00.123Z", "/transfer/backup-0", "backup-0", 42, "0.1.0", "VALID"))
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
        assertThat(told.signature()).isEqualTo("VALID");
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
                        new Request.Check("backup-0", false, false),
                        new Request.Restore("backup-0", false, false),
                        new Request.Delete("backup-0", false));
    }

    @Test
    void whatASignatureProvesIsToldAndAnotherIsOnlyUsedWhenThatIsSaid() throws Exception {
        for (Signature signature : Signature.values()) {
            backups.signature = signature;
            assertThat(client.backups()).extracting(BackupFile::signature).containsExactly(signature.name());
            assertThat(client.backup("backup-0").signature()).isEqualTo(signature.name());
        }
        client.submit(new ApplianceClient.Request.CheckBackup("backup-0", true));
        client.submit(new ApplianceClient.Request.Restore("backup-0", "backup-0", true));
        assertThat(restore("{\"confirm\":\"backup-0\",\"acceptUnsigned\":false}")
                        .statusCode())
                .isEqualTo(202);
        assertThat(backups.asked)
                .containsExactly(
                        new Request.Check("backup-0", true, false),
                        new Request.Restore("backup-0", true, false),
                        new Request.Restore("backup-0", false, false));
        assertThat(restore("{\"confirm\":\"backup-0\",\"acceptUnsigned\":\"backup-0\"}")
                        .statusCode())
                .isEqualTo(400);
    }

    @Test
    void aClientThatPrefersAStandbyAsksOneWhereOneAnswers() throws Exception {
        int port = FreePort.find();
        URI standby = URI.create("https://127.0.0.1:" + port);
        URI silent = URI.create("https://127.0.0.1:" + FreePort.find());
        FakeOperator operator = new FakeOperator();
        FakeBackups itsBackups = new FakeBackups();
        try (ApplianceApi _ = serve(port, operator, itsBackups);
                ApplianceClient all =
                        new ApplianceClient(List.of(silent, cell, standby), "root", "word", Trust.all())) {
            all.preferStandby();
            all.submit(new ApplianceClient.Request.CheckBackup("backup-0"));
            assertThat(backups.asked).hasSize(1);
            operator.primary = false;
            all.preferStandby();
            all.submit(new ApplianceClient.Request.CheckBackup("backup-0"));
        }
        assertThat(itsBackups.asked).containsExactly(new Request.Check("backup-0", false, false));
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

    private void nfs(String source) {
        backups.share = new Backups.Share(true, Path.of("/transfer"), source, 1000, 300, 700, "backups are kept there");
    }

    @Test
    void aListIsFilteredSortedAndCutAsItIsAskedFor() throws Exception {
        backups.count = 30;
        assertThat(names("")).hasSize(20).startsWith("backup-0", "backup-1");
        assertThat(names("?page=2")).hasSize(10).startsWith("backup-20");
        assertThat(names("?page=3&pageSize=9")).hasSize(9).startsWith("backup-18");
        assertThat(names("?page=9")).isEmpty();
        assertThat(names("?pageSize=100")).hasSize(30);
        assertThat(names("?sortDesc=date&pageSize=2")).containsExactly("backup-0", "backup-1");
        assertThat(names("?sortAsc=date&pageSize=2")).containsExactly("backup-29", "backup-28");
        String third = "2026-01-02T11:57:00.123Z";
        assertThat(names("?filter=date=gt=" + third)).containsExactly("backup-0", "backup-1", "backup-2");
        assertThat(names("?filter=date=ge=" + third)).hasSize(4);
        assertThat(names("?filter=date=ge=2026-01-02T12:57:00.123+01:00")).hasSize(4);
        assertThat(names("?filter=date%3Dlt%3D" + third + "&pageSize=100"))
                .hasSize(26)
                .startsWith("backup-4");
        assertThat(names("?filter=date=le=" + third + "&pageSize=100")).hasSize(27);
        assertThat(names("?filter=date=eq=" + third)).containsExactly("backup-3");
        assertThat(names("?filter=date==" + third)).containsExactly("backup-3");
        assertThat(names("?filter=date=le=" + third + ";date=gt=2026-01-02T11:55:00.123Z;version==0.1.0"))
                .containsExactly("backup-3", "backup-4");
        assertThat(names("?filter=version==0.2.0")).isEmpty();
        JsonNode page = JSON.readTree(get("?pageSize=7&filter=date=lt=" + third).body());
        assertThat(page.get("resultTotal").asInt()).isEqualTo(26);
        assertThat(page.get("pageCount").asInt()).isEqualTo(4);
        assertThat(page.get("pageSize").asInt()).isEqualTo(7);
        assertThat(client.backups("date=lt=" + third, true))
                .hasSize(26)
                .first()
                .satisfies(oldest -> assertThat(oldest.name()).isEqualTo("backup-29"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            page=0                          | page is '0', and must be a number from 1 to 999999
            page=last                       | page is 'last', and must be a number from 1 to 999999
            pageSize=101                    | pageSize is '101', and must be a number from 1 to 100
            pageSize=-1                     | pageSize is '-1', and must be a number from 1 to 100
            sortAsc=name                    | sortAsc is 'name', and must be date
            sortDesc=                       | sortDesc is '', and must be date
            sortAsc=date&sortDesc=date      | sortAsc is 'date', and must be left out
            filter=                         | filter is '', and must be date=ge=2026-01-02T12:00:00Z
            filter=date=ge=yesterday        | filter is 'date=ge=yesterday', and must be date=ge=2026-01-02T12:00:00Z
            filter=date=ne=2026-01-02T12:00:00Z | filter is 'date=ne=2026-01-02T12:00:00Z', and must be
            filter=version=ge=0.1.0         | filter is 'version=ge=0.1.0', and must be
            filter=name==backup-0           | filter is 'name==backup-0', and must be
            filter=version==0.1.0;          | filter is 'version==0.1.0;', and must be
            """)
    void aListThatCannotBeMeantIsRefusedWithWhatWouldBe(String query, String detail) throws Exception {
        HttpResponse<String> answer = get("?" + query);
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(JSON.readTree(answer.body()).get("detail").asText()).startsWith(detail);
    }

    private List<String> names(String query) throws Exception {
        return JSON.readTree(get(query).body()).findValuesAsText("name");
    }

    private HttpResponse<String> get(String query) throws Exception {
        return send(authorized(cell.getPort(), "/backups" + query, "word").GET());
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        try (HttpClient http = RawRequests.client()) {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        }
    }

    private HttpResponse<String> restore(String body) throws Exception {
        return send(authorized(cell.getPort(), "/backups/backup-0/restore", "word")
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    @Test
    void aRestoreIsConfirmedByWhereTheShareComesFromToo() throws Exception {
        String body = "{\"nfs\":\"10.0.0.9:/data\",\"httpCert\":false,\"consoleproxyCert\":true}";
        nfs("10.0.0.9:/data");
        assertThat(restore(body).statusCode()).isEqualTo(202);
        backups.share = FakeBackups.SHARE;
        assertThat(restore(body).statusCode()).isEqualTo(202);
        assertThat(restore("{\"confirm\":\"backup-0\",\"nfs\":\"\"}").statusCode())
                .isEqualTo(202);
        assertThat(backups.asked).hasSize(3).containsOnly(new Request.Restore("backup-0", false, false));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {}                                                 | the database is about to be replaced
            {"httpCert":true}                                  | the database is about to be replaced
            {"nfs":null}                                       | the database is about to be replaced
            {"nfs":""}                                         | nfs is '', and must be '10.0.0.9:/data'
            {"nfs":"10.0.0.8:/data"}                           | nfs is '10.0.0.8:/data', and must be '10.0.0.9:/data'
            {"confirm":"backup-1","nfs":"10.0.0.9:/data"}      | confirm is 'backup-1', and must be 'backup-0'
            {"confirm":"backup-0","nfs":"10.0.0.8:/data"}      | nfs is '10.0.0.8:/data', and must be
            {"nfs":"10.0.0.9:/data","cert":true}               | the body is not understood: unknown member 'cert'
            {"nfs":"10.0.0.9:/data","httpCert":"yes"}          | the body is not understood
            {"nfs":["10.0.0.9:/data"]}                         | the body is not understood
            """)
    void aRestoreThatIsConfirmedWronglyIsNotAskedFor(String body, String detail) throws Exception {
        nfs("10.0.0.9:/data");
        HttpResponse<String> answer = restore(body);
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(JSON.readTree(answer.body()).get("detail").asText()).startsWith(detail);
        assertThat(backups.asked).isEmpty();
    }

    @Test
    void theMountIsToldAsItIs() {
        assertThat(client.mount(cell))
                .isEqualTo(new MountInfo(true, "backups are kept there", "", "/transfer", 1000L, 300L, 700L));
        nfs("10.0.0.9:/data");
        assertThat(client.mount(cell).nfs()).isEqualTo("10.0.0.9:/data");
        backups.share = new Backups.Share(false, null, "", 0, 0, 0, "there is none");
        assertThat(client.mount(cell)).isEqualTo(new MountInfo(false, "there is none", "", null, null, null, null));
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
