package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.HistoryEvent;
import org.cellkeeper.api.RegisteredCell;
import org.cellkeeper.api.ServiceInfo;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.port.App;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the cell's own app answers, as a client of the API meets it. */
final class AppRoutesTest {
    private static final HistoryEntry OLD = new HistoryEntry(
            Instant.parse("2025-12-24T18:00:00.5Z"), FakeOperator.CELL_3, 2, 501, "It was promoted.", "long ago");

    private final FakeOperator operator = new FakeOperator();
    private final FakeApp app = new FakeApp();
    private final HttpClient http =
            HttpClient.newBuilder().sslContext(Trust.all()).build();

    @TempDir
    private Path directory;

    private ApplianceApi api;
    private ApplianceClient client;
    private URI cell;

    @BeforeEach
    void serve() throws Exception {
        int port = FreePort.find();
        api = new ApplianceApi(
                ApiSettings.of(
                        FakeOperator.CELL_1, new Address("127.0.0.1", 5432, port, 5481), directory, "word", "secret"),
                operator,
                new FakeBackups(),
                app,
                new FakeRevocations(),
                new FakeReload(),
                Companions.NONE,
                () -> "");
        api.start();
        cell = URI.create("https://127.0.0.1:" + port);
        client = new ApplianceClient(List.of(cell), "root", "word", Trust.all());
    }

    @AfterEach
    void stop() {
        http.shutdownNow();
        client.close();
        api.close();
    }

    @Test
    void theRegistryIsToldUnderTheNamesThatClientsKnow() throws Exception {
        app.cells = 1;
        assertThat(get("/cloudapi/1.0.0/cells").body())
                .isEqualTo(
                        "{\"resultTotal\":1,\"pageCount\":1,\"page\":1,\"pageSize\":25,\"associations\":null,\"values\":["
                                + "{\"id\":\"cell-1.00000001\",\"name\":\"cell-1\",\"productBuildDate\":\"2026-01-01T00:00:00Z\","
                                + "\"isActive\":true,\"primaryIP\":\"127.0.0.11\",\"productVersion\":\"0.1.0\"}]}");
    }

    @Test
    void theRegistryIsToldPageByPage() throws Exception {
        app.cells = 51;
        assertThat(client.registeredCells())
                .hasSize(51)
                .extracting(RegisteredCell::name)
                .doesNotHaveDuplicates();
        assertThat(get("/cloudapi/1.0.0/cells?page=2&pageSize=50").body())
                .startsWith("{\"resultTotal\":51,\"pageCount\":2,\"page\":2,\"pageSize\":50,")
                .contains("cell-51")
                .doesNotContain("cell-50");
        assertThat(get("/cloudapi/1.0.0/cells?page=9").body()).endsWith("\"values\":[]}");
        app.cells = 0;
        assertThat(client.registeredCells()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"page=0", "page=x", "page=", "page=1000000", "pageSize=0", "pageSize=129", "pageSize=-1"})
    void anImpossiblePageIsRefused(String query) throws Exception {
        HttpResponse<String> answer = get("/cloudapi/1.0.0/cells?" + query);
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(answer.body()).contains("\"bad-request\"");
    }

    @Test
    void theRegistryNeedsThePasswordAndADatabase() throws Exception {
        assertThat(http.send(
                                HttpRequest.newBuilder(cell.resolve("/cloudapi/1.0.0/cells"))
                                        .build(),
                                HttpResponse.BodyHandlers.ofString())
                        .statusCode())
                .isEqualTo(401);
        app.cells = -1;
        refused("no-database", client::registeredCells);
    }

    @Test
    void theServerStatusIsWhetherTheAppReachesAPrimary() throws Exception {
        HttpResponse<String> up = get("/cloud/server_status");
        assertThat(up.statusCode()).isEqualTo(200);
        assertThat(up.body()).isEqualTo("Service is up.");
        app.reaches = false;
        HttpResponse<String> down = get("/cloud/server_status");
        assertThat(down.statusCode()).isEqualTo(503);
        assertThat(down.body()).contains("\"no-primary\"");
    }

    @Test
    void theAppIsAServiceOfTheCell() {
        assertThat(client.services(cell)).contains(new ServiceInfo("vcd", "running"));
        app.status = App.Status.STARTING;
        assertThat(client.services(cell)).contains(new ServiceInfo("vcd", "start"));
        app.status = App.Status.DEAD;
        assertThat(client.services(cell)).contains(new ServiceInfo("vcd", "dead"));
    }

    @Test
    void theHistoryComesFromTheArchiveWhileZooKeeperIsAway() {
        app.archive = List.of(OLD);
        assertThat(client.history(7)).extracting(HistoryEvent::sentence).containsExactly("It was elected.");
        operator.history = null;
        assertThat(client.history(7)).extracting(HistoryEvent::sentence).containsExactly("It was promoted.");
        assertThat(app.askedBefore).isNull();
        assertThat(app.askedLimit).isEqualTo(7);
        app.archive = null;
        refused("unavailable", () -> client.history(7));
    }

    @Test
    void olderHistoryComesFromTheArchive() {
        app.archive = List.of(OLD);
        assertThat(client.history("2026-01-01T01:00:00+01:00", 3))
                .extracting(HistoryEvent::time)
                .containsExactly("2025-12-24T18:00:00.500Z");
        assertThat(app.askedBefore).isEqualTo(Instant.parse("2026-01-01T00:00:00Z"));
        assertThat(app.askedLimit).isEqualTo(3);
        app.archive = null;
        refused("no-database", () -> client.history("2026-01-01T00:00:00Z", 3));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "1700000000"})
    void whatIsNoTimeIsRefused(String before) throws Exception {
        assertThat(get("/api/1.0.0/history?before=" + before).statusCode()).isEqualTo(400);
        assertThat(app.askedLimit).isZero();
    }

    private HttpResponse<String> get(String path) throws Exception {
        String basic = Base64.getEncoder().encodeToString("root:word".getBytes(StandardCharsets.UTF_8));
        return http.send(
                HttpRequest.newBuilder(cell.resolve(path))
                        .header("Authorization", "Basic " + basic)
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static void refused(String code, Runnable request) {
        assertThatExceptionOfType(ApplianceFailure.Refused.class)
                .isThrownBy(request::run)
                .satisfies(refusal -> {
                    assertThat(refusal.status()).isEqualTo(503);
                    assertThat(refusal.code()).isEqualTo(code);
                });
    }
}
