package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import org.cellkeeper.api.Checks;

/** What is told of the one cell that is asked, and what is asked of it alone. */
final class ThisCellRoutes {
    private final Answers answers;
    private final ThisCell thisCell;

    ThisCellRoutes(Answers answers, ThisCell thisCell) {
        this.answers = answers;
        this.thisCell = thisCell;
    }

    void services(Context ctx) {
        answers.answer(ctx, 200, thisCell.services());
    }

    void service(Context ctx) {
        answers.answer(ctx, 200, thisCell.service(ctx.pathParam("name")));
    }

    void version(Context ctx) {
        answers.answer(ctx, 200, thisCell.version());
    }

    void fips(Context ctx) {
        answers.answer(ctx, 200, thisCell.fips());
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
