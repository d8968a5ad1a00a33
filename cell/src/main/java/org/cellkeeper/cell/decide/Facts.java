package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.decide.quorum.VoterChange;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellSettings.IsolationResponse;
import org.cellkeeper.cell.model.CellSettings.Timing;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

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
        boolean doorDue,
        boolean stopping) {
    /** Slots are looked at again so often: one that was never used, or was lost, is made anew. */
    private static final long SLOTS_MILLIS = 20_000;

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
        HUNG
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
                case NONE, CHECKPOINT_DUE, CHECKPOINTING, WANTED -> false;
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
        ClusterState state = view.state();
        Standing standing = standing(view);
        Data data = data(view);
        Postgres postgres = postgres(view.database());
        boolean primary = standing == Standing.PRIMARY;
        return new Facts(
                coordination(view),
                standing,
                data,
                postgres,
                ballotRole(view, standing),
                pendingSave(view, standing, data),
                stream(view),
                wal(view),
                failureSuspicion(view, standing),
                primary && state != null ? promotionStage(view, state) : PromotionStage.NOT_MINE,
                primary ? writeAvailability(view) : WriteAvailability.FINE,
                primary ? move(view) : Move.NONE,
                primary && state != null ? switchoverStage(view, state) : SwitchoverStage.NONE,
                primary && state != null ? primaryFault(view, state) : PrimaryFault.NONE,
                Tasks.step(view, standing),
                entryDue(view, standing),
                slotsDue(view, standing),
                doorTarget(view) != null,
                view.stopRequested());
    }

    private static Coordination coordination(View view) {
        if (view.coordinationKnown()) {
            return Coordination.KNOWN;
        }
        boolean unborn = view.coordination().connected()
                && view.coordination().stateAbsent()
                && view.coordination().state() == null
                && view.local().seen() == null;
        if (!unborn) {
            return Coordination.AWAY;
        }
        if (!Ensembles.obstacleToFounding(view).isEmpty()) {
            return Coordination.UNBORN;
        }
        if (view.coordination().birthLock()) {
            return Coordination.UNBORN_AND_LOCKED;
        }
        var preferred = view.settings().bootstrapPrimary();
        boolean mayFound = preferred == null || preferred.equals(view.settings().name());
        return mayFound ? Coordination.UNBORN_AND_MINE_TO_ASK : Coordination.UNBORN;
    }

    static Standing standing(View view) {
        ClusterState newest = view.newestState();
        ClusterState state = view.state();
        LocalState local = view.local();
        CellId self = view.self();
        if (local.removed()) {
            return Standing.REMOVED;
        }
        if (newest != null && newest.halted().containsKey(self.name())) {
            return Standing.HALTED;
        }
        if (local.haltReason() != null) {
            boolean cleared = state != null
                    && view.coordinationKnown()
                    && !state.members().containsKey(self.name());
            return cleared ? Standing.REMOVED : Standing.HALTED;
        }
        if (newest == null || state == null) {
            return Standing.UNKNOWN;
        }
        if (isDeposed(view, newest)) {
            return Standing.HALTED;
        }
        if (newest.primary().equals(self)) {
            return state.primary().equals(self) ? Standing.PRIMARY : Standing.ACTIVE;
        }
        if (local.joined() && !newest.isMember(self)) {
            return Standing.REMOVED;
        }
        if (state.isMember(self)) {
            return Standing.ACTIVE;
        }
        Member holder = state.members().get(self.name());
        if (holder == null) {
            return Standing.STRANGER;
        }
        CellId former = new CellId(self.name(), holder.incarnation());
        var presence = view.coordination().present().get(self.name());
        boolean nameIsMine = presence != null && presence.cell().equals(self);
        boolean free = nameIsMine
                && !state.primary().name().equals(self.name())
                && !state.voters().contains(former);
        return free ? Standing.STRANGER : Standing.TAKEN;
    }

    /** This data reigned in an older epoch, and did not hand over cleanly. */
    private static boolean isDeposed(View view, ClusterState newest) {
        LocalState local = view.local();
        boolean reigned = local.primaryEpoch() > 0 && newest.epoch() > local.primaryEpoch();
        return reigned && !newest.primary().equals(view.self()) && !handedOverCleanly(view, newest);
    }

    /** The mark fits a later reign, and the data are as they were when it was made. */
    private static boolean handedOverCleanly(View view, ClusterState newest) {
        LocalState.HandoverMark mark = view.local().handoverMark();
        if (mark == null || !(newest.epoch() == mark.ballot() || newest.reigns().containsKey(mark.ballot()))) {
            return false;
        }
        DatabaseView database = view.database();
        DatabaseView.Control control = database.control();
        // Without an observation nothing speaks against it yet; nothing is started without one either.
        boolean unseen = control == null && database.data() != DatabaseView.Data.PRESENT;
        return unseen
                || (database.isStopped()
                        && control != null
                        && control.cleanlyShutDown()
                        && control.end().equals(mark.end()));
    }

    private static Data data(View view) {
        DatabaseView database = view.database();
        if (view.isOfAnotherCluster()) {
            return Data.FOREIGN;
        }
        if (view.local().cloning()) {
            return Data.BROKEN;
        }
        return switch (database.data()) {
            case EMPTY -> Data.EMPTY;
            case INCOMPLETE -> Data.BROKEN;
            case PRESENT -> {
                ClusterState state = view.state();
                String systemId = database.systemId();
                boolean foreign = state != null && systemId != null && !systemId.equals(state.systemId());
                boolean founded = view.local().founder();
                yield founded && (state == null || foreign || !state.primary().equals(view.self()))
                        ? Data.FOUNDED
                        : foreign ? Data.FOREIGN : Data.OWN;
            }
        };
    }

    private static Postgres postgres(DatabaseView database) {
        return switch (database.process()) {
            case STOPPED -> Postgres.STOPPED;
            case STARTING -> Postgres.STARTING;
            case UNRESPONSIVE -> Postgres.HUNG;
            case RUNNING ->
                switch (database.role()) {
                    case PRIMARY -> database.primary() == null ? Postgres.HUNG : Postgres.PRIMARY;
                    case STANDBY -> database.standby() == null ? Postgres.HUNG : Postgres.STANDBY;
                    case UNKNOWN -> Postgres.HUNG;
                };
        };
    }

    private static BallotRole ballotRole(View view, Standing standing) {
        ClusterState state = view.state();
        if (state == null) {
            return BallotRole.STEADY;
        }
        return switch (state.phase()) {
            case Phase.Steady() -> state.reign() == null ? BallotRole.UNRECORDED : BallotRole.STEADY;
            case Phase.Sealing sealing -> roleInBallot(view, state, standing, sealing);
            case Phase.Handover handover -> {
                if (!handover.target().equals(view.self())) {
                    yield BallotRole.HANDOVER;
                }
                Lsn token = handover.token();
                DatabaseView.Standby standby = view.database().standby();
                boolean holdsAll =
                        token != null && standby != null && standby.received().atLeast(token);
                yield holdsAll ? BallotRole.OFFERED : BallotRole.OFFERED_EARLY;
            }
        };
    }

    private static BallotRole roleInBallot(View view, ClusterState state, Standing standing, Phase.Sealing sealing) {
        long ballot = sealing.ballot();
        boolean voted = Election.hasVoted(view, ballot);
        Election.Tally tally = Election.tally(view);
        if (standing == Standing.PRIMARY) {
            if (tally == Election.Tally.LOST) {
                return BallotRole.LOST;
            }
            boolean serves = Primaries.reigns(view) && !Primaries.isShortOfAckers(view);
            return voted ? BallotRole.VOTED : serves ? BallotRole.OBJECTING : BallotRole.UNSEALED;
        }
        if (tally == Election.Tally.LOST) {
            return BallotRole.LOST;
        }
        if (voted) {
            return tally == Election.Tally.DECIDED ? BallotRole.DECIDED : BallotRole.VOTED;
        }
        boolean sealed = view.local().sealedBallot() == ballot;
        boolean objects = state.voters().contains(view.self()) && Standbys.speaksUpFor(view) != null;
        if (!sealed && objects) {
            return BallotRole.OBJECTING;
        }
        if (isOverdue(view)) {
            return BallotRole.OVERDUE;
        }
        return sealed ? BallotRole.SEALED : BallotRole.UNSEALED;
    }

    /** A PostgreSQL that runs, and neither lets its WAL go nor tells where it ends, has had its time. */
    private static boolean isOverdue(View view) {
        DatabaseView database = view.database();
        boolean ready = database.isStandby() && database.knownEnd() != null && stream(view) == Stream.DETACHED;
        return !database.isStopped()
                && !ready
                && view.phaseLasts(view.settings().timing().ballot().dividedBy(4));
    }

    private static PendingSave pendingSave(View view, Standing standing, Data data) {
        ClusterState state = view.state();
        LocalState local = view.local();
        return switch (standing) {
            case UNKNOWN, STRANGER, TAKEN -> PendingSave.UP_TO_DATE;
            case HALTED -> {
                boolean hasData = data != Data.EMPTY || local.joined() || local.primaryEpoch() > 0;
                if (local.haltReason() == null && hasData) {
                    yield PendingSave.HALT;
                }
                yield Halts.isUnreported(view) ? PendingSave.HALT_UNREPORTED : PendingSave.UP_TO_DATE;
            }
            case REMOVED -> local.removed() ? PendingSave.UP_TO_DATE : PendingSave.REMOVAL;
            case ACTIVE, PRIMARY -> {
                if (state == null) {
                    yield PendingSave.UP_TO_DATE;
                }
                if (!local.joined()) {
                    yield PendingSave.MEMBERSHIP;
                }
                if (local.sealedBallot() != 0 && outcomeRead(state, local.sealedBallot())) {
                    yield PendingSave.OUTCOME;
                }
                if (standing == Standing.ACTIVE) {
                    yield local.primaryEpoch() > 0 ? PendingSave.ABDICATION : PendingSave.UP_TO_DATE;
                }
                LocalState.HandoverMark mark = local.handoverMark();
                boolean takenBack = mark != null
                        && view.coordinationKnown()
                        && state.lastBallot() >= mark.ballot()
                        && !(state.phase() instanceof Phase.Handover)
                        && state.epoch() == local.primaryEpoch();
                if (takenBack) {
                    yield PendingSave.MARK;
                }
                boolean unrecorded = state.reign() != null
                        && (local.walEpoch() != state.epoch() || local.primaryEpoch() != state.epoch());
                yield unrecorded ? PendingSave.REIGN : PendingSave.UP_TO_DATE;
            }
        };
    }

    /** I5: lastBallot has reached it, and it is not the one that is open. */
    static boolean outcomeRead(ClusterState state, long ballot) {
        boolean open = state.phase() instanceof Phase.Sealing sealing && sealing.ballot() == ballot;
        return state.lastBallot() >= ballot && !open;
    }

    private static Stream stream(View view) {
        DatabaseView database = view.database();
        DatabaseView.Standby standby = database.standby();
        Upstream upstream = database.upstreamOnDisk();
        // T12: a predecessor may have written what is on disk, and died before the reload.
        boolean loaded = view.memory().applied().upstreamSetIn() == database.postmaster();
        boolean closed = database.closed() != null
                && database.process() == DatabaseView.Process.STARTING
                && view.memory()
                        .timers()
                        .closed()
                        .lasts(view.now(), view.settings().timing().isolation());
        if (closed && (upstream == null || !upstream.equals(Standbys.rightUpstream(view)))) {
            return Stream.CLOSED;
        }
        if (upstream == null) {
            if (standby == null || standby.receiver() == Receiver.DETACHED) {
                return Stream.DETACHED;
            }
            return loaded ? Stream.LOOSE : Stream.WRONG;
        }
        if (!upstream.equals(Standbys.rightUpstream(view))) {
            return Stream.WRONG;
        }
        if (Standbys.streamsLive(view)) {
            return Stream.LIVE;
        }
        return loaded || standby == null ? Stream.BROKEN : Stream.WRONG;
    }

    private static Wal wal(View view) {
        WalHistory.Relation relation = Standbys.relationToPrimary(view);
        if (relation == null) {
            return awaitsReign(view) ? Wal.AWAITS_REIGN : Wal.UNKNOWN;
        }
        return switch (relation) {
            case PREFIX -> Standbys.mustCloneAnew(view) ? Wal.GONE : Wal.PREFIX;
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

    private static FailureSuspicion failureSuspicion(View view, Standing standing) {
        if (standing != Standing.ACTIVE) {
            return FailureSuspicion.NONE;
        }
        if (Suspicion.callsForBallot(view)) {
            return FailureSuspicion.BALLOT;
        }
        return Suspicion.suspects(view) ? FailureSuspicion.SUSPICION : FailureSuspicion.NONE;
    }

    private static PromotionStage promotionStage(View view, ClusterState state) {
        DatabaseView database = view.database();
        boolean opened = view.local().primaryEpoch() == state.epoch();
        Reign reign = state.reign();
        DatabaseView.Primary primary = database.primary();
        if (primary != null && database.isPrimary()) {
            if (!opened) {
                return PromotionStage.UNLAWFUL;
            }
            if (reign != null) {
                return PromotionStage.DONE;
            }
            return primary.timeline() > state.highestTimeline() ? PromotionStage.PROMOTED : PromotionStage.CLASH; // T4
        }
        if (reign != null) {
            return PromotionStage.DONE;
        }
        boolean spoiled = isSpoiled(view, state);
        boolean overdue = view.epochLasts(view.settings().timing().isolation());
        boolean unusable = spoiled || data(view) != Data.OWN;
        if ((unusable || overdue) && Election.equalToTheWinner(view) != null) {
            return PromotionStage.HOPELESS;
        }
        if (spoiled) {
            return PromotionStage.SPOILED;
        }
        Stream stream = stream(view);
        SyncSetting names = Election.namesAtPromotion(view);
        boolean named = stream == Stream.DETACHED
                && names.equals(database.syncOnDisk())
                && names.equals(database.syncInForce())
                && VoterMoves.isWritten(view, names);
        boolean late = view.epochLasts(view.settings().timing().ballot());
        if (late && !named && !opened && !database.isStopped()) {
            return PromotionStage.STUCK;
        }
        if (stream != Stream.DETACHED) {
            return stream == Stream.LOOSE ? PromotionStage.DETACHING : PromotionStage.ATTACHED;
        }
        return named ? PromotionStage.NAMED : PromotionStage.UNNAMED;
    }

    /**
     * A promotion that is cut off leaves data that are neither a standby's nor on a new timeline. PostgreSQL that goes on with them by
     * itself, or is started as a primary, writes on the old timeline.
     */
    private static boolean isSpoiled(View view, ClusterState state) {
        DatabaseView database = view.database();
        DatabaseView.Control control = database.control();
        return database.isStopped()
                && control != null
                && view.local().primaryEpoch() == state.epoch()
                && !database.startsAsStandby()
                && !hasPromoted(view, state)
                && !control.inRecovery();
    }

    /** Whether a start as primary would go on on the timeline that this winner's promotion made. */
    static boolean hasPromoted(View view, ClusterState state) {
        DatabaseView database = view.database();
        DatabaseView.Control control = database.control();
        return control != null
                && view.local().primaryEpoch() == state.epoch()
                && !database.startsAsStandby()
                && control.recoversOn() > state.highestTimeline();
    }

    private static WriteAvailability writeAvailability(View view) {
        if (!Primaries.reigns(view)) {
            return WriteAvailability.FINE;
        }
        Timing timing = view.settings().timing();
        boolean closed = view.database().readOnly();
        // What is on disk may not be in force: it is done again until it is sure to be.
        long unsureIn = view.memory().applied().readOnlyUnsureIn();
        boolean unsure = unsureIn != 0 && unsureIn == view.database().postmaster();
        if (!Primaries.isShortOfAckers(view)) {
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

    private static Move move(View view) {
        return switch (VoterMoves.next(view)) {
            case VoterChange.Step.Nothing() ->
                Primaries.reigns(view) && Ensembles.due(view) != null ? Move.RECORD : Move.NONE;
            case VoterChange.Step.Confirm() -> Move.CONFIRM;
            case VoterChange.Step.Write ignored -> Move.WRITE;
            case VoterChange.Step.TerminateOldSenders() -> Move.TERMINATE;
            case VoterChange.Step.Await ignored -> Move.AWAIT;
            case VoterChange.Step.Change ignored -> Move.CHANGE;
        };
    }

    private static SwitchoverStage switchoverStage(View view, ClusterState state) {
        if (!(state.phase() instanceof Phase.Handover handover)) {
            return Tasks.wantsHandover(view) ? Checkpoints.before(view) : SwitchoverStage.NONE;
        }
        if (view.phaseLasts(view.settings().timing().handover())) {
            return SwitchoverStage.OVERDUE;
        }
        if (Standbys.linkGone(view, handover.target())) {
            return SwitchoverStage.DESERTED;
        }
        DatabaseView database = view.database();
        if (!database.isStopped()) {
            return SwitchoverStage.STOPPING;
        }
        if (handover.token() != null) {
            return SwitchoverStage.OFFERED;
        }
        LocalState.HandoverMark mark = view.local().handoverMark();
        DatabaseView.Control control = database.control();
        if (mark != null && mark.ballot() == handover.ballot()) {
            return SwitchoverStage.MARKED;
        }
        boolean clean = control != null && control.cleanlyShutDown() && !database.startsAsStandby();
        return clean ? SwitchoverStage.UNMARKED : SwitchoverStage.UNCLEAN;
    }

    private static PrimaryFault primaryFault(View view, ClusterState state) {
        Memory.Timers timers = view.memory().timers();
        Timing timing = view.settings().timing();
        boolean automatic = state.failoverMode() == FailoverMode.AUTOMATIC;
        if (!automatic || !view.coordinationKnown() || !Primaries.canBeReplaced(view)) {
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
        boolean hung = view.database().process() == DatabaseView.Process.UNRESPONSIVE
                && timers.databaseAway().lasts(now, timing.isolation());
        return unwritable || hung ? PrimaryFault.UNWRITABLE : PrimaryFault.NONE;
    }

    /** Whether the cell's entry in the cluster is another one than its configuration makes. */
    private static boolean entryDue(View view, Standing standing) {
        ClusterState state = view.state();
        Member entry =
                state == null ? null : state.members().get(view.settings().name());
        return entry != null
                && (standing == Standing.ACTIVE || standing == Standing.PRIMARY)
                // The others would look for PostgreSQL where it does not listen yet.
                && !view.database().elsewhere()
                && !entry.equals(view.settings().entry(entry.incarnation()));
    }

    private static boolean slotsDue(View view, Standing standing) {
        boolean runs = view.database().isPrimary() || view.database().isStandby();
        if (!runs || (standing != Standing.ACTIVE && standing != Standing.PRIMARY)) {
            return false;
        }
        Memory.SlotsKept kept = view.memory().applied().slotsKept();
        return kept == null
                || kept.postmaster() != view.database().postmaster()
                || !kept.siblings().equals(Standbys.siblings(view))
                || view.now() - kept.at() >= SLOTS_MILLIS;
    }

    /** I8: whom this cell's door is to be opened to now; null when it is as it should be. */
    static @Nullable Upstream doorTarget(View view) {
        ClusterState state = view.state();
        Upstream right = Standbys.rightUpstream(view);
        if (state == null
                || right == null
                || right.equals(view.memory().applied().doorOpenTo())) {
            return null;
        }
        boolean held = state.phase() instanceof Phase.Handover
                && !view.phaseLasts(view.settings().timing().handover());
        return held ? null : right;
    }
}
