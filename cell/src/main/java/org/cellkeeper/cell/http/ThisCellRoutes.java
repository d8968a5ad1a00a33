package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.FipsInfo;
import org.cellkeeper.api.PrimaryAnswer;
import org.cellkeeper.api.Problem;
import org.cellkeeper.api.StandbyAnswer;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.port.Reloadable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is told of the one cell that is asked, and what is asked of it alone. */
final class ThisCellRoutes {
    private static final Logger log = LoggerFactory.getLogger(ThisCellRoutes.class);

    private static final String METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    private final Requests requests;
    private final Answers answers;
    private final ThisCell thisCell;
    private final Operator operator;
    private final App app;
    private final Map<String, Reloadable> reloadable;
    private final Supplier<String> metrics;

    /**
     * @param reloadable by the name of the service
     * @param metrics in Prometheus' text format
     */
    ThisCellRoutes(
            Requests requests,
            Answers answers,
            ThisCell thisCell,
            Operator operator,
            App app,
            Map<String, Reloadable> reloadable,
            Supplier<String> metrics) {
        this.requests = requests;
        this.answers = answers;
        this.thisCell = thisCell;
        this.operator = operator;
        this.app = app;
        this.reloadable = new TreeMap<>(reloadable);
        this.metrics = metrics;
    }

    void isPrimary(Context ctx) {
        answers.answer(ctx, 200, new PrimaryAnswer(operator.isPrimary()));
    }

    /** The same for balancers that read no body. */
    void primary(Context ctx) {
        if (!operator.isPrimary()) {
            throw RequestProblem.unavailable(
                    "not-primary", "this cell is not a primary that takes writes: " + itself());
        }
        answers.answer(ctx, 200, new PrimaryAnswer(true));
    }

    void standby(Context ctx) {
        long most = Requests.size(ctx, "maxLag", Long.MAX_VALUE);
        Operator.Local local = operator.local();
        if (local == null
                || local.state() != CellState.STREAMING
                || !thisCell.ready().ok()) {
            throw RequestProblem.unavailable("not-standby", "this cell is not a standby that streams: " + itself());
        }
        if (local.unreplayed() < 0 || local.unreplayed() > most) {
            String lag = local.unreplayed() < 0 ? "by an unknown amount" : "by " + local.unreplayed() + " bytes";
            throw RequestProblem.unavailable("lags", "this cell's replay is behind the primary's WAL " + lag);
        }
        answers.answer(ctx, 200, new StandbyAnswer(local.unreplayed()));
    }

    private String itself() {
        Operator.Local local = operator.local();
        return local == null ? "it is still starting" : "it is " + local.state();
    }

    void metrics(Context ctx) {
        Answers.write(ctx, 200, METRICS_TYPE, metrics.get().getBytes(StandardCharsets.UTF_8));
    }

    void openApi(Context ctx) throws IOException {
        try (InputStream in = Problem.class.getResourceAsStream("openapi.yaml")) {
            if (in == null) {
                throw new IOException("openapi.yaml is not in the program");
            }
            Answers.write(ctx, 200, "application/yaml", in.readAllBytes());
        }
    }

    void serverStatus(Context ctx) {
        if (!answers.within(app.reachesPrimary(), "it is not known in time whether a primary database is reached")) {
            throw RequestProblem.unavailable("no-primary", "this cell reaches no primary database");
        }
        Answers.write(ctx, 200, "text/plain", "Service is up.".getBytes(StandardCharsets.US_ASCII));
    }

    void services(Context ctx) {
        answers.answer(ctx, 200, thisCell.services());
    }

    void service(Context ctx) {
        answers.answer(ctx, 200, thisCell.service(ctx.pathParam("name")));
    }

    void reload(Context ctx) {
        requests.noBody(ctx);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        Reloadable service = reloadable.get(ctx.pathParam("name"));
        if (service == null) {
            throw RequestProblem.notFound(
                    "no-such-service",
                    "nothing of that name reads its files anew; these do: " + String.join(", ", reloadable.keySet()));
        }
        if (answers.mayGoOn(ctx, service.checks(), dryRun)) {
            try {
                service.reload();
                log.info("{} has read its files anew, as {} asked", ctx.pathParam("name"), Requests.caller(ctx));
            } catch (RuntimeException e) {
                throw new RequestProblem(409, "Not done", "not-reloaded", String.valueOf(e.getMessage()));
            }
        }
    }

    void version(Context ctx) {
        answers.answer(ctx, 200, thisCell.version());
    }

    void fips(Context ctx) {
        answers.answer(ctx, 200, thisCell.fips());
    }

    void fipsOfOne(Context ctx) {
        answers.answer(ctx, 200, fips(Requests.target(ctx)));
    }

    private FipsInfo fips(CellName name) {
        return thisCell.fips().stream()
                .filter(fips -> name.value().equals(fips.name()))
                .findFirst()
                .orElseThrow(() ->
                        RequestProblem.notFound("no-such-node", "no such cell; GET /nodes names those that there are"));
    }

    void changeFips(Context ctx) {
        FipsInfo body = requests.body(ctx, FipsInfo.class);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        FipsInfo now = fips(Requests.target(ctx));
        if (body != null && body.name() != null && !body.name().equals(now.name())) {
            throw Requests.wrong("name", body.name(), "'" + now.name() + "' as in the path, or left out");
        }
        String mode = body == null ? null : body.applianceFips();
        if (mode == null) {
            throw RequestProblem.badRequest("the body must be {\"applianceFips\": \"ON\"}, or OFF");
        }
        if (!mode.equals("ON") && !mode.equals("OFF")) {
            throw Requests.wrong("applianceFips", mode, "ON or OFF");
        }
        answers.mayGoOn(
                ctx,
                List.of(new Operator.Check(
                        "cell-switches-fips",
                        false,
                        "a cell does not switch the FIPS mode of its operating system: do that on the machine of "
                                + now.name() + ", and start it anew; nothing was changed")),
                dryRun);
    }

    void alive(Context ctx) {
        probe(ctx, thisCell.alive(), "not-alive");
    }

    void ready(Context ctx) {
        probe(ctx, thisCell.ready(), "not-ready");
    }

    void storage(Context ctx) {
        answers.answer(
                ctx, 200, answers.within(thisCell.storage(), "the volumes do not answer: see the disks of this cell"));
    }

    private void probe(Context ctx, Checks checks, String code) {
        if (!checks.ok()) {
            throw RequestProblem.unavailable(
                    code,
                    String.join(
                            "; ",
                            checks.checks().stream()
                                    .filter(check -> !check.ok())
                                    .map(check -> check.name() + ": " + check.detail())
                                    .toList()));
        }
        answers.answer(ctx, 200, checks);
    }
}
