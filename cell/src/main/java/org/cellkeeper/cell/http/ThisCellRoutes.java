package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.FipsInfo;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.port.Reloadable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is told of the one cell that is asked, and what is asked of it alone. */
final class ThisCellRoutes {
    private static final Logger log = LoggerFactory.getLogger(ThisCellRoutes.class);

    private final Requests requests;
    private final Answers answers;
    private final ThisCell thisCell;
    private final Map<String, Reloadable> reloadable;

    /** @param reloadable by the name of the service */
    ThisCellRoutes(Requests requests, Answers answers, ThisCell thisCell, Map<String, Reloadable> reloadable) {
        this.requests = requests;
        this.answers = answers;
        this.thisCell = thisCell;
        this.reloadable = new TreeMap<>(reloadable);
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
