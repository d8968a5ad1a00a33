package org.cellkeeper.cell.http;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.Operator;

/** A share with as many backups as it is told, which remembers what it was asked. */
public final class FakeBackups implements BackupOperator {
    public static final Backups.Share SHARE =
            new Backups.Share(true, Path.of("/transfer"), "", 1000, 300, 700, "backups are kept there");

    public volatile Backups.Share share = SHARE;
    public volatile int count = 1;
    public volatile Signature signature = Signature.VALID;
    public final List<Request> asked = new ArrayList<>();

    @Override
    public CompletableFuture<Backups.Share> share() {
        return CompletableFuture.completedFuture(share);
    }

    @Override
    public CompletableFuture<List<StoredBackup>> list() {
        return CompletableFuture.completedFuture(IntStream.range(0, count)
                .mapToObj(number -> new StoredBackup(backup(number), signature))
                .toList());
    }

    private static Backup backup(int number) {
        return new Backup(
                "backup-" + number,
                FakeOperator.NOON.minus(Duration.ofMinutes(number)),
                FakeOperator.CELL_2,
                "0.1.0",
                "17.6",
                "7300000000000000001",
                2,
                Lsn.parse("0/3000100"),
                5000,
                6000L,
                List.of(new Backup.Part("base/base.tar.gz", 40, "aa"), new Backup.Part("base/pg_wal.tar.gz", 2, "bb")),
                List.of("event trigger watch (left out)"));
    }

    @Override
    public CompletableFuture<String> damage(String name) {
        return CompletableFuture.completedFuture(name.equals("backup-damaged") ? "its manifest.json is missing" : "");
    }

    @Override
    public CompletableFuture<Operator.Verdict> ask(Request request, String caller) {
        synchronized (asked) {
            asked.add(request);
        }
        return CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
    }
}
