package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.SessionInfo;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Revocations;
import org.jspecify.annotations.Nullable;

/** Who asks, and what for: a user with its password, or with the token of a session that nobody has ended. Begins and ends sessions. */
final class Authentication {
    /** Of a user who may not change anything: ended ones are kept, and must not keep out those of others. */
    private static final int SESSIONS = 100;

    private static final Duration SESSION_REGAINED = Duration.ofSeconds(36);

    private final Requests requests;
    private final Answers answers;
    private final Revocations revocations;
    private final Users users;
    private final Passwords passwords;
    private final AccessTokens tokens;
    private final Map<String, Allowance> sessions = new HashMap<>();

    Authentication(ApiSettings settings, Requests requests, Answers answers, Revocations revocations) {
        this.requests = requests;
        this.answers = answers;
        this.revocations = revocations;
        this.users = settings.users();
        this.passwords = new Passwords(users, System::nanoTime);
        this.tokens = new AccessTokens(settings.tokenSecrets(), users);
    }

    /** A name and a password, as they came. */
    private record Credentials(String name, String password) {
        @Override
        public String toString() {
            return "Credentials[***]";
        }
    }

    /** The request goes on with a password or the token of a session, and with nothing else. */
    Caller require(Context ctx) {
        String header = ctx.header("Authorization");
        if (header == null) {
            throw notAuthenticated(
                    ctx, "HTTP Basic authentication, as root or another user, or a bearer token is needed");
        }
        String token = credentialsOf(header, "bearer");
        Caller caller = token.isEmpty() ? byPassword(ctx, basic(header)) : standing(ctx, token);
        caller.asks(ctx);
        return caller;
    }

    /** The user that a request names, if there is one, whether it is that one or not. */
    @Nullable
    String namedUser(Context ctx) {
        String header = ctx.header("Authorization");
        Credentials credentials = header == null ? null : basic(header);
        return credentials == null || users.find(credentials.name) == null ? null : credentials.name;
    }

    private Caller byPassword(Context ctx, @Nullable Credentials credentials) {
        if (credentials == null) {
            throw notAuthenticated(ctx, "the user name or the password is wrong");
        }
        return switch (passwords.of(ctx.ip(), credentials.name, credentials.password)) {
            case Passwords.Verdict.Right(Users.Known user) -> new Caller(user, null);
            case Passwords.Verdict.Wrong() -> throw notAuthenticated(ctx, "the user name or the password is wrong");
            case Passwords.Verdict.Later(Duration in) ->
                throw later(
                        ctx,
                        in,
                        "too-many-attempts",
                        "too many wrong passwords came from this address: the next is looked at in ");
            case Passwords.Verdict.Busy(Duration in) ->
                throw later(
                        ctx, in, "too-many-attempts", "this cell looks at as many passwords as it can: try again in ");
        };
    }

    private static RequestProblem later(Context ctx, Duration in, String code, String detail) {
        long seconds = Math.max(1, TimeUnit.MILLISECONDS.toSeconds(in.toMillis() + 999));
        ctx.header("Retry-After", String.valueOf(seconds));
        return new RequestProblem(429, "Too many requests", code, detail + seconds + " s");
    }

    private Caller standing(Context ctx, String token) {
        AccessTokens.Session session = tokens.verify(token, Instant.now());
        if (session == null) {
            throw notAuthenticated(ctx, "the token is not valid, or has expired; POST /sessions gives a new one");
        }
        switch (revocations.standing(session.id())) {
            case VALID -> {}
            case REVOKED -> throw notAuthenticated(ctx, "this session was ended; POST /sessions begins a new one");
            case NOT_KNOWN ->
                throw RequestProblem.unavailable(
                        "zookeeper-unavailable",
                        "this cell has not read yet which sessions were ended; use HTTP Basic authentication, or another cell");
        }
        return new Caller(session.user(), session);
    }

    private static RequestProblem notAuthenticated(Context ctx, String detail) {
        ctx.header("WWW-Authenticate", "Basic realm=\"cellkeeper\", charset=\"UTF-8\"");
        return new RequestProblem(401, "Not authenticated", "not-authenticated", detail);
    }

    /** What follows the scheme's name; empty when it is another scheme. */
    private static String credentialsOf(String header, String scheme) {
        int space = header.indexOf(' ');
        return space < 0 || !header.substring(0, space).equalsIgnoreCase(scheme)
                ? ""
                : header.substring(space + 1).trim();
    }

    private static @Nullable Credentials basic(String header) {
        try {
            String both =
                    new String(Base64.getDecoder().decode(credentialsOf(header, "basic")), StandardCharsets.UTF_8);
            int colon = both.indexOf(':');
            return colon < 0 ? null : new Credentials(both.substring(0, colon), both.substring(colon + 1));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    void logIn(Context ctx) {
        Caller caller = known(Caller.of(ctx));
        if (caller.session() != null) {
            throw notAuthenticated(ctx, "a session is begun with HTTP Basic authentication, not with a token");
        }
        requests.noBody(ctx);
        if (Requests.flag(ctx, "dryRun")) {
            answers.answer(
                    ctx,
                    200,
                    Checks.of(List.of(new Checks.Check(
                            "authenticated",
                            true,
                            "as " + caller.name() + ", with the role "
                                    + caller.role().name().toLowerCase(Locale.ROOT)))));
            return;
        }
        long wait = caller.role() == ApiUser.Role.ROOT ? 0 : sessionComesIn(caller.name());
        if (wait > 0) {
            throw later(
                    ctx, Duration.ofNanos(wait), "too-many-sessions", "this user began many sessions: the next in ");
        }
        AccessTokens.Issued issued = tokens.issue(caller.known(), Instant.now());
        ctx.header(SessionInfo.HEADER, issued.token());
        answers.answer(
                ctx,
                200,
                new SessionInfo(issued.token(), issued.session().expires().toString()));
    }

    private long sessionComesIn(String user) {
        long now = System.nanoTime();
        synchronized (sessions) {
            sessions.keySet().removeIf(name -> users.find(name) == null);
            Allowance left = sessions.computeIfAbsent(user, unused -> new Allowance(SESSIONS, SESSION_REGAINED, now));
            return left.take(now) ? 0 : left.waitNanos(now);
        }
    }

    void logOut(Context ctx) {
        requests.noBody(ctx);
        AccessTokens.Session session = known(Caller.of(ctx)).session();
        if (session == null) {
            throw RequestProblem.notFound("no-session", "the request came with a password, not with a session's token");
        }
        if (Requests.flag(ctx, "dryRun")) {
            answers.answer(
                    ctx, 200, Checks.of(List.of(new Checks.Check("session", true, "until " + session.expires()))));
            return;
        }
        Coordination.Outcome outcome = answers.within(
                revocations.revoke(new RevokedSession(session.id(), session.expires())),
                "it is not known in time whether the other cells know that the session was ended");
        switch (outcome) {
            case APPLIED, CONFLICT -> ctx.status(204);
            case NOT_SENT, UNKNOWN ->
                throw RequestProblem.unavailable(
                        "zookeeper-unavailable",
                        "ended at this cell; the others may take the token until ZooKeeper is back, or until "
                                + session.expires());
        }
    }

    private static Caller known(@Nullable Caller caller) {
        if (caller == null) {
            throw new IllegalStateException("nobody asked who asks");
        }
        return caller;
    }

    /** Whether what the request came with still counts: a session that ends, and a user that goes, take their streams with them. */
    boolean holds(Context ctx) {
        Caller caller = known(Caller.of(ctx));
        AccessTokens.Session session = caller.session();
        return caller.known().equals(users.find(caller.name()))
                && (session == null
                        || (Instant.now().isBefore(session.expires())
                                && revocations.standing(session.id()) == Revocations.Standing.VALID));
    }
}
