package org.cellkeeper.cell.decide;

import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.cellkeeper.cell.decide.Facts.Move;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.decide.quorum.VoterChange;
import org.cellkeeper.cell.decide.quorum.VoterChange.Drain;
import org.cellkeeper.cell.decide.quorum.VoterChange.Rule;
import org.cellkeeper.cell.decide.quorum.VoterChange.Step;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;

/** The next step of a change of voters by this view: it reads, {@link VoterChange} works it out. */
public final class VoterMoves {
    /** A reload that has not shown by then is done again. */
    private static final long RELOAD_MILLIS = 1000;

    private VoterMoves() {}

    public static Step next(View view) {
        ClusterState state = view.state();
        if (state == null || !state.isSteady() || !view.coordinationKnown() || !Primaries.reigns(view)) {
            return new Step.Nothing();
        }
        SortedSet<CellId> streaming = Primaries.streaming(view);
        streaming.removeIf(cell -> !state.isActive(cell) || Tasks.removalAsked(view, cell.name()));
        return new VoterChange(
                        state.primary(),
                        state.epoch(),
                        CommitQuorum.of(state),
                        isConfirmed(view, state),
                        rule(view),
                        streaming,
                        voters(state, voter -> mustGo(view, state, voter)),
                        voters(state, voter -> awayTooLong(view, voter)),
                        voters(state, voter -> lacksWal(view, voter)))
                .next();
    }

    private static Set<CellId> voters(ClusterState state, Predicate<CellId> which) {
        TreeSet<CellId> voters = new TreeSet<>(state.standbyVoters());
        voters.removeIf(which.negate());
        return voters;
    }

    private static Rule rule(View view) {
        DatabaseView database = view.database();
        DatabaseView.Primary primary = database.primary();
        Memory.Written written = view.memory().rule().written();
        return new Rule(
                database.syncOnDisk(),
                database.syncInForce(),
                written != null && isWritten(view, written.setting()) ? written.setting() : null,
                view.memory().rule().drain(),
                primary == null ? null : primary.senders());
    }

    private static boolean mustGo(View view, ClusterState state, CellId voter) {
        var presence = view.coordination().present().get(voter.name());
        boolean reborn = presence != null && !presence.cell().equals(voter);
        return reborn || !state.isActive(voter) || Tasks.removalAsked(view, voter.name());
    }

    private static boolean lacksWal(View view, CellId voter) {
        DatabaseView.Primary primary = view.database().primary();
        Lsn oldest = primary == null ? null : primary.oldestWal();
        PeerView said = view.fresh(voter);
        Lsn received = said == null ? null : said.received();
        return oldest != null && received != null && !received.atLeast(oldest);
    }

    private static boolean awayTooLong(View view, CellId voter) {
        Long since = view.memory().votersAway().get(voter);
        return since != null
                && view.now() - since
                        >= view.settings().timing().dropVoterAfter().toMillis();
    }

    /** Whether this agent has written and reloaded this rule in this run of the postmaster, and not in vain. */
    static boolean isWritten(View view, SyncSetting setting) {
        Memory.Written written = view.memory().rule().written();
        SyncSetting inForce = view.database().syncInForce();
        return written != null
                && written.setting().equals(setting)
                && written.postmaster() == view.database().postmaster()
                && (inForce == null || inForce.equals(setting) || view.now() - written.at() < RELOAD_MILLIS);
    }

    /** Whether this agent's last compare-and-set succeeded and wrote the very voters and k that the state shows. */
    private static boolean isConfirmed(View view, ClusterState state) {
        ClusterState confirmed = view.memory().rule().confirmed();
        return confirmed != null
                && confirmed.epoch() == state.epoch()
                && confirmed.primary().equals(state.primary())
                && confirmed.voters().equals(state.voters())
                && confirmed.acks() == state.acks();
    }

    /** What must be flushed before the state may follow the rule that was written last. */
    static @Nullable Drain drainAfter(View view) {
        Memory.Written written = view.memory().rule().written();
        DatabaseView.Primary primary = view.database().primary();
        if (written == null
                || primary == null
                || written.postmaster() != view.database().postmaster()) {
            return null;
        }
        ClusterState state = view.state();
        return VoterChange.drain(written.setting(), state == null ? 0 : state.acks(), rule(view), primary.flushed());
    }

    static Move move(View view) {
        return switch (next(view)) {
            case Step.Nothing() -> Primaries.reigns(view) && Ensembles.due(view) != null ? Move.RECORD : Move.NONE;
            case Step.Confirm() -> Move.CONFIRM;
            case Step.Write ignored -> Move.WRITE;
            case Step.TerminateOldSenders() -> Move.TERMINATE;
            case Step.Await ignored -> Move.AWAIT;
            case Step.Change ignored -> Move.CHANGE;
        };
    }
}
