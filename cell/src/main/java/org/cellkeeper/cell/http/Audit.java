package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import org.cellkeeper.api.AuditEntry;
import org.cellkeeper.api.AuditPage;
import org.jspecify.annotations.Nullable;

/**
 * Notes who came in, what was changed, and what was refused: who, from where, when, which verb and path, and what was answered. Never what
 * a request brought. Any thread may use it.
 */
final class Audit {
    static final String CHANGE = "CHANGE";

    private static final String LOG_IN = "LOG_IN";
    private static final String LOG_OUT = "LOG_OUT";
    private static final String REFUSED = "REFUSED";
    private static final int LIMIT = 1000;
    private static final int USUAL = 100;
    private static final int LONGEST_PATH = 200;
    private static final int KNOWN = 256;
    private static final Duration CAME_IN_FOR = Duration.ofHours(1);

    private final ApiSettings settings;
    private final Answers answers;
    private final AuditLog log;
    /** Those who came with a password lately, the one noted first before the others. */
    private final LinkedHashMap<String, Long> came = new LinkedHashMap<>();

    Audit(ApiSettings settings, Answers answers, AuditLog log) {
        this.settings = settings;
        this.answers = answers;
        this.log = log;
    }

    /** Of those who come with a password at each request only the first within an hour is a log-in. */
    void cameIn(Context ctx, RouteTable.Purpose purpose, Caller caller) {
        if (purpose != RouteTable.Purpose.LOG_IN
                && caller.session() == null
                && isFirst(caller.name() + " " + Guesses.network(ctx.ip()))) {
            log.note(entry(ctx, LOG_IN, caller, path(ctx), 200, ""));
        }
    }

    private boolean isFirst(String who) {
        long now = System.nanoTime();
        synchronized (came) {
            Long at = came.get(who);
            if (at != null && now - at < CAME_IN_FOR.toNanos()) {
                return false;
            }
            came.remove(who);
            if (came.size() >= KNOWN) {
                came.pollFirstEntry();
            }
            came.put(who, now);
            return true;
        }
    }

    /** A request that was not refused has been answered. */
    void done(Context ctx, RouteTable.Purpose purpose, Caller caller, int status, String code) {
        switch (purpose) {
            case READ, READ_AS_ROOT -> {}
            case CHANGE -> log.note(entry(ctx, CHANGE, caller, path(ctx), status, code));
            case LOG_IN -> log.count(entry(ctx, LOG_IN, caller, path(ctx), status, code));
            case LOG_OUT -> log.count(entry(ctx, LOG_OUT, caller, path(ctx), status, code));
        }
    }

    /**
     * @param route the path as it is served, whatever names are in it: refusals at the same one are counted together
     * @param named the user that the request named, if there is one
     */
    void refused(Context ctx, String route, @Nullable String named, RequestProblem problem) {
        Caller caller = Caller.of(ctx);
        AuditEntry entry = new AuditEntry(
                now(),
                null,
                REFUSED,
                caller == null ? named : caller.name(),
                caller == null ? null : caller.role().name(),
                ctx.ip(),
                ctx.method().name(),
                path(ctx),
                problem.status(),
                problem.code(),
                1);
        AuditEntry kind = new AuditEntry(
                "",
                null,
                REFUSED,
                entry.user(),
                entry.role(),
                Guesses.network(ctx.ip()),
                entry.method(),
                route,
                entry.status(),
                entry.code(),
                1);
        log.refuse(entry, kind);
    }

    void read(Context ctx) {
        int limit = Requests.number(ctx, "limit", USUAL, LIMIT);
        String before = ctx.queryParam("before");
        Instant time = before == null ? null : Requests.time("before", before);
        answers.answer(
                ctx,
                200,
                new AuditPage(
                        settings.self().value(),
                        answers.within(log.newest(limit, time), "the audit log cannot be read in time: see the disk")));
    }

    private static AuditEntry entry(Context ctx, String event, Caller caller, String path, int status, String code) {
        return new AuditEntry(
                now(),
                null,
                event,
                caller.name(),
                caller.role().name(),
                ctx.ip(),
                ctx.method().name(),
                path,
                status,
                code.isEmpty() ? null : code,
                1);
    }

    private static String now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS).toString();
    }

    private static String path(Context ctx) {
        String path = ctx.path().replaceAll("[^\\x21-\\x7e]", "?");
        return path.length() > LONGEST_PATH ? path.substring(0, LONGEST_PATH) + "..." : path;
    }
}
