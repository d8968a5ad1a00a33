package org.cellkeeper.cell.http;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.Operator;
import org.eclipse.jetty.io.EofException;

/** The cluster's history: what was, and events as they happen. */
final class HistoryRoutes {
    private static final int LIMIT = 1000;
    private static final int USUAL = 100;
    private static final Duration WITHIN = Duration.ofSeconds(3);
    private static final Duration KEEPALIVE = Duration.ofSeconds(10);
    private static final String NO_HISTORY = "the history cannot be read while ZooKeeper does not answer";

    private final ObjectMapper json;
    private final Answers answers;
    private final Rendering rendering;
    private final Authentication authentication;
    private final Operator operator;
    private final App app;
    private final EventStreams streams;

    HistoryRoutes(
            ObjectMapper json,
            Answers answers,
            Rendering rendering,
            Authentication authentication,
            Operator operator,
            App app,
            EventStreams streams) {
        this.json = json;
        this.answers = answers;
        this.rendering = rendering;
        this.authentication = authentication;
        this.operator = operator;
        this.app = app;
        this.streams = streams;
    }

    void history(Context ctx) {
        int limit = Requests.number(ctx, "limit", USUAL, LIMIT);
        String before = ctx.queryParam("before");
        List<HistoryEntry> entries = before == null
                ? newestHistory(limit)
                : answers.fromDatabase(app.history(Requests.time("before", before), limit));
        answers.answer(ctx, 200, entries.stream().map(rendering::event).toList());
    }

    /** While ZooKeeper is away, what the archive holds. */
    private List<HistoryEntry> newestHistory(int limit) {
        try {
            return operator.history(limit).get(WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return answers.within(
                    app.history(null, limit), NO_HISTORY + ", and its archive in the database cannot either");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Answers.stopping();
        }
    }

    void events(Context ctx) throws IOException, InterruptedException {
        var newest = answers.within(operator.history(EventStreams.WINDOW), NO_HISTORY);
        try (EventStreams.Listener listener = streams.listen(newest, ctx.header("Last-Event-ID"))) {
            ctx.res().setContentType("text/event-stream");
            ctx.header("Cache-Control", "no-store");
            if (ctx.method().equals(HandlerType.HEAD)) {
                return;
            }
            OutputStream out = ctx.res().getOutputStream();
            // An id without data is no event, but what the listener comes back with.
            boolean knows = ctx.header("Last-Event-ID") != null || newest.isEmpty();
            send(out, ": listening\n" + (knows ? "" : "id: " + EventStreams.id(newest.getFirst()) + "\n") + "\n");
            while (!listener.ended() && authentication.holds(ctx)) {
                List<HistoryEntry> batch = listener.next(KEEPALIVE);
                StringBuilder text = new StringBuilder();
                for (HistoryEntry entry : batch) {
                    text.append("id: ")
                            .append(EventStreams.id(entry))
                            .append("\nevent: history\ndata: ")
                            .append(json.writeValueAsString(rendering.event(entry)))
                            .append("\n\n");
                }
                send(out, batch.isEmpty() ? ": still here\n\n" : text.toString());
            }
        } catch (EofException e) {
            // The client has gone.
            return;
        }
    }

    private static void send(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.flush();
    }
}
