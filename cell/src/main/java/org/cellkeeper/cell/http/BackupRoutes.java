package org.cellkeeper.cell.http;

import io.javalin.http.Context;
import java.nio.file.Path;
import java.util.List;
import org.cellkeeper.api.BackupList;
import org.cellkeeper.api.MountRequest;
import org.cellkeeper.api.RestoreRequest;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.Operator;
import org.jspecify.annotations.Nullable;

/** Backups, and the transfer share that they lie on. */
final class BackupRoutes {
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

    void changeMount(Context ctx) {
        MountRequest body = requests.body(ctx, MountRequest.class);
        if (body == null || body.nfs() == null) {
            throw RequestProblem.badRequest("the body must be {\"nfs\": \"host:/path\"}");
        }
        Path folder = share().folder();
        answers.mayGoOn(
                ctx,
                List.of(new Operator.Check(
                        "cell-mounts-share",
                        false,
                        "a cell does not mount its transfer share: mount it on the machine of each cell, "
                                + (folder == null
                                        ? "and name the folder in transfer.folder"
                                        : "at " + folder + " as transfer.folder says")
                                + "; nothing was changed")),
                Requests.flag(ctx, "dryRun"));
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

    private List<StoredBackup> listed() {
        return answers.within(backups.list(), SILENT);
    }

    private static String location(Backups.Share share, StoredBackup stored) {
        return share.folder() + "/" + stored.backup().name();
    }

    void list(Context ctx) {
        BackupQuery query = BackupQuery.of(ctx);
        Backups.Share share = usableShare();
        List<StoredBackup> all = query.among(listed());
        Page page = query.page();
        answers.answer(
                ctx,
                200,
                new BackupList(
                        page.of(all).stream()
                                .map(backup -> rendering.backupFile(backup, location(share, backup)))
                                .toList(),
                        page.count(all),
                        page.size(),
                        all.size()));
    }

    /** The one that the path names; only one that is listed is ever asked for. */
    private StoredBackup named(Context ctx) {
        usableShare();
        String name = ctx.pathParam("name");
        return listed().stream()
                .filter(stored -> stored.backup().name().equals(name))
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
        StoredBackup stored = named(ctx);
        answers.answer(ctx, 200, rendering.backup(stored, location(share(), stored)));
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
                ctx,
                backups.ask(
                        new BackupOperator.Request.Check(
                                named(ctx).backup().name(), Requests.flag(ctx, "acceptUnsigned"), dryRun),
                        Requests.caller(ctx)));
    }

    void delete(Context ctx) {
        requests.noBody(ctx);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        answers.verdict(
                ctx,
                backups.ask(
                        new BackupOperator.Request.Delete(named(ctx).backup().name(), dryRun), Requests.caller(ctx)));
    }

    void restore(Context ctx) {
        RestoreRequest body = requests.body(ctx, RestoreRequest.class);
        boolean dryRun = Requests.flag(ctx, "dryRun");
        String name = named(ctx).backup().name();
        confirm(name, body);
        boolean acceptUnsigned = body != null && Boolean.TRUE.equals(body.acceptUnsigned());
        answers.verdict(
                ctx,
                backups.ask(new BackupOperator.Request.Restore(name, acceptUnsigned, dryRun), Requests.caller(ctx)));
    }

    private void confirm(String name, @Nullable RestoreRequest body) {
        String nfs = body == null ? null : body.nfs();
        if (body == null || (body.confirm() == null && nfs == null)) {
            throw RequestProblem.badRequest("the database is about to be replaced: the body must be {\"confirm\": \""
                    + name + "\"}, the backup's name once more, or {\"nfs\": \"...\"} as GET /mount says it");
        }
        if (body.confirm() != null && !body.confirm().equals(name)) {
            throw Requests.wrong("confirm", body.confirm(), "'" + name + "', the backup's name once more");
        }
        String here = share().nfs();
        if (nfs != null && !here.isEmpty() && !nfs.equals(here)) {
            throw Requests.wrong("nfs", nfs, "'" + here + "', where this cell's transfer share comes from");
        }
    }
}
