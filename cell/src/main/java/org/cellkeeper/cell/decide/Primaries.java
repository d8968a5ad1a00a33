package org.cellkeeper.cell.decide;

import java.util.SortedSet;
import java.util.TreeSet;
import org.cellkeeper.cell.decide.Facts.PrimaryFault;
import org.cellkeeper.cell.decide.Facts.WriteAvailability;
import org.cellkeeper.cell.decide.quorum.Fitness;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellSettings.IsolationResponse;
import org.cellkeeper.cell.model.CellSettings.Timing;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.WalSender;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;

/** What a primary can tell of itself and of its standbys. */
public final class Primaries {
    /** A standby that is at most this far behind has caught up. */
    static final long CAUGHT_UP_BYTES = 16L << 20;

    private Primaries() {}

    public static boolean reigns(View view) {
        ClusterState state = view.state();
        return state != null
                && state.primary().equals(view.self())
                && state.reign() != null
                && view.database().isPrimary()
                && view.local().primaryEpoch() == state.epoch();
    }

    /** The cells that stream from this primary in this epoch, and have caught up. */
    static SortedSet<CellId> streaming(View view) {
        TreeSet<CellId> cells = new TreeSet<>();
        ClusterState state = view.state();
        DatabaseView.Primary primary = view.database().primary();
        if (state == null || primary == null) {
            return cells;
        }
        for (WalSender sender : primary.senders()) {
            boolean close = primary.flushed().minus(sender.flushed()) <= CAUGHT_UP_BYTES;
            if (sender.name().epoch() == state.epoch() && sender.streaming() && close) {
                cells.add(sender.name().cell());
            }
        }
        return cells;
    }

    /** How many of the named cells stream: these can acknowledge. */
    static int ackers(View view, SyncSetting setting) {
        DatabaseView.Primary primary = view.database().primary();
        if (primary == null) {
            return 0;
        }
        return (int) primary.senders().stream()
                .filter(sender -> sender.streaming() && setting.names().contains(sender.name()))
                .map(WalSender::name)
                .distinct()
                .count();
    }

    /** Whether commits cannot be acknowledged at the moment. */
    static boolean isShortOfAckers(View view) {
        SyncSetting setting = view.database().syncOnDisk();
        if (!reigns(view)) {
            return false;
        }
        return setting == null || ackers(view, setting) < setting.acks();
    }

    /** The caught-up voter that a primary would hand over to: the one that has flushed the most. */
    static @Nullable CellId bestTarget(View view) {
        ClusterState state = view.state();
        DatabaseView.Primary primary = view.database().primary();
        if (state == null || primary == null) {
            return null;
        }
        CellId best = null;
        Lsn most = Lsn.ZERO;
        for (WalSender sender : primary.senders()) {
            CellId cell = sender.name().cell();
            if (canTakeOver(view, cell) && (best == null || sender.flushed().compareTo(most) > 0)) {
                best = cell;
                most = sender.flushed();
            }
        }
        return best;
    }

    /** Whether this cell may be handed over to: an active voter that streams, is heard of and is well. */
    static boolean canTakeOver(View view, CellId cell) {
        return obstacle(view, cell) == null;
    }

    /** Why this cell may not be handed over to, at the moment; null when it may. */
    static @Nullable String obstacle(View view, CellId cell) {
        ClusterState state = view.state();
        PeerView said = view.fresh(cell);
        if (state == null || !state.isActive(cell)) {
            return "it is no active member";
        }
        if (said == null) {
            return "it is not heard of";
        }
        if (said.health() != PeerView.Health.OK) {
            return "it says of itself: " + said.health();
        }
        if (said.state() == CellState.DOWN) {
            return "it is being stopped";
        }
        if (!said.zookeeper()) {
            return "it has not read the cluster's newest state";
        }
        if (said.trouble() != PeerView.Trouble.NONE) {
            return said.problem();
        }
        if (!streaming(view).contains(cell)) {
            return "it does not stream, or lags";
        }
        if (!state.standbyVoters().contains(cell)) {
            return "it is no voter";
        }
        return priority(state, cell) > 0 ? null : "its priority is 0";
    }

    private static int priority(ClusterState state, CellId cell) {
        var member = state.members().get(cell.name());
        return member == null ? 0 : member.priority();
    }

    /** After a fall of this primary the others could replace it by themselves. */
    static boolean canBeReplaced(View view) {
        ClusterState state = view.state();
        return state != null
                && Suspicion.quorumSeemsAlive(view)
                && Standbys.othersAlive(view) - 1 >= view.settings().minStandbysAfterFailover()
                && Standbys.siblings(view).stream()
                        .anyMatch(cell -> priority(state, cell) > 0
                                && view.seemsAlive(cell)
                                && Election.fitness(view, cell) != Fitness.UNFIT);
    }

    static WriteAvailability writeAvailability(View view) {
        if (!reigns(view)) {
            return WriteAvailability.FINE;
        }
        Timing timing = view.settings().timing();
        boolean closed = view.database().readOnly();
        // What is on disk may not be in force: it is done again until it is sure to be.
        long unsureIn = view.memory().applied().readOnlyUnsureIn();
        boolean unsure = unsureIn != 0 && unsureIn == view.database().postmaster();
        if (!isShortOfAckers(view)) {
            return closed || unsure ? WriteAvailability.RECOVERED : WriteAvailability.FINE;
        }
        long lasting = view.memory().timers().shortOfAckers().heldFor(view.now());
        // Cut off from both for so long: what this cell has just written itself is not durable here for a moment.
        boolean isolated = lasting >= timing.isolation().toMillis()
                && view.memory().timers().coordinationAway().lasts(view.now(), timing.isolation());
        if (isolated && view.settings().isolationResponse() == IsolationResponse.STOP) {
            return WriteAvailability.LACKING_STOP;
        }
        DatabaseView.Primary primary = view.database().primary();
        boolean waiting = primary != null && primary.waiting() > 0;
        if (closed && !unsure && !waiting) {
            return WriteAvailability.LACKING_CLOSED;
        }
        return lasting >= timing.readOnlyAfter().toMillis() ? WriteAvailability.LACKING : WriteAvailability.SHORT;
    }

    static PrimaryFault fault(View view, ClusterState state) {
        Memory.Timers timers = view.memory().timers();
        Timing timing = view.settings().timing();
        boolean automatic = state.failoverMode() == FailoverMode.AUTOMATIC;
        if (!automatic || !view.coordinationKnown() || !canBeReplaced(view)) {
            return PrimaryFault.NONE;
        }
        long now = view.now();
        if (view.database().isStopped()) {
            boolean crashed = view.memory().reigned()
                    && timers.databaseAway().isSo()
                    && !timers.databaseAway().lasts(now, timing.restartPatience());
            return crashed ? PrimaryFault.CRASHED : PrimaryFault.NONE;
        }
        boolean unwritable = timers.writesFailed().lasts(now, timing.silence());
        DatabaseView.Instance postgres = view.database().instance();
        boolean silent = postgres instanceof DatabaseView.Unresponsive || postgres instanceof DatabaseView.Orphaned;
        boolean hung = silent && timers.databaseAway().lasts(now, timing.isolation());
        return unwritable || hung ? PrimaryFault.UNWRITABLE : PrimaryFault.NONE;
    }
}
