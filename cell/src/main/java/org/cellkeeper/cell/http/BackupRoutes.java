package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.util.List;
import org.cellkeeper.api.BackupList;
import org.cellkeeper.api.RestoreRequest;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Backups;

/** Backups, and the transfer share that they lie on. */
final class BackupRoutes {
    private static final int PAGE = 25;
    private static final String SILENT = "the transfer share does not answer: see its mount on this cell";

    private final Requests requests;
    private final Answers answers;
    private final BackupOperator backups;
    private final Rendering rendering;

    BackupRoutes(Requests requests, Answers answers, BackupOperator backups, Rendering rendering) {
        this.requests = requests;
        this.answers = answers;
        this.backups = backups;
        this.rendering = rendering;
    }

    void mount(Context ctx) {
        answers.answer(ctx, 200, rendering.mount(share()));
    }

    private Backups.Share share() {
        return answers.within(backups.share(), SILENT);
    }

    private Backups.Share usableShare() {
        Backups.Share share = share();
        if (!share.usable()) {
            throw RequestProblem.unavailable("no-transfer-share", share.detail());
        }
        return share;
    }

    private List<Backup> listed() {
        return answers.within(backups.list(), SILENT);
    }

    private static String location(Backups.Share share, Backup backup) {
        return share.folder() + "/" + backup.name();
    }

    void list(Context ctx) {
        int page = Requests.number(ctx, "page", 1, 999_999);
        Backups.Share share = usableShare();
        List<Backup> all = listed();
        answers.answer(
                ctx,
                200,
                new BackupList(
                        all.stream()
                                .skip((page - 1L) * PAGE)
                                .limit(PAGE)
                                .map(backup -> rendering.backupFile(backup, location(share, backup)))
                                .toList(),
                        (all.size() + PAGE - 1) / PAGE,
                        PAGE,
                        all.size()));
    }

    /** The one that the path names; only one that is listed is ever asked for. */
    private Backup named(Context ctx) {
        usableShare();
        String name = ctx.pathParam("name");
        return listed().stream()
                .filter(backup -> backup.name().equals(name))
                .findFirst()
                .orElseThrow(() -> notListed(name));
    }

    private RequestProblem notListed(String name) {
        String damage = answers.within(backups.damage(name), SILENT);
        return damage.isEmpty()
                ? RequestProblem.notFound(
                        "no-such-backup", "there is no such backup; GET /backups names those that there are")
                : new RequestProblem(
                        409,
                        "Damaged",
                        "backup-damaged",
                        "the backup is damaged: " + damage + "; use another one, and remove its folder by hand");
    }

    void show(Context ctx) {
        Backup backup = named(ctx);
        answers.answer(ctx, 200, rendering.backup(backup, location(share(), backup)));
    }

    void create(Context ctx) {
        requests.noBody(ctx);
        answers.verdict(
                ctx,
                backups.ask(
                        new BackupOperator.Request.Create(Requests.flag(ctx, "check"), Requests.flag(ctx, "dryRun")),
                        Requests.caller(ctx)));
    }

    void check(Context ctx) {
        requests.noBody(ctx);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        answers.verdict(
                ctx, backups.ask(new BackupOperator.Request.Check(named(ctx).name(), dryRun), Requests.caller(ctx)));
    }

    void delete(Context ctx) {
        requests.noBody(ctx);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        answers.verdict(
                ctx, backups.ask(new BackupOperator.Request.Delete(named(ctx).name(), dryRun), Requests.caller(ctx)));
    }

    void restore(Context ctx) {
        RestoreRequest body = requests.body(ctx, RestoreRequest.class);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        String name = named(ctx).name();
        if (body == null || !name.equals(body.confirm())) {
            throw RequestProblem.badRequest("the database is about to be replaced: the body must be {\"confirm\": \""
                    + name + "\"}, the backup's name once more");
        }
        answers.verdict(ctx, backups.ask(new BackupOperator.Request.Restore(name, dryRun), Requests.caller(ctx)));
    }
}
