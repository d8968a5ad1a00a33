package org.cellkeeper.cell.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.javalin.http.Context;
import io.javalin.http.MethodNotAllowedResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.api.ApiPaths;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.Problem;
import org.cellkeeper.cell.port.Operator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the API answers, in JSON, and how long it waits for what it is to tell. Any thread may use it. */
final class Answers {
    private static final Logger log = LoggerFactory.getLogger(Answers.class);

    private static final String NO_DATABASE =
            "neither this cell's database nor the primary's can be read, or the app's tables are not there yet; ask another cell, or"
                    + " later";

    private final ApiSettings settings;
    private final ObjectMapper json;

    Answers(ApiSettings settings, ObjectMapper json) {
        this.settings = settings;
        this.json = json;
    }

    void answer(Context ctx, int status, Object body) {
        answer(ctx, status, "application/json", body);
    }

    void answer(Context ctx, Problem problem) {
        answer(ctx, problem.status(), Problem.MEDIA_TYPE, problem);
    }

    private void answer(Context ctx, int status, String mediaType, Object body) {
        byte[] text;
        try {
            text = json.writeValueAsBytes(body);
        } catch (JsonProcessingException e) {
            fault(ctx, e);
            return;
        }
        write(ctx, status, mediaType, text);
    }

    static void write(Context ctx, int status, String mediaType, byte[] text) {
        // Without this the server would add a charset to any type but the default one.
        ctx.res().setContentType(null);
        ctx.status(status)
                .contentType(mediaType)
                .header("Cache-Control", "no-store")
                .header("X-Content-Type-Options", "nosniff")
                .header("Cross-Origin-Resource-Policy", "same-origin")
                .result(text);
    }

    void fault(Context ctx, Exception e) {
        log.error("{} {} failed", ctx.method(), ctx.path(), e);
        String text =
                "{\"type\":\"about:blank\",\"title\":\"Internal error\",\"status\":500,\"code\":\"internal-error\","
                        + "\"detail\":\"an error of the cell itself; its log says more\"}";
        write(ctx, 500, Problem.MEDIA_TYPE, text.getBytes(StandardCharsets.UTF_8));
    }

    void wrongVerb(Context ctx, MethodNotAllowedResponse e) {
        String allowed = e.getDetails().get("availableMethods");
        if (allowed != null) {
            ctx.header("Allow", allowed);
        }
        answer(
                ctx,
                Problem.of(
                        405,
                        "Method not allowed",
                        "method-not-allowed",
                        allowed == null ? "not this verb" : "this path takes " + allowed));
    }

    static Problem noSuchPath() {
        return Problem.of(
                404, "Not found", "no-such-path", "nothing is at this path; the API is below " + ApiPaths.BASE);
    }

    static Problem ofStatus(int status) {
        return status == 413
                ? Requests.tooLarge().problem()
                : Problem.of(status, "Not done", "http-" + status, "the request is not understood");
    }

    /** Of what is done at once: a dry run is answered with the checks, and what one of them refuses is not done. */
    boolean mayGoOn(Context ctx, List<Operator.Check> checks, boolean dryRun) {
        if (dryRun) {
            checked(ctx, checks);
            return false;
        }
        checks.stream().filter(check -> !check.ok()).findFirst().ifPresent(check -> {
            throw refused(check.name(), check.detail());
        });
        return true;
    }

    private void checked(Context ctx, List<Operator.Check> checks) {
        answer(
                ctx,
                200,
                Checks.of(checks.stream()
                        .map(check -> new Checks.Check(check.name(), check.ok(), check.detail()))
                        .toList()));
    }

    private static RequestProblem refused(String code, String detail) {
        return new RequestProblem(409, "Precondition does not hold", code, detail);
    }

    private String host() {
        String host = settings.address().host();
        return host.contains(":") ? "[" + host + "]" : host;
    }

    // ---- what is waited for

    <T> T within(CompletableFuture<T> future, String otherwise) {
        try {
            return future.get(settings.answerWithin().toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw RequestProblem.unavailable("timeout", otherwise);
        } catch (ExecutionException e) {
            log.warn("a request could not be answered", e.getCause());
            throw RequestProblem.unavailable("unavailable", otherwise);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw stopping();
        }
    }

    <T> T fromDatabase(CompletableFuture<T> future) {
        try {
            return future.get(settings.answerWithin().toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            log.debug("the database could not be read", e);
            throw RequestProblem.unavailable("no-database", NO_DATABASE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw stopping();
        }
    }

    static RequestProblem stopping() {
        return RequestProblem.unavailable("stopping", "this cell is being stopped");
    }

    /** What became of a request that is to become a task. */
    void verdict(Context ctx, CompletableFuture<Operator.Verdict> answer) {
        Operator.Verdict verdict =
                within(answer, "it is not known in time whether the request was accepted: look at the tasks");
        switch (verdict) {
            case Operator.Verdict.Accepted(String taskId) ->
                ctx.status(202)
                        .header(
                                "Location",
                                "https://" + host() + ":" + settings.address().apiPort() + ApiPaths.task(taskId));
            case Operator.Verdict.Checked(List<Operator.Check> checks) -> checked(ctx, checks);
            case Operator.Verdict.NoSuchNode(String detail) -> throw RequestProblem.notFound("no-such-node", detail);
            case Operator.Verdict.Refused(String code, String detail) -> throw refused(code, detail);
            case Operator.Verdict.Unavailable(String detail) ->
                throw RequestProblem.unavailable("zookeeper-unavailable", detail);
        }
    }
}
