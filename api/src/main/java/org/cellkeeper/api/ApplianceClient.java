package org.cellkeeper.api;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLHandshakeException;
import org.jspecify.annotations.Nullable;

/**
 * Talks to an appliance cluster: to the cell that answered last, and to the next one when it does not answer. A request that
 * changes something is sent again only when it certainly did not arrive, or was answered with 503. For one thread at a time.
 */
public final class ApplianceClient implements AutoCloseable {
    /** In what is said of a cell whose certificate is not taken. */
    public static final String NOT_BELIEVED = "its certificate is not believed";

    private static final Duration CONNECT = Duration.ofSeconds(2);
    private static final Duration ANSWER = Duration.ofSeconds(15);
    private static final Duration BETWEEN_POLLS = Duration.ofMillis(200);
    private static final Duration TASK_MAY_BE_UNKNOWN_FOR = Duration.ofSeconds(5);

    private final List<URI> cells;
    private final String authorization;
    private final HttpClient http;
    private final ObjectMapper json;
    private int current;

    /**
     * @param cells such as {@code https://127.0.0.11:5480}
     * @param trust which certificates to take, see {@link Trust}
     */
    public ApplianceClient(List<URI> cells, String user, String password, SSLContext trust) {
        if (cells.isEmpty()) {
            throw new IllegalArgumentException("no cells to talk to");
        }
        this.cells = List.copyOf(cells);
        byte[] credentials = (user + ":" + password).getBytes(StandardCharsets.UTF_8);
        this.authorization = "Basic " + Base64.getEncoder().encodeToString(credentials);
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(CONNECT)
                .followRedirects(HttpClient.Redirect.NEVER)
                .sslContext(trust)
                .build();
        this.json = JsonMapper.builder()
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .build();
    }

    public Cluster nodes() {
        return read(ApiPaths.NODES, Cluster.class);
    }

    /** The same, as the cell wrote it. */
    public String nodesAsText() {
        return send("GET", ApiPaths.NODES, null, Retry.ALWAYS).body();
    }

    /** Asks this cell and no other. */
    public boolean isPrimary(URI cell) {
        return readAt(cell, ApiPaths.IS_PRIMARY, PrimaryAnswer.class).isPrimary();
    }

    /** Whether this cell was removed, and so knows nothing of the cluster. */
    public boolean isRemoved(URI cell) {
        try {
            return isOfRemoved(exchange(cell, "GET", ApiPaths.IS_PRIMARY, null));
        } catch (IOException e) {
            throw new ApplianceFailure.NobodyAnswers(cell + ": " + reason(e), e);
        }
    }

    private <T> T readAt(URI cell, String path, Class<T> type) {
        try {
            return decode(checked(exchange(cell, "GET", path, null)).body(), type);
        } catch (IOException e) {
            throw new ApplianceFailure.NobodyAnswers(cell + ": " + reason(e), e);
        }
    }

    public List<TaskInfo> tasks() {
        return List.of(read(ApiPaths.TASKS, TaskInfo[].class));
    }

    /** Empty when the cell does not know the task (yet). */
    public Optional<TaskInfo> task(String id) {
        try {
            return Optional.of(read(ApiPaths.task(id), TaskInfo.class));
        } catch (ApplianceFailure.Refused e) {
            if (e.status() == 404) {
                return Optional.empty();
            }
            throw e;
        }
    }

    public List<HistoryEvent> history(int limit) {
        return List.of(read(ApiPaths.HISTORY + "?limit=" + limit, HistoryEvent[].class));
    }

    /** What happened before that time (ISO 8601), newest first. */
    public List<HistoryEvent> history(String before, int limit) {
        String encoded = URLEncoder.encode(before, StandardCharsets.UTF_8);
        return List.of(read(ApiPaths.HISTORY + "?limit=" + limit + "&before=" + encoded, HistoryEvent[].class));
    }

    /**
     * What the cell that answers has noted of who asked it for what, newest first; no other cell's entries are among them.
     *
     * @param before ISO 8601; null for the newest
     */
    public AuditPage audit(@Nullable String before, int limit) {
        String query = before == null ? "" : "&before=" + URLEncoder.encode(before, StandardCharsets.UTF_8);
        return read(ApiPaths.AUDIT + "?limit=" + limit + query, AuditPage.class);
    }

    /** The registry of cells, by name; page after page is asked for. */
    public List<RegisteredCell> registeredCells() {
        List<RegisteredCell> all = new ArrayList<>();
        CellPage page;
        int number = 1;
        do {
            page = read(ApiPaths.CELLS + "?page=" + number, CellPage.class);
            all.addAll(page.values());
            number++;
        } while (number <= page.pageCount());
        return List.copyOf(all);
    }

    /** The registry as this cell reads it; no other is asked. */
    public CellPage registeredCells(URI cell) {
        return readAt(cell, ApiPaths.CELLS, CellPage.class);
    }

    /** All backups, the newest first; page after page is asked for. */
    public List<BackupFile> backups() {
        return backups(null, false);
    }

    /** With a filter, such as {@code date=ge=2026-01-02T12:00:00Z}, those that it lets through. */
    public List<BackupFile> backups(@Nullable String filter, boolean oldestFirst) {
        String query = (oldestFirst ? "&sortAsc=date" : "")
                + (filter == null ? "" : "&filter=" + URLEncoder.encode(filter, StandardCharsets.UTF_8));
        List<BackupFile> all = new ArrayList<>();
        BackupList page;
        int number = 1;
        do {
            page = read(ApiPaths.BACKUPS + "?page=" + number + query, BackupList.class);
            all.addAll(page.listOfBackupFiles());
            number++;
        } while (number <= page.pageCount());
        return List.copyOf(all);
    }

    public BackupInfo backup(String name) {
        return read(ApiPaths.backup(name), BackupInfo.class);
    }

    /** The transfer share as this cell sees it; no other is asked. */
    public MountInfo mount(URI cell) {
        return readAt(cell, ApiPaths.MOUNT, MountInfo.class);
    }

    /** From now on talks to the first cell that answers and is not the primary, where there is one. */
    public void preferStandby() {
        for (int i = 0; i < cells.size(); i++) {
            try {
                if (!isPrimary(cells.get(i))) {
                    current = i;
                    return;
                }
            } catch (ApplianceFailure.NobodyAnswers | ApplianceFailure.Refused e) {
                // Then the next one, or whoever answered last.
            }
        }
    }

    /** The cells that it talks to, in the order that was given. */
    public List<URI> cells() {
        return cells;
    }

    /** The cluster as this cell tells it; no other is asked. */
    public Cluster nodes(URI cell) {
        return readAt(cell, ApiPaths.NODES, Cluster.class);
    }

    /** The services of this cell; no other is asked. */
    public List<ServiceInfo> services(URI cell) {
        return List.of(readAt(cell, ApiPaths.SERVICES, ServiceInfo[].class));
    }

    /** Has a service of this cell, vpostgres or nginx, read its files anew; no other is asked. */
    public void reload(URI cell, String service) {
        try {
            checked(exchange(cell, "POST", ApiPaths.reload(service), null));
        } catch (IOException e) {
            throw new ApplianceFailure.NobodyAnswers(cell + ": " + reason(e), e);
        }
    }

    /** Whether this cell's PostgreSQL serves; no other is asked. Not ready is a refusal with what is missing. */
    public Checks ready(URI cell) {
        return readAt(cell, ApiPaths.READYZ, Checks.class);
    }

    /**
     * Hears of what happens, from the cell that answered last, until {@code taken} says no or the stream ends.
     *
     * @param lastId the last event that was heard of before; null to hear of new ones only
     * @return the last event that was heard of
     */
    public @Nullable String follow(@Nullable String lastId, Predicate<HistoryEvent> taken) {
        URI cell = cells.get(current);
        HttpRequest.Builder request = HttpRequest.newBuilder(cell.resolve(ApiPaths.EVENTS))
                .timeout(ANSWER)
                .header("Accept", "text/event-stream")
                .header("Authorization", authorization);
        if (lastId != null) {
            request.header("Last-Event-ID", lastId);
        }
        @Nullable String last = lastId;
        try {
            HttpResponse<Stream<String>> response = http.send(request.build(), HttpResponse.BodyHandlers.ofLines());
            try (Stream<String> lines = response.body()) {
                if (response.statusCode() != 200) {
                    throw problem(response.statusCode(), String.join("\n", lines.toList()));
                }
                for (Iterator<String> each = lines.iterator(); each.hasNext(); ) {
                    String line = each.next();
                    if (line.startsWith("id: ")) {
                        last = line.substring("id: ".length());
                    } else if (line.startsWith("data: ")
                            && !taken.test(decode(line.substring("data: ".length()), HistoryEvent.class))) {
                        return last;
                    }
                }
            }
        } catch (IOException | UncheckedIOException e) {
            // The cell has gone, or has let this listener go: the next one is asked.
            skipCell();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return last;
    }

    /** What an operator can ask for; each becomes a task. */
    public sealed interface Request {
        record SetMode(boolean automatic) implements Request {}

        record Promote(String name, boolean acceptDataLoss) implements Request {}

        record Switchover(String name) implements Request {}

        record Remove(String name, boolean force) implements Request {}

        record Deploy(String name) implements Request {}

        /** With {@code check} the primary also checks it at once. */
        record Backup(boolean check) implements Request {}

        /** Rehearses the restore of a backup, and changes nothing. The cell that is asked does it. */
        record CheckBackup(String name, boolean acceptUnsigned) implements Request {
            public CheckBackup(String name) {
                this(name, false);
            }
        }

        /** The application's database is replaced; {@code confirm} is the backup's name once more. */
        record Restore(String name, String confirm, boolean acceptUnsigned) implements Request {
            public Restore(String name, String confirm) {
                this(name, confirm, false);
            }
        }

        record DeleteBackup(String name) implements Request {}
    }

    public String setMode(boolean automatic) {
        return submit(new Request.SetMode(automatic));
    }

    public String promote(String name, boolean acceptDataLoss) {
        return submit(new Request.Promote(name, acceptDataLoss));
    }

    public String switchover(String name) {
        return submit(new Request.Switchover(name));
    }

    public String remove(String name, boolean force) {
        return submit(new Request.Remove(name, force));
    }

    public String deploy(String name) {
        return submit(new Request.Deploy(name));
    }

    /** Asks for it; the answer is the task's id. */
    public String submit(Request request) {
        HttpResponse<String> response = send(request, false);
        String location = response.headers()
                .firstValue("Location")
                .orElseThrow(() -> new ApplianceFailure.OutcomeUnknown("accepted, but no task was named", null));
        return location.substring(location.lastIndexOf('/') + 1);
    }

    /** Only looks whether it could be done. */
    public Checks dryRun(Request request) {
        return decode(send(request, true).body(), Checks.class);
    }

    /** Waits for the task's end, wherever it is known; empty when it has not ended by then. */
    public Optional<TaskInfo> await(String id, Duration patience, Consumer<TaskInfo> progress) {
        long start = System.nanoTime();
        @Nullable TaskInfo last = null;
        while (System.nanoTime() - start < patience.toNanos()) {
            Optional<TaskInfo> seen = Optional.empty();
            try {
                seen = task(id);
            } catch (ApplianceFailure.NobodyAnswers e) {
                // A cell that changes its role may be busy, or down: the task lives on in the others.
                skipCell();
            }
            if (seen.isPresent()) {
                TaskInfo now = seen.get();
                if (!now.equals(last)) {
                    progress.accept(now);
                    last = now;
                }
                if (now.hasEnded()) {
                    return seen;
                }
            } else if (last == null && System.nanoTime() - start > TASK_MAY_BE_UNKNOWN_FOR.toNanos()) {
                return Optional.empty();
            }
            pause();
        }
        return Optional.empty();
    }

    @Override
    public void close() {
        http.shutdownNow();
    }

    // ---- requests

    private enum Retry {
        ALWAYS,
        WHEN_NOT_SENT
    }

    private HttpResponse<String> send(Request request, boolean dryRun) {
        String suffix = dryRun ? "?dryRun=true" : "";
        return switch (request) {
            case Request.SetMode(boolean automatic) ->
                post(ApiPaths.FAILOVER + (automatic ? "/automatic" : "/manual") + suffix, null);
            case Request.Promote(String name, boolean acceptDataLoss) ->
                post(ApiPaths.promote(name) + suffix, acceptDataLoss ? "{\"acceptDataLoss\":true}" : null);
            case Request.Switchover(String name) -> post(ApiPaths.switchover(name) + suffix, null);
            case Request.Deploy(String name) -> post(ApiPaths.deploy(name) + suffix, null);
            case Request.Backup(boolean check) ->
                post(ApiPaths.BACKUPS + "?check=" + check + (dryRun ? "&dryRun=true" : ""), null);
            case Request.CheckBackup(String name, boolean acceptUnsigned) ->
                post(
                        ApiPaths.check(name)
                                + (acceptUnsigned ? "?acceptUnsigned=true" + (dryRun ? "&dryRun=true" : "") : suffix),
                        null);
            case Request.Restore(String name, String confirm, boolean acceptUnsigned) ->
                post(ApiPaths.restore(name) + suffix, encode(RestoreRequest.confirmed(confirm, acceptUnsigned)));
            case Request.DeleteBackup(String name) ->
                send("DELETE", ApiPaths.backup(name) + suffix, null, Retry.WHEN_NOT_SENT);
            case Request.Remove(String name, boolean force) ->
                send(
                        "DELETE",
                        ApiPaths.node(name) + "?force=" + force + (dryRun ? "&dryRun=true" : ""),
                        null,
                        Retry.WHEN_NOT_SENT);
        };
    }

    private HttpResponse<String> post(String path, @Nullable String body) {
        return send("POST", path, body, Retry.WHEN_NOT_SENT);
    }

    private <T> T read(String path, Class<T> type) {
        return decode(send("GET", path, null, Retry.ALWAYS).body(), type);
    }

    private HttpResponse<String> send(String method, String path, @Nullable String body, Retry retry) {
        boolean changes = !method.equals("GET");
        if (changes) {
            skipRemoved();
        }
        List<String> silent = new ArrayList<>();
        @Nullable IOException last = null;
        @Nullable HttpResponse<String> unavailable = null;
        for (int attempt = 0; attempt < cells.size(); attempt++) {
            URI cell = cells.get(current);
            try {
                HttpResponse<String> response = exchange(cell, method, path, body);
                if (response.statusCode() != 503 && (changes || !isOfRemoved(response))) {
                    return checked(response);
                }
                unavailable = response;
            } catch (IOException e) {
                if (retry == Retry.WHEN_NOT_SENT && !neverSent(e)) {
                    throw new ApplianceFailure.OutcomeUnknown(
                            cell + " did not answer (" + reason(e)
                                    + "): it may have accepted the request; see the tasks",
                            e);
                }
                silent.add(cell + " (" + reason(e) + ")");
                last = e;
            }
            skipCell();
        }
        if (unavailable != null) {
            return checked(unavailable);
        }
        throw new ApplianceFailure.NobodyAnswers("no cell answers: " + String.join(", ", silent), last);
    }

    /** What is to be changed is asked of a member, where there is one. */
    private void skipRemoved() {
        for (int attempt = 0; attempt < cells.size(); attempt++) {
            try {
                if (!isOfRemoved(exchange(cells.get(current), "GET", ApiPaths.IS_PRIMARY, null))) {
                    return;
                }
            } catch (IOException e) {
                // Then the next one; who asks for the change will see it when there is none.
            }
            skipCell();
        }
    }

    private static boolean isOfRemoved(HttpResponse<String> response) {
        return response.headers()
                .firstValue(ApiPaths.CELL_HEADER)
                .filter(ApiPaths.REMOVED::equals)
                .isPresent();
    }

    private HttpResponse<String> exchange(URI cell, String method, String path, @Nullable String body)
            throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(cell.resolve(path))
                .timeout(ANSWER)
                .header("Accept", "application/json")
                .header("Authorization", authorization);
        if (body == null) {
            request.method(method, HttpRequest.BodyPublishers.noBody());
        } else {
            request.header("Content-Type", "application/json")
                    .method(method, HttpRequest.BodyPublishers.ofString(body));
        }
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private HttpResponse<String> checked(HttpResponse<String> response) {
        int status = response.statusCode();
        if (status / 100 == 2) {
            return response;
        }
        throw problem(status, response.body());
    }

    private ApplianceFailure.Refused problem(int status, String body) {
        try {
            Problem problem = json.readValue(body, Problem.class);
            if (problem.code() != null) {
                String detail = problem.detail();
                return new ApplianceFailure.Refused(status, problem.code(), detail == null ? problem.title() : detail);
            }
        } catch (IOException e) {
            // Not one of ours: said below.
        }
        return new ApplianceFailure.Refused(status, "http-" + status, "the cell answered with status " + status);
    }

    private String encode(Object value) {
        try {
            return json.writeValueAsString(value);
        } catch (IOException e) {
            throw new IllegalStateException("no JSON for a " + value.getClass(), e);
        }
    }

    private <T> T decode(String body, Class<T> type) {
        try {
            return json.readValue(body, type);
        } catch (IOException e) {
            throw new ApplianceFailure.Refused(200, "not-understood", "the cell's answer is not understood");
        }
    }

    private static boolean neverSent(IOException e) {
        return e instanceof ConnectException || e instanceof java.net.http.HttpConnectTimeoutException;
    }

    private static String reason(IOException e) {
        String message = e.getMessage();
        if (e instanceof SSLHandshakeException) {
            return NOT_BELIEVED + ": " + message;
        }
        return message != null
                ? message
                : e instanceof ConnectException ? "refused" : e.getClass().getSimpleName();
    }

    private void skipCell() {
        current = (current + 1) % cells.size();
    }

    private static void pause() {
        CompletableFuture.runAsync(
                        () -> {}, CompletableFuture.delayedExecutor(BETWEEN_POLLS.toMillis(), TimeUnit.MILLISECONDS))
                .join();
    }
}
