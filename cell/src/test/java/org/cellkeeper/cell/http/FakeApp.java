package org.cellkeeper.cell.http;

import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.port.App;

/** An app that is as it is told to be. */
public final class FakeApp implements App {
    public volatile boolean reaches = true;
    public volatile Status status = Status.RUNNING;
    public volatile int cells = 3;

    /** Null when the database cannot be read. */
    public volatile List<HistoryEntry> archive = List.of();

    public volatile Instant askedBefore;
    public volatile int askedLimit;

    @Override
    public CompletableFuture<Boolean> reachesPrimary() {
        return CompletableFuture.completedFuture(reaches);
    }

    @Override
    public CompletableFuture<Status> status() {
        return CompletableFuture.completedFuture(status);
    }

    @Override
    public CompletableFuture<List<RegisteredCell>> cells() {
        return cells < 0
                ? CompletableFuture.failedFuture(new SQLException("nobody listens"))
                : CompletableFuture.completedFuture(IntStream.rangeClosed(1, cells)
                        .mapToObj(FakeApp::registered)
                        .toList());
    }

    private static RegisteredCell registered(int number) {
        return new RegisteredCell(
                new CellId(new CellName("cell-" + number), Incarnation.of(number)),
                "127.0.0." + (10 + number),
                "0.1.0",
                "2026-01-01T00:00:00Z",
                number != 2);
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(Instant before, int limit) {
        askedBefore = before;
        askedLimit = limit;
        List<HistoryEntry> told = archive;
        return told == null
                ? CompletableFuture.failedFuture(new SQLException("nobody listens"))
                : CompletableFuture.completedFuture(told);
    }
}
