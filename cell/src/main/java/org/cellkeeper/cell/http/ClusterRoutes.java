package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.util.List;
import java.util.Locale;
import org.cellkeeper.api.CellPage;
import org.cellkeeper.api.PromoteRequest;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.Operator;

/** What is told of the cluster, and what operators ask of it: that becomes a task, whichever cell is asked. */
final class ClusterRoutes {
    private static final int CELLS_PAGE = 25;
    private static final int CELLS_PAGE_LIMIT = 128;

    private final Requests requests;
    private final Answers answers;
    private final Rendering rendering;
    private final Operator operator;
    private final App app;

    ClusterRoutes(Requests requests, Answers answers, Rendering rendering, Operator operator, App app) {
        this.requests = requests;
        this.answers = answers;
        this.rendering = rendering;
        this.operator = operator;
        this.app = app;
    }

    void nodes(Context ctx) {
        answers.answer(ctx, 200, rendering.cluster(operator.report()));
    }

    void cells(Context ctx) {
        Page page = Page.of(ctx, CELLS_PAGE, CELLS_PAGE_LIMIT);
        List<App.RegisteredCell> all = answers.fromDatabase(app.cells());
        answers.answer(
                ctx,
                200,
                new CellPage(
                        all.size(),
                        page.count(all),
                        page.number(),
                        page.size(),
                        null,
                        page.of(all).stream().map(rendering::registered).toList()));
    }

    void setMode(Context ctx) {
        FailoverMode mode = switch (ctx.pathParam("mode").toLowerCase(Locale.ROOT)) {
            case "automatic" -> FailoverMode.AUTOMATIC;
            case "manual" -> FailoverMode.MANUAL;
            default -> throw RequestProblem.badRequest("the failover mode is automatic or manual");
        };
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.SetMode(mode, Requests.flag(ctx, "dryRun")));
    }

    void promote(Context ctx) {
        CellName target = Requests.target(ctx);
        PromoteRequest body = requests.body(ctx, PromoteRequest.class);
        boolean acceptDataLoss = body != null && Boolean.TRUE.equals(body.acceptDataLoss());
        ask(ctx, new Operator.Request.Promote(target, acceptDataLoss, Requests.flag(ctx, "dryRun")));
    }

    void switchover(Context ctx) {
        CellName target = Requests.target(ctx);
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.Switchover(target, Requests.flag(ctx, "dryRun")));
    }

    void deploy(Context ctx) {
        CellName target = Requests.target(ctx);
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.Deploy(target, Requests.flag(ctx, "dryRun")));
    }

    void remove(Context ctx) {
        CellName target = Requests.target(ctx);
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.Remove(target, Requests.flag(ctx, "force"), Requests.flag(ctx, "dryRun")));
    }

    void tasks(Context ctx) {
        answers.answer(ctx, 200, operator.tasks().stream().map(rendering::task).toList());
    }

    void task(Context ctx) {
        String id = ctx.pathParam("id");
        answers.answer(
                ctx,
                200,
                operator.tasks().stream()
                        .filter(task -> task.id().equals(id))
                        .findFirst()
                        .map(rendering::task)
                        .orElseThrow(() -> RequestProblem.notFound("no-such-task", "no such task is known")));
    }

    private void ask(Context ctx, Operator.Request request) {
        answers.verdict(ctx, operator.ask(request, Requests.caller(ctx)));
    }
}
