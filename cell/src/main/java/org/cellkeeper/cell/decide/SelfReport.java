package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Health;
import org.jspecify.annotations.Nullable;

/** What a cell tells the others about itself. */
public final class SelfReport {
    private SelfReport() {}

    public static PeerView of(View view, Plan plan, int progress) {
        ClusterState state = view.state();
        Facts facts = Facts.of(view);
        DatabaseView database = view.database();
        DatabaseView.Standby standby = database.standby();
        DatabaseView.Primary primary = database.primary();
        CellId streamsFrom = Standbys.speaksUpFor(view);
        @Nullable Lsn received = standby != null ? standby.received() : primary != null ? primary.flushed() : null;
        @Nullable Lsn replayed = standby != null ? standby.replayed() : received;
        String detail = plan.detail().isEmpty() ? "" : " (" + plan.detail() + ")";
        return new PeerView(
                view.self(),
                state == null ? 0 : state.epoch(),
                view.version(),
                state(view, facts),
                health(view, facts),
                plan.rule().number(),
                plan.rule().sentence() + detail,
                streamsFrom,
                streamsFrom == null || state == null ? 0 : state.epoch(),
                received,
                replayed,
                standby != null ? standby.timeline() : primary != null ? primary.timeline() : 0,
                standby == null ? -1 : standby.replayLagMillis(),
                progress,
                view.coordinationKnown(),
                problem(view),
                Primaries.reigns(view) && database.readOnly(),
                trouble(view, facts),
                primary == null ? null : primary.oldestWal(),
                Doors.said(view));
    }

    /** All that is wrong, in words. */
    private static String problem(View view) {
        String unsaved = view.unsaved() ? "the state file cannot be written" : "";
        boolean unborn = view.coordination().connected() && view.coordination().stateAbsent();
        return Stream.of(
                        unsaved,
                        view.database().problem(),
                        Standbys.standstill(view),
                        view.settings().refused(),
                        view.coordination().objection(),
                        unborn ? Ensembles.obstacleToFounding(view) : "")
                .filter(words -> !words.isEmpty())
                .collect(Collectors.joining("; "));
    }

    private static PeerView.Trouble trouble(View view, Facts facts) {
        if (facts.data() == Facts.Data.FOREIGN) {
            return PeerView.Trouble.FOREIGN_DATA;
        }
        if (Standbys.walIsGone(view)) {
            return PeerView.Trouble.WAL_GONE;
        }
        return Standbys.standstill(view).isEmpty() ? PeerView.Trouble.NONE : PeerView.Trouble.REPLAY_STANDS;
    }

    static CellState state(View view, Facts facts) {
        return switch (facts.standing()) {
            case HALTED -> CellState.HALTED;
            case REMOVED -> CellState.REMOVED;
            case PRIMARY -> Primaries.reigns(view) ? CellState.PRIMARY : stateOfProcess(facts);
            case ACTIVE -> {
                if (facts.data() == Facts.Data.EMPTY || facts.data() == Facts.Data.BROKEN) {
                    yield CellState.CLONING;
                }
                if (facts.stopping()) {
                    yield CellState.DOWN;
                }
                if (view.local().sealedBallot() != 0) {
                    yield CellState.SEALED;
                }
                if (facts.postgres() != Facts.Postgres.STANDBY) {
                    // One that hangs can take part in a ballot, too: its disk can be read.
                    yield CellState.STARTING;
                }
                yield facts.stream() == Facts.Stream.LIVE ? CellState.STREAMING : CellState.CATCHING_UP;
            }
            case UNKNOWN, STRANGER, TAKEN ->
                facts.postgres() == Facts.Postgres.STOPPED ? CellState.DOWN : CellState.STARTING;
        };
    }

    private static CellState stateOfProcess(Facts facts) {
        boolean comes = !facts.stopping() && facts.primaryFault() == Facts.PrimaryFault.NONE;
        return comes && facts.postgres() != Facts.Postgres.HUNG ? CellState.STARTING : CellState.DOWN;
    }

    /** What this cell says of its own PostgreSQL; a primary that says it is lost is replaced. */
    static Health health(View view, Facts facts) {
        DatabaseView database = view.database();
        long now = view.now();
        Duration silence = view.settings().timing().silence();
        Memory.Timers timers = view.memory().timers();
        if (timers.writesFailed().lasts(now, silence) || timers.unsaved().lasts(now, silence)) {
            return Health.CANNOT_WRITE;
        }
        return switch (database.instance()) {
            case DatabaseView.Stopped _ -> {
                boolean aboutToStart = facts.standing() == Facts.Standing.PRIMARY
                        && facts.switchoverStage() == Facts.SwitchoverStage.NONE
                        && facts.primaryFault() == Facts.PrimaryFault.NONE
                        && facts.coordination() == Facts.Coordination.KNOWN
                        && facts.data() == Facts.Data.OWN
                        && !facts.stopping();
                yield aboutToStart ? Health.STARTING : Health.DOWN;
            }
            case DatabaseView.Starting _ -> Health.STARTING;
            case DatabaseView.Orphaned _, DatabaseView.Unresponsive _ ->
                timers.databaseAway().lasts(now, silence) ? Health.DOWN : Health.STARTING;
            case DatabaseView.Running _ ->
                timers.shortOfAckers().lasts(now, silence) ? Health.CANNOT_REPLICATE : Health.OK;
        };
    }
}
