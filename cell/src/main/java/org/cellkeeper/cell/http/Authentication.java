package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.SessionInfo;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Revocations;

/** Who may ask: root with the password, or with the token of a session that nobody has ended. Begins and ends sessions. */
final class Authentication {
    static final String USER = "root";

    private static final String SESSION = "session";

    private final Requests requests;
    private final Answers answers;
    private final Revocations revocations;
    private final AccessTokens tokens;
    private final byte[] credentials;

    Authentication(ApiSettings settings, Requests requests, Answers answers, Revocations revocations) {
        this.requests = requests;
        this.answers = answers;
        this.revocations = revocations;
        this.tokens = new AccessTokens(settings.tokenSecret(), settings.rootPassword());
        this.credentials = digest(USER + ":" + settings.rootPassword());
    }

    /** The request goes on with a password or the token of a session, and with nothing else. */
    void require(Context ctx) {
        String header = ctx.header("Authorization");
        if (header == null) {
            throw notAuthenticated(ctx, "HTTP Basic authentication as root, or a bearer token, is needed");
        }
        String token = credentialsOf(header, "bearer");
        if (!token.isEmpty()) {
            ctx.attribute(SESSION, standing(ctx, token));
        } else if (!MessageDigest.isEqual(digest(basic(header)), credentials)) {
            throw notAuthenticated(ctx, "the user name or the password is wrong");
        }
    }

    private AccessTokens.Session standing(Context ctx, String token) {
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
        return session;
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

    private static String basic(String header) {
        try {
            return new String(Base64.getDecoder().decode(credentialsOf(header, "basic")), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    void logIn(Context ctx) {
        if (ctx.attribute(SESSION) != null) {
            throw notAuthenticated(ctx, "a session is begun with HTTP Basic authentication, not with a token");
        }
        requests.noBody(ctx);
        if (Requests.flag(ctx, "dryRun")) {
            answers.answer(ctx, 200, Checks.of(List.of(new Checks.Check("authenticated", true, "as " + USER))));
            return;
        }
        AccessTokens.Issued issued = tokens.issue(Instant.now());
        ctx.header(SessionInfo.HEADER, issued.token());
        answers.answer(
                ctx,
                200,
                new SessionInfo(issued.token(), issued.session().expires().toString()));
    }

    void logOut(Context ctx) {
        requests.noBody(ctx);
        AccessTokens.Session session = ctx.attribute(SESSION);
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

    /** Whether what the request came with still counts: a session that ends takes its streams with it. */
    boolean holds(Context ctx) {
        AccessTokens.Session session = ctx.attribute(SESSION);
        return session == null
                || (Instant.now().isBefore(session.expires())
                        && revocations.standing(session.id()) == Revocations.Standing.VALID);
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("no SHA-256 in this Java", e);
        }
    }
}
