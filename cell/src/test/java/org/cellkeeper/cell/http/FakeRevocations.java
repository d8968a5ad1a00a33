package org.cellkeeper.cell.http;

import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Revocations;

/** A list of ended sessions that several cells may share. */
public final class FakeRevocations implements Revocations {
    public final Set<String> ended = ConcurrentHashMap.newKeySet();
    public volatile boolean known = true;
    public volatile Coordination.Outcome outcome = Coordination.Outcome.APPLIED;

    @Override
    public Standing standing(String session) {
        return ended.contains(session) ? Standing.REVOKED : known ? Standing.VALID : Standing.NOT_KNOWN;
    }

    @Override
    public CompletableFuture<Coordination.Outcome> revoke(RevokedSession session) {
        ended.add(session.id());
        return CompletableFuture.completedFuture(outcome);
    }
}
