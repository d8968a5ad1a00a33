package org.cellkeeper.cell.decide;

import java.time.Duration;
import org.cellkeeper.cell.decide.Facts.FailureSuspicion;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.jspecify.annotations.Nullable;

/**
 * Whether this standby holds its primary for lost. Two signals must agree: the WAL stream and the primary's agent. Time
 * decides only how soon a ballot is tried, never whether it is safe.
 */
public final class Suspicion {
    private Suspicion() {}

    static FailureSuspicion level(View view, Standing standing) {
        if (standing != Standing.ACTIVE) {
            return FailureSuspicion.NONE;
        }
        if (callsForBallot(view)) {
            return FailureSuspicion.BALLOT;
        }
        return suspects(view) ? FailureSuspicion.SUSPICION : FailureSuspicion.NONE;
    }

    /** Both signals are gone, and this cell has grounds to believe it. */
    static boolean suspects(View view) {
        ClusterState state = view.state();
        if (state == null || state.primary().equals(view.self()) || !state.isActive(view.self())) {
            return false;
        }
        DatabaseView.Closed closed = view.database().closed();
        boolean streamless =
                view.database().isStandby() ? !Standbys.streamsLive(view) : closed != null && !closed.receives();
        if (!streamless || !agentIsBad(view, state.primary())) {
            return false;
        }
        long grace = view.settings().timing().coldStartGrace().toMillis();
        // A primary that starts does not before ZooKeeper confirms it (603): the time without it is none that it had.
        long since = Math.max(
                Math.max(view.memory().started(), view.memory().epoch().since()),
                view.memory().timers().coordinationBack().startOr(0));
        return hasStreamed(view) || view.now() - since >= grace;
    }

    private static boolean agentIsBad(View view, CellId primary) {
        PeerLink link = view.link(primary.name());
        if (link.status() == PeerLink.Status.GONE) {
            return true;
        }
        long silence = view.settings().timing().silence().toMillis();
        PeerView said = link.view();
        boolean ofThisPrimary = said != null && said.cell().equals(primary);
        long heard = Math.max(view.memory().started(), ofThisPrimary ? link.heardMillis() : 0);
        if (view.now() - heard >= silence) {
            return true;
        }
        if (ofThisPrimary && said != null && said.health().isLost()) {
            return true;
        }
        CellSettings.Timing timing = view.settings().timing();
        return view.memory()
                .timers()
                .primaryStarting()
                .lasts(view.now(), hasStreamed(view) ? timing.restartPatience() : timing.coldStartGrace());
    }

    /** The primary says that its PostgreSQL starts; that is believed for a while only. */
    static boolean primaryIsStarting(View view) {
        ClusterState state = view.state();
        PeerView said = state == null ? null : view.fresh(state.primary());
        return said != null && said.health() == PeerView.Health.STARTING;
    }

    private static boolean hasStreamed(View view) {
        ClusterState state = view.state();
        return state != null && view.memory().epoch().streamed() == state.epoch();
    }

    /** Another voter still has a live stream from the primary: then it is this cell that has a problem. */
    static boolean anotherSpeaksUp(View view) {
        return witness(view) != null;
    }

    private static @Nullable CellId witness(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return null;
        }
        for (CellId voter : state.standbyVoters()) {
            PeerView said = voter.equals(view.self()) ? null : view.fresh(voter);
            if (said != null && state.primary().equals(said.streamsFrom()) && said.streamEpoch() == state.epoch()) {
                return voter;
            }
        }
        return null;
    }

    /** Whether so many voters seem to live that a ballot can reach its seal quorum. */
    static boolean quorumSeemsAlive(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return false;
        }
        long alive = state.standbyVoters().stream().filter(view::seemsAlive).count();
        return alive >= CommitQuorum.of(state).seals();
    }

    /** Section 5.6: somebody must remain to acknowledge the new primary's writes. */
    static boolean admits(View view) {
        return Standbys.othersAlive(view) >= view.settings().minStandbysAfterFailover();
    }

    static boolean phaseAllowsBallot(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return false;
        }
        return switch (state.phase()) {
            case Phase.Steady() -> true;
            case Phase.Sealing ignored -> false;
            case Phase.Handover ignored ->
                // A little longer than the old primary waits itself: it can take the handover back without a halt.
                view.phaseLasts(takenBackWithin(view, state).multipliedBy(5).dividedBy(4));
        };
    }

    /** A primary that is heard, and can take its handover back, has the time that PostgreSQL may take to stop, too. */
    private static Duration takenBackWithin(View view, ClusterState state) {
        PeerView said = view.fresh(state.primary());
        return said != null && said.zookeeper()
                ? Handovers.atMost(view)
                : view.settings().timing().handover();
    }

    /** Whether this cell should open a ballot by itself, now. */
    static boolean callsForBallot(View view) {
        return view.memory().timers().suspected().isSo()
                && suspects(view)
                && obstacle(view).isEmpty();
    }

    /** What stands in the way of a ballot that this cell would open by itself; empty when nothing does. */
    static String obstacle(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return "the shared state is not known";
        }
        if (state.failoverMode() != FailoverMode.AUTOMATIC) {
            return "the failover mode is MANUAL: promote a standby";
        }
        if (!phaseAllowsBallot(view)) {
            return "a change of primary is under way";
        }
        if (view.now() < view.memory().ballots().backoffUntil()) {
            return "the last ballot came to nothing a moment ago";
        }
        CellId witness = witness(view);
        if (witness != null) {
            return witness.name() + " still has a live stream from the primary";
        }
        if (!quorumSeemsAlive(view)) {
            return "fewer than the " + CommitQuorum.of(state).seals() + " voters live that a change of primary needs";
        }
        return admits(view)
                ? ""
                : "a new primary would have fewer than " + view.settings().minStandbysAfterFailover()
                        + " standbys: bring a cell back, or promote one";
    }
}
