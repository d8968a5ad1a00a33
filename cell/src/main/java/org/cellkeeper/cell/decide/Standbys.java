package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.util.SortedSet;
import java.util.TreeSet;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Facts.Wal;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/** What a standby can tell of itself and of its primary. */
public final class Standbys {
    /** Slots are looked at again so often: one that was never used, or was lost, is made anew. */
    private static final Duration SLOTS = Duration.ofSeconds(20);

    private Standbys() {}

    /** Where the present primary is followed; null while its entry or its reign is not on record. */
    static @Nullable Upstream rightUpstream(View view) {
        ClusterState state = view.state();
        if (state == null || state.reign() == null) {
            return null;
        }
        Member primary = state.members().get(state.primary().name());
        if (primary == null || !primary.incarnation().equals(state.primary().incarnation())) {
            return null;
        }
        return new Upstream(
                state.primary(),
                state.epoch(),
                primary.address().host(),
                primary.address().postgresPort());
    }

    /** Whether WAL comes from the present primary in the present epoch, or at least keepalives do. */
    static boolean streamsLive(View view) {
        ClusterState state = view.state();
        DatabaseView.Standby standby = view.database().standby();
        Upstream upstream = view.database().upstreamOnDisk();
        return state != null
                && standby != null
                && upstream != null
                && upstream.primary().equals(state.primary())
                && upstream.epoch() == state.epoch()
                && standby.receiver() == Receiver.STREAMING
                && standby.silentMillis() < view.settings().timing().silence().toMillis();
    }

    /** What of its own keeps this standby's replay from going on, for so long that it does not go by itself; empty when nothing does. */
    static String standstill(View view) {
        DatabaseView.Standby standby = view.database().standby();
        boolean lasts = view.memory()
                .timers()
                .replayStands()
                .lasts(view.now(), view.settings().timing().readOnlyAfter());
        return standby == null || !lasts ? "" : standby.standstill();
    }

    /** The primary that this cell would speak up for: it has a live stream from it, and it does not itself say that it is lost. */
    public static @Nullable CellId speaksUpFor(View view) {
        ClusterState state = view.state();
        if (state == null || !streamsLive(view)) {
            return null;
        }
        PeerView said = view.fresh(state.primary());
        return said != null && said.health().isLost() ? null : state.primary();
    }

    static WalHistory.@Nullable Relation relationToPrimary(View view) {
        ClusterState state = view.state();
        DatabaseView.Standby standby = view.database().standby();
        DatabaseView.Rest end = view.database().knownEnd();
        if (state == null || end == null || state.reign() == null) {
            return null;
        }
        return WalHistory.compare(
                state.reigns(),
                state.epoch(),
                heldEpoch(view),
                end.end(),
                standby == null ? end.end() : standby.replayed());
    }

    /** The primary says that it no longer has the WAL that comes after what this cell holds: no waiting brings it back. */
    static boolean walIsGone(View view) {
        ClusterState state = view.state();
        DatabaseView.Standby standby = view.database().standby();
        if (state == null || standby == null || !standby.endKnown() || standby.receiver() == Receiver.STREAMING) {
            return false;
        }
        PeerView said = view.fresh(state.primary());
        Lsn oldest = said == null || said.epoch() != state.epoch() ? null : said.oldestWal();
        return oldest != null && !standby.received().atLeast(oldest);
    }

    /** Its WAL is gone, and no other voter would have to do without it: it votes no more, or is the last one, which nobody drops. */
    static boolean mustCloneAnew(View view) {
        ClusterState state = view.state();
        boolean votes = state != null && state.standbyVoters().contains(view.self());
        boolean alone = state != null && state.standbyVoters().size() == 1;
        return walIsGone(view) && view.coordinationKnown() && (!votes || alone);
    }

    /** The epoch whose WAL this cell holds at its end; 0 for none. */
    static long heldEpoch(View view) {
        ClusterState state = view.state();
        DatabaseView.Standby standby = view.database().standby();
        DatabaseView.Rest end = standby == null
                ? view.database().knownEnd()
                : new DatabaseView.Rest(standby.received(), standby.timeline());
        long followed = view.local().walEpoch();
        return state == null || end == null
                ? followed
                : WalHistory.heldEpoch(state.reigns(), followed, end.end(), end.timeline());
    }

    /** The other active members: whom this cell keeps slots for, and is linked with. */
    public static SortedSet<CellId> siblings(View view) {
        ClusterState state = view.state();
        TreeSet<CellId> others = new TreeSet<>();
        if (state != null) {
            state.members().forEach((name, member) -> {
                CellId id = new CellId(name, member.incarnation());
                if (!name.equals(view.settings().name()) && state.isActive(id)) {
                    others.add(id);
                }
            });
        }
        return others;
    }

    /** How many other cells could acknowledge a new primary's writes. */
    static int othersAlive(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return 0;
        }
        return (int) siblings(view).stream()
                .filter(cell -> !cell.equals(state.primary()))
                .filter(view::seemsAlive)
                .count();
    }

    static @Nullable Reign reignOf(View view) {
        ClusterState state = view.state();
        return state == null ? null : state.reign();
    }

    static boolean linkGone(View view, CellId cell) {
        return view.link(cell.name()).status() == PeerLink.Status.GONE;
    }

    static Stream stream(View view) {
        DatabaseView database = view.database();
        DatabaseView.Standby standby = database.standby();
        Upstream upstream = database.upstreamOnDisk();
        // T12: a predecessor may have written what is on disk, and died before the reload.
        boolean loaded = view.memory().applied().upstreamSetIn() == database.postmaster();
        boolean closed = database.closed() instanceof DatabaseView.Starting
                && view.memory()
                        .timers()
                        .closed()
                        .lasts(view.now(), view.settings().timing().isolation());
        if (closed && (upstream == null || !upstream.equals(rightUpstream(view)))) {
            return Stream.CLOSED;
        }
        if (upstream == null) {
            if (standby == null || standby.receiver() == Receiver.DETACHED) {
                return Stream.DETACHED;
            }
            return loaded ? Stream.LOOSE : Stream.WRONG;
        }
        if (!upstream.equals(rightUpstream(view))) {
            return Stream.WRONG;
        }
        if (streamsLive(view)) {
            return Stream.LIVE;
        }
        return loaded || standby == null ? Stream.BROKEN : Stream.WRONG;
    }

    static Wal wal(View view) {
        WalHistory.Relation relation = relationToPrimary(view);
        if (relation == null) {
            return awaitsReign(view) ? Wal.AWAITS_REIGN : Wal.UNKNOWN;
        }
        return switch (relation) {
            case PREFIX -> mustCloneAnew(view) ? Wal.GONE : Wal.PREFIX;
            case DIVERGED -> Wal.DIVERGED;
        };
    }

    private static boolean awaitsReign(View view) {
        ClusterState state = view.state();
        return state != null
                && state.isSteady()
                && state.reign() == null
                && view.database().isStopped()
                && view.database().knownEnd() != null
                && !view.epochLasts(view.settings().timing().handover());
    }

    static boolean slotsDue(View view, Standing standing) {
        boolean runs = view.database().isPrimary() || view.database().isStandby();
        if (!runs || (standing != Standing.ACTIVE && standing != Standing.PRIMARY)) {
            return false;
        }
        Memory.SlotsKept kept = view.memory().applied().slotsKept();
        return kept == null
                || kept.postmaster() != view.database().postmaster()
                || !kept.siblings().equals(siblings(view))
                || view.now() - kept.at() >= SLOTS.toMillis();
    }
}
