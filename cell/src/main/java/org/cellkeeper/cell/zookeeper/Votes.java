package org.cellkeeper.cell.zookeeper;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.port.Coordination.Outcome;

/**
 * The votes: a copy of those in the ballot that matters, and how one is cast and those of old ballots are removed. Lives on the
 * coordination thread.
 */
final class Votes {
    private static final int MOST_TRIES = 3;

    private final Tree tree;
    private long ballot;
    private boolean read;
    private Folder<Vote> folder;

    Votes(Tree tree) {
        this.tree = tree;
        this.folder = folderOf(0);
    }

    private Folder<Vote> folderOf(long number) {
        return new Folder<>(tree.votes + "/" + number, Vote.class);
    }

    /** The ballot whose votes were read; 0 while none were. */
    long ballot() {
        return read ? ballot : 0;
    }

    Map<CellName, Vote> byVoter() {
        return read ? folder.byCell(vote -> vote.voter().name()) : Map.of();
    }

    Folder<Vote> folder() {
        return folder;
    }

    /** Reads those in this ballot from now on; 0 for none. */
    CompletableFuture<Boolean> read(Connection c, long thatMatters) {
        if (thatMatters != ballot) {
            ballot = thatMatters;
            read = false;
            folder = folderOf(ballot);
        }
        if (ballot == 0) {
            return CompletableFuture.completedFuture(true);
        }
        Folder<Vote> reading = folder;
        return reading.readAll(c).thenApply(ok -> {
            if (reading == folder && ok) {
                read = true;
            }
            return ok;
        });
    }

    CompletableFuture<Boolean> readIfOther(Connection c, long thatMatters) {
        return thatMatters == ballot ? CompletableFuture.completedFuture(true) : read(c, thatMatters);
    }

    CompletableFuture<Outcome> publish(Connection c, Vote vote, byte[] data) {
        String ballotPath = tree.votes + "/" + vote.ballot();
        String path = ballotPath + "/" + vote.voter().name();
        // Both at once: ZooKeeper carries out the requests of a session in order.
        var made = tree.create(c, ballotPath, Tree.NO_DATA, CreateMode.PERSISTENT);
        var node = c.create(path, data, CreateMode.PERSISTENT);
        return made.thenCompose(ignored -> node)
                .thenCompose(reply -> reply.isAbsent() ? c.create(path, data, CreateMode.PERSISTENT) : node)
                .thenCompose(
                        reply -> reply.isThere() ? c.set(path, data, -1) : CompletableFuture.completedFuture(reply))
                .thenApply(Reply::outcome);
    }

    CompletableFuture<Outcome> delete(Connection c, long upToBallot) {
        return c.children(tree.votes).thenCompose(listed -> {
            if (listed.isAbsent()) {
                return CompletableFuture.completedFuture(Outcome.APPLIED);
            }
            List<CompletableFuture<Outcome>> deletions = listed.children().stream()
                    .filter(name -> isBallotUpTo(name, upToBallot))
                    .map(name -> delete(c, tree.votes + "/" + name, 1))
                    .toList();
            return CompletableFuture.allOf(deletions.toArray(CompletableFuture[]::new))
                    .thenApply(all ->
                            deletions.stream().map(CompletableFuture::join).reduce(listed.outcome(), Votes::worse));
        });
    }

    private CompletableFuture<Outcome> delete(Connection c, String ballotPath, int tries) {
        return c.children(ballotPath).thenCompose(listed -> {
            listed.children().forEach(name -> {
                var unused = c.delete(ballotPath + "/" + name, -1);
            });
            return c.delete(ballotPath, -1).thenCompose(reply -> {
                if (reply.code() == Code.NOTEMPTY && tries < MOST_TRIES) {
                    return delete(c, ballotPath, tries + 1);
                }
                return CompletableFuture.completedFuture(reply.isAbsent() ? Outcome.APPLIED : reply.outcome());
            });
        });
    }

    private static boolean isBallotUpTo(String name, long ballot) {
        return name.matches("[0-9]{1,18}") && Long.parseLong(name) <= ballot;
    }

    private static Outcome worse(Outcome one, Outcome other) {
        return one.compareTo(other) >= 0 ? one : other;
    }
}
