package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;

/**
 * A view boiled down to what the rules ask: few values each, so that the whole table can be enumerated. Derived anew from
 * each view; what is not known is a value of its own.
 */
public record Facts(
        Coordination coordination,
        Standing standing,
        Data data,
        Postgres postgres,
        BallotRole ballotRole,
        PendingSave pendingSave,
        Stream stream,
        Wal wal,
        FailureSuspicion failureSuspicion,
        PromotionStage promotionStage,
        WriteAvailability writeAvailability,
        Move move,
        SwitchoverStage switchoverStage,
        PrimaryFault primaryFault,
        TaskStep taskStep,
        boolean entryDue,
        boolean slotsDue,
        DoorDuty doorDuty,
        boolean stopping) {
    /** What is to be done with this cell's door. */
    public enum DoorDuty {
        NONE,
        /** The primary has all doors held, or is lost. */
        HOLD,
        /** It is held for nothing any more, or leads to another than the primary. */
        OPEN
    }

    /** What ZooKeeper says of the cluster. */
    public enum Coordination {
        KNOWN,
        AWAY,
        /** There is no cluster yet, and this cell may not found it, or not yet. */
        UNBORN,
        UNBORN_AND_MINE_TO_ASK,
        UNBORN_AND_LOCKED
    }

    /** What this cell is to the cluster. */
    public enum Standing {
        UNKNOWN,
        PRIMARY,
        ACTIVE,
        HALTED,
        REMOVED,
        /** Not a member; its name is free. */
        STRANGER,
        /** Not a member; its name belongs to another. */
        TAKEN
    }

    /** What lies in the data directory. */
    public enum Data {
        EMPTY,
        /** A clone or an initdb was cut off, or the data are to be thrown away. */
        BROKEN,
        /** Made by this cell's own initdb, and not yet seen in a cluster. */
        FOUNDED,
        FOREIGN,
        OWN
    }

    /** How PostgreSQL is. */
    public enum Postgres {
        STOPPED,
        STARTING,
        STANDBY,
        PRIMARY,
        HUNG;

        static Postgres of(DatabaseView database) {
            return switch (database.instance()) {
                case DatabaseView.Stopped _ -> STOPPED;
                case DatabaseView.Starting _ -> STARTING;
                case DatabaseView.Standby _ -> STANDBY;
                case DatabaseView.Primary _ -> PRIMARY;
                case DatabaseView.Orphaned _, DatabaseView.Unresponsive _, DatabaseView.Unclear _ -> HUNG;
            };
        }
    }

    /** This cell's part in the present phase. */
    public enum BallotRole {
        STEADY,
        /** A ballot is open, and this cell has neither sealed for it nor objected. */
        UNSEALED,
        OBJECTING,
        SEALED,
        /** As the two before, but this cell's PostgreSQL has not come to rest for it in time. */
        OVERDUE,
        VOTED,
        DECIDED,
        LOST,
        /** A handover to this cell, which does not hold all of the WAL yet, or there is no token. */
        OFFERED_EARLY,
        OFFERED,
        /** A handover to another cell, or away from this one. */
        HANDOVER,
        /** The reign that this cell would follow is not recorded yet. */
        UNRECORDED
    }

    /** What the state file must be told next. */
    public enum PendingSave {
        UP_TO_DATE,
        HALT,
        HALT_UNREPORTED,
        REMOVAL,
        MEMBERSHIP,
        OUTCOME,
        REIGN,
        /** The handover was taken back: the mark has served. */
        MARK,
        /** The handover was taken: this cell is no primary any more. */
        ABDICATION
    }

    /** How a standby is attached to the present primary. */
    public enum Stream {
        DETACHED,
        /** No upstream is set, but the walreceiver is not yet known to be gone for good. */
        LOOSE,
        LIVE,
        BROKEN,
        WRONG,
        /** It follows nobody, or another one, and lets nobody in for so long that it may never: it cannot be told whom to follow. */
        CLOSED
    }

    /** How the local WAL relates to the present reign. */
    public enum Wal {
        UNKNOWN,
        /** The end of a stopped PostgreSQL is known, and the reign that it is to be compared with was given away just now. */
        AWAITS_REIGN,
        PREFIX,
        DIVERGED,
        /** A prefix, but the primary no longer has what comes next, and nobody counts on this cell. */
        GONE
    }

    /** Whether a ballot is called for. */
    public enum FailureSuspicion {
        NONE,
        SUSPICION,
        BALLOT
    }

    /** How far a winner is with opening its reign. */
    public enum PromotionStage {
        NOT_MINE,
        ATTACHED,
        DETACHING,
        UNNAMED,
        NAMED,
        /** PostgreSQL runs, and has not come to the point of being promoted in time. */
        STUCK,
        PROMOTED,
        /** PostgreSQL was opened on a timeline that is no new one. */
        CLASH,
        /** That happened: these data cannot begin a reign any more. */
        SPOILED,
        /** It cannot be opened, or not in time, and another cell holds the same WAL and could. */
        HOPELESS,
        /** A primary runs that this cell has never opened for this epoch. */
        UNLAWFUL,
        DONE
    }

    /** Whether a primary has its acknowledgers, and lets clients write. */
    public enum WriteAvailability {
        FINE,
        SHORT,
        LACKING,
        LACKING_CLOSED,
        LACKING_STOP,
        RECOVERED
    }

    /** The next step of a change of voters. */
    public enum Move {
        NONE,
        CONFIRM,
        WRITE,
        TERMINATE,
        AWAIT,
        CHANGE,
        /** The voters stay. All cells run with another list of ZooKeeper servers than the one on record. */
        RECORD
    }

    /** How far a primary is with handing over. */
    public enum SwitchoverStage {
        NONE,
        /** It is wanted, and all is well but that a checkpoint is to be written first. */
        CHECKPOINT_DUE,
        /** That is being written, or has just failed. */
        CHECKPOINTING,
        /** All is well but that the doors are to be held first. */
        DOORS_DUE,
        /** They are being held: transactions in flight are to end. */
        DRAINING,
        /** Those have not ended in time. */
        NOT_DRAINED,
        WANTED,
        STOPPING,
        UNCLEAN,
        UNMARKED,
        MARKED,
        OFFERED,
        /** The target's agent does not run any more. */
        DESERTED,
        OVERDUE;

        /** Whether the shared state says that it has begun. */
        boolean hasBegun() {
            return switch (this) {
                case NONE, CHECKPOINT_DUE, CHECKPOINTING, DOORS_DUE, DRAINING, NOT_DRAINED, WANTED -> false;
                case STOPPING, UNCLEAN, UNMARKED, MARKED, OFFERED, DESERTED, OVERDUE -> true;
            };
        }
    }

    /** What keeps a primary from being started, or from going on. */
    public enum PrimaryFault {
        NONE,
        CRASHED,
        UNWRITABLE
    }

    /** What a task asks of this cell next. */
    public enum TaskStep {
        NONE,
        SETTLE,
        BALLOT,
        LEAVE,
        DEPLOY
    }

    public static Facts of(View view) {
        Standing standing = Membership.standing(view);
        Data data = Membership.data(view);
        ClusterState own = standing == Standing.PRIMARY ? view.state() : null;
        return new Facts(
                Ensembles.coordination(view),
                standing,
                data,
                Postgres.of(view.database()),
                BallotRoles.role(view, standing),
                PendingSaves.next(view, standing, data),
                Standbys.stream(view),
                Standbys.wal(view),
                Suspicion.level(view, standing),
                own == null ? PromotionStage.NOT_MINE : Promotions.stage(view, own),
                own == null ? WriteAvailability.FINE : Primaries.writeAvailability(view),
                own == null ? Move.NONE : VoterMoves.move(view),
                own == null ? SwitchoverStage.NONE : Handovers.stage(view, own),
                own == null ? PrimaryFault.NONE : Primaries.fault(view, own),
                Tasks.step(view, standing),
                Membership.entryDue(view, standing),
                Standbys.slotsDue(view, standing),
                Doors.duty(view),
                view.stopRequested());
    }
}
