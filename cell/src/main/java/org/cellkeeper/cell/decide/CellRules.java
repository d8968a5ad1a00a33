package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.LOG;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.FailureSuspicion;
import org.cellkeeper.cell.decide.Facts.Move;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.PrimaryFault;
import org.cellkeeper.cell.decide.Facts.PromotionStage;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.decide.Facts.TaskStep;
import org.cellkeeper.cell.decide.Facts.Wal;
import org.cellkeeper.cell.decide.Facts.WriteAvailability;
import org.cellkeeper.cell.decide.Rule.Audience;
import org.cellkeeper.cell.decide.Rule.Pace;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.LocalState.HandoverMark;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/**
 * The decision table of a cell: ordered, the first rule that matches is followed. Each rule does one small thing and is
 * found again, one step further, in the next view: a cell may die between any two steps and goes on where it was.
 */
public final class CellRules {
    private static final long DRAIN_MILLIS = 3000;

    private final List<Rule> rules = new ArrayList<>();
    private final Supplier<Incarnation> newIncarnation;

    public CellRules(Supplier<Incarnation> newIncarnation) {
        this.newIncarnation = newIncarnation;
        fencing();
        birth();
        handover();
        ballot();
        promotion();
        primary();
        standby();
        rest();
    }

    public List<Rule> rules() {
        return List.copyOf(rules);
    }

    /** The first rule that applies. The last one always does. */
    public Rule match(Facts facts) {
        for (Rule rule : rules) {
            if (rule.when().test(facts)) {
                return rule;
            }
        }
        throw new IllegalStateException("the table has a gap: " + facts);
    }

    public Plan decide(View view) {
        Rule rule = match(Facts.of(view));
        Steps steps = rule.plan().apply(view);
        for (Action action : steps.actions()) {
            if (!rule.may().contains(action.kind())) {
                throw new IllegalStateException("rule " + rule.number() + " may not " + action.kind());
            }
        }
        return new Plan(rule, steps.actions(), steps.needsNewSession(), steps.detail());
    }

    // ---- 1 fencing

    private void fencing() {
        act(
                100,
                Section.FENCING,
                "This cell is halted and PostgreSQL is stopped, but its door is held or leads elsewhere: open it to the primary.",
                f -> f.standing() == Standing.HALTED
                        && f.postgres() == Postgres.STOPPED
                        && f.pendingSave() != Facts.PendingSave.HALT
                        && f.doorDue(),
                EnumSet.of(Kind.OPEN_DOOR),
                FAST,
                NOWHERE,
                CellRules::openDoor);
        act(
                101,
                Section.FENCING,
                "This cell is halted and its PostgreSQL runs: stop it at once, then note the halt.",
                f -> f.standing() == Standing.HALTED && f.postgres() != Postgres.STOPPED,
                EnumSet.of(Kind.STOP_IMMEDIATE, Kind.PERSIST),
                FAST,
                HISTORY,
                v -> Steps.of(Halts.reason(v), new Action.StopImmediate(), noteHalt(v)));
        act(
                102,
                Section.FENCING,
                "This cell is halted: note it in the state file, so that it stays so over restarts.",
                f -> f.standing() == Standing.HALTED && f.pendingSave() == Facts.PendingSave.HALT,
                EnumSet.of(Kind.PERSIST),
                FAST,
                HISTORY,
                v -> Steps.of(Halts.reason(v), noteHalt(v)));
        act(
                103,
                Section.FENCING,
                "This cell is halted: tell the cluster so, and where its WAL ended.",
                f -> f.standing() == Standing.HALTED
                        && f.pendingSave() == Facts.PendingSave.HALT_UNREPORTED
                        && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                NORMAL,
                NOWHERE,
                v -> cas(v, state -> Halts.reported(v, state), "report the halt"));
        rest(
                104,
                Section.FENCING,
                "This cell is halted: an operator must remove it (DELETE) and deploy it anew.",
                f -> f.standing() == Standing.HALTED,
                NORMAL);
        act(
                105,
                Section.FENCING,
                "This cell was removed and its PostgreSQL runs: stop it.",
                f -> f.standing() == Standing.REMOVED && f.postgres() != Postgres.STOPPED,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
        act(
                106,
                Section.FENCING,
                "This cell was removed: note it in the state file.",
                f -> f.standing() == Standing.REMOVED && f.pendingSave() == Facts.PendingSave.REMOVAL,
                EnumSet.of(Kind.PERSIST),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.Persist("removed by an operator", LocalState::withRemoved)));
        act(
                107,
                Section.FENCING,
                "This removed cell is to be deployed: empty it and begin a new life.",
                f -> f.standing() == Standing.REMOVED && f.taskStep() == TaskStep.DEPLOY,
                EnumSet.of(Kind.WIPE, Kind.PERSIST),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.Wipe(), withNewIncarnation(false)));
        rest(
                108,
                Section.FENCING,
                "This cell was removed: deploy it (POST /nodes/<cell>/deploy) to use it again.",
                f -> f.standing() == Standing.REMOVED,
                NORMAL);
        act(
                109,
                Section.FENCING,
                "PostgreSQL runs as primary, but this cell is not the primary: stop it at once.",
                f -> f.postgres() == Postgres.PRIMARY
                        && (f.standing() == Standing.ACTIVE
                                || f.standing() == Standing.STRANGER
                                || f.standing() == Standing.TAKEN),
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
        act(
                110,
                Section.FENCING,
                "PostgreSQL runs as primary, but this cell never opened it for this epoch: stop it at once.",
                f -> f.promotionStage() == PromotionStage.UNLAWFUL,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
        act(
                111,
                Section.FENCING,
                "PostgreSQL was opened on a timeline that another reign may bear too: stop it.",
                f -> f.promotionStage() == PromotionStage.CLASH,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                NORMAL,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
    }

    // ---- 2 birth, joining, cloning

    private void birth() {
        rest(
                201,
                Section.BIRTH,
                "This cell is asked to stop and its PostgreSQL is stopped: done.",
                f -> f.stopping() && f.postgres() == Postgres.STOPPED && f.switchoverStage() == SwitchoverStage.NONE,
                NORMAL);
        act(
                202,
                Section.BIRTH,
                "This cell is asked to stop: stop PostgreSQL.",
                f -> f.stopping() && (f.standing() != Standing.PRIMARY || f.switchoverStage() == SwitchoverStage.NONE),
                EnumSet.of(Kind.STOP_FAST),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StopFast()));
        rest(
                203,
                Section.BIRTH,
                "The data on this disk belong to another cluster: an operator must remove them, or point the cell elsewhere.",
                f -> f.data() == Data.FOREIGN && f.postgres() == Postgres.STOPPED,
                NORMAL);
        act(
                204,
                Section.BIRTH,
                "The data on this disk belong to another cluster: do not run them.",
                f -> f.data() == Data.FOREIGN,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                NORMAL,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
        act(
                205,
                Section.BIRTH,
                "The data are to be replaced, but PostgreSQL runs on them: stop it.",
                f -> f.data() == Data.BROKEN && f.postgres() != Postgres.STOPPED,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
        act(
                211,
                Section.BIRTH,
                "There is no cluster yet and this cell has initialised its data: create the cluster.",
                f -> f.coordination() == Coordination.UNBORN_AND_LOCKED && f.data() == Data.FOUNDED,
                EnumSet.of(Kind.CREATE_STATE),
                FAST,
                HISTORY,
                CellRules::found);
        act(
                212,
                Section.BIRTH,
                "There is no cluster yet and this cell holds the birth lock: initialise the data.",
                f -> f.coordination() == Coordination.UNBORN_AND_LOCKED && f.data() == Data.EMPTY,
                EnumSet.of(Kind.PERSIST, Kind.INIT_DB),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.Persist("founder", s -> s.withFounder(true)), new Action.InitDb()));
        act(
                213,
                Section.BIRTH,
                "An initdb of this cell was cut off: begin it again.",
                f -> f.coordination() == Coordination.UNBORN_AND_LOCKED && f.data() == Data.BROKEN,
                EnumSet.of(Kind.WIPE, Kind.PERSIST),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.Wipe(), withNewIncarnation(false)));
        act(
                214,
                Section.BIRTH,
                "There is no cluster yet: try to be the one that founds it.",
                f -> f.coordination() == Coordination.UNBORN_AND_MINE_TO_ASK
                        && (f.data() == Data.EMPTY || f.data() == Data.FOUNDED || f.data() == Data.BROKEN),
                EnumSet.of(Kind.TAKE_BIRTH_LOCK),
                NORMAL,
                NOWHERE,
                v -> Steps.of("", new Action.TakeBirthLock()));
        rest(
                215,
                Section.BIRTH,
                "There is no cluster in ZooKeeper, but there are data on this disk: ZooKeeper's data were lost. Restore them; a new"
                        + " cluster is never founded over data.",
                f -> isUnborn(f) && f.data() == Data.OWN,
                NORMAL);
        rest(
                216,
                Section.BIRTH,
                "There is no cluster yet: wait for the cell that founds it.",
                CellRules::isUnborn,
                NORMAL);
        rest(
                217,
                Section.BIRTH,
                "Nothing is known of the cluster yet: wait for ZooKeeper.",
                f -> f.standing() == Standing.UNKNOWN,
                NORMAL);
        act(
                218,
                Section.BIRTH,
                "Another cell founded the cluster: throw this cell's own initdb away.",
                f -> f.data() == Data.FOUNDED
                        && f.postgres() == Postgres.STOPPED
                        && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.PERSIST, Kind.WIPE),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.Wipe(), withNewIncarnation(false)));
        rest(
                219,
                Section.BIRTH,
                "This cell's name belongs to another incarnation that is alive, is primary, or still votes: wait.",
                f -> f.standing() == Standing.TAKEN,
                NORMAL);
        act(
                220,
                Section.BIRTH,
                "This cell's name is free: join the cluster.",
                f -> f.standing() == Standing.STRANGER
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                v -> enter(v, "join as " + v.self()));
        rest(
                221,
                Section.BIRTH,
                "This cell is not a member: wait until the cluster is calm and can be asked.",
                f -> f.standing() == Standing.STRANGER,
                NORMAL);
        act(
                222,
                Section.BIRTH,
                "This cell has seen itself among the members: note it.",
                f -> f.pendingSave() == Facts.PendingSave.MEMBERSHIP,
                EnumSet.of(Kind.PERSIST),
                FAST,
                NOWHERE,
                v -> Steps.of("", new Action.Persist("joined", LocalState::withJoined)));
        act(
                223,
                Section.BIRTH,
                "This cell has no usable data: clone the primary.",
                f -> f.standing() == Standing.ACTIVE
                        && hasNoData(f)
                        && f.postgres() == Postgres.STOPPED
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY,
                EnumSet.of(Kind.PERSIST, Kind.CLONE),
                NORMAL,
                HISTORY,
                CellRules::cloneThePrimary);
        rest(
                224,
                Section.BIRTH,
                "This cell has no usable data: wait for a primary to clone.",
                f -> f.standing() == Standing.ACTIVE && hasNoData(f) && f.ballotRole() != BallotRole.LOST,
                NORMAL);
        act(
                225,
                Section.BIRTH,
                "This cell's address, priority or fault domain was configured anew: change its entry in the cluster.",
                f -> f.entryDue()
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY
                        && f.failureSuspicion() == Facts.FailureSuspicion.NONE
                        && f.switchoverStage() == SwitchoverStage.NONE,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                v -> enter(v, describeEntry(v)));
    }

    private static boolean isUnborn(Facts f) {
        return f.coordination() == Coordination.UNBORN
                || f.coordination() == Coordination.UNBORN_AND_MINE_TO_ASK
                || f.coordination() == Coordination.UNBORN_AND_LOCKED;
    }

    private static boolean hasNoData(Facts f) {
        return f.data() == Data.EMPTY || f.data() == Data.BROKEN;
    }

    // ---- 3 planned switchover, the old primary's side

    private void handover() {
        act(
                300,
                Section.HANDOVER,
                "The handover's target is gone and has not taken over: take it back at once.",
                f -> f.switchoverStage() == SwitchoverStage.DESERTED && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                v -> takeBack(v));
        act(
                301,
                Section.HANDOVER,
                "The handover is past its deadline: take it back.",
                f -> f.switchoverStage() == SwitchoverStage.OVERDUE && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                v -> takeBack(v));
        act(
                302,
                Section.HANDOVER,
                "PostgreSQL did not shut down cleanly for the handover: take it back.",
                f -> f.switchoverStage() == SwitchoverStage.UNCLEAN && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                v -> takeBack(v));
        act(
                303,
                Section.HANDOVER,
                "A handover is under way: stop PostgreSQL, so that all of its WAL goes to the standbys.",
                f -> f.switchoverStage() == SwitchoverStage.STOPPING,
                EnumSet.of(Kind.STOP_FAST),
                FAST,
                LOG,
                v -> Steps.of("", new Action.StopFast()));
        act(
                304,
                Section.HANDOVER,
                "PostgreSQL is shut down for the handover: note where its WAL ends, and that it stays shut.",
                f -> f.switchoverStage() == SwitchoverStage.UNMARKED,
                EnumSet.of(Kind.PERSIST),
                FAST,
                LOG,
                CellRules::mark);
        act(
                305,
                Section.HANDOVER,
                "The mark is durable: publish where the WAL ends.",
                f -> f.switchoverStage() == SwitchoverStage.MARKED && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                LOG,
                CellRules::publishToken);
        rest(
                306,
                Section.HANDOVER,
                "The handover waits for its target.",
                f -> f.switchoverStage().hasBegun(),
                NORMAL);
        act(
                307,
                Section.HANDOVER,
                "A handover is wanted and all is well: begin it.",
                f -> f.switchoverStage() == SwitchoverStage.WANTED,
                EnumSet.of(Kind.HOLD_DOOR, Kind.CAS, Kind.PUT_TASK),
                FAST,
                HISTORY,
                CellRules::beginHandover);
        act(
                308,
                Section.HANDOVER,
                "The handover was taken back: the mark has served.",
                f -> f.pendingSave() == Facts.PendingSave.MARK,
                EnumSet.of(Kind.PERSIST),
                FAST,
                NOWHERE,
                v -> Steps.of("", new Action.Persist("handover taken back", s -> s.withHandoverMark(null))));
        act(
                309,
                Section.HANDOVER,
                "The handover was taken: this cell is a standby now.",
                f -> f.pendingSave() == Facts.PendingSave.ABDICATION
                        && f.data() == Data.OWN
                        && f.postgres() == Postgres.STOPPED,
                EnumSet.of(Kind.PERSIST),
                FAST,
                LOG,
                v -> Steps.of(
                        "",
                        new Action.Persist(
                                "handed over", s -> s.withPrimaryEpoch(0).withHandoverMark(null))));
        act(
                310,
                Section.HANDOVER,
                "The primary is another one than the door leads to, or the door is held for nothing: open it to the primary.",
                f -> f.doorDue() && (f.standing() == Standing.ACTIVE || f.standing() == Standing.PRIMARY),
                EnumSet.of(Kind.OPEN_DOOR),
                FAST,
                NOWHERE,
                CellRules::openDoor);
        act(
                311,
                Section.HANDOVER,
                "A handover is wanted: have PostgreSQL write a checkpoint first, so that its stop is short. All else goes on"
                        + " meanwhile.",
                f -> f.switchoverStage() == SwitchoverStage.CHECKPOINT_DUE,
                EnumSet.of(Kind.CHECKPOINT),
                FAST,
                LOG,
                v -> Steps.of("", new Action.Checkpoint()));
    }

    // ---- 4 ballots

    private void ballot() {
        act(
                401,
                Section.BALLOT,
                "The outcome of the ballot that this cell was sealed for has been read: the seal has served.",
                f -> f.pendingSave() == Facts.PendingSave.OUTCOME,
                EnumSet.of(Kind.PERSIST),
                FAST,
                NOWHERE,
                v -> Steps.of("", new Action.Persist("outcome read", s -> s.withSealedBallot(0))));
        act(
                402,
                Section.BALLOT,
                "The votes suffice: name the winner.",
                f -> f.ballotRole() == BallotRole.DECIDED
                        && f.standing() == Standing.ACTIVE
                        && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                CellRules::elect);
        act(
                403,
                Section.BALLOT,
                "The ballot was vetoed, or not decided in time: burn it.",
                f -> f.ballotRole() == BallotRole.LOST && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS, Kind.DELETE_VOTES),
                FAST,
                HISTORY,
                CellRules::giveUp);
        act(
                404,
                Section.BALLOT,
                "A ballot is open, but the primary is seen to serve: veto it.",
                f -> f.ballotRole() == BallotRole.OBJECTING && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.PUBLISH_VOTE),
                FAST,
                HISTORY,
                CellRules::veto);
        act(
                405,
                Section.BALLOT,
                "A ballot is open: stop receiving WAL.",
                f -> (f.ballotRole() == BallotRole.UNSEALED || f.ballotRole() == BallotRole.SEALED)
                        && (isStandby(f) || isAtRest(f))
                        && f.stream() != Stream.DETACHED
                        && f.stream() != Stream.LOOSE,
                EnumSet.of(Kind.UNFOLLOW),
                FAST,
                LOG,
                v -> Steps.of("", new Action.Unfollow()));
        rest(
                406,
                Section.BALLOT,
                "A ballot is open: wait until the walreceiver is gone for good.",
                f -> (f.ballotRole() == BallotRole.UNSEALED || f.ballotRole() == BallotRole.SEALED)
                        && isStandby(f)
                        && f.stream() == Stream.LOOSE,
                FAST);
        act(
                407,
                Section.BALLOT,
                "Nothing can be received any more: seal durably, read the WAL of a stopped PostgreSQL to its end, and vote.",
                f -> (f.ballotRole() == BallotRole.UNSEALED || f.ballotRole() == BallotRole.SEALED)
                        && (isStandby(f) || isAtRest(f))
                        && f.stream() == Stream.DETACHED,
                EnumSet.of(Kind.PERSIST, Kind.READ_END, Kind.PUBLISH_VOTE),
                FAST,
                HISTORY,
                CellRules::sealAndVote);
        act(
                408,
                Section.BALLOT,
                "A ballot is open, and PostgreSQL does not come to rest for it: stop it, its disk tells what it holds.",
                f -> f.ballotRole() == BallotRole.OVERDUE
                        && f.standing() == Standing.ACTIVE
                        && f.data() == Data.OWN
                        && f.postgres() != Postgres.STOPPED,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of(describeUnrest(v), new Action.StopImmediate()));
        rest(409, Section.BALLOT, "A ballot is open: wait for its outcome.", CellRules::isBallotOpen, FAST);
    }

    private static boolean isBallotOpen(Facts f) {
        return switch (f.ballotRole()) {
            case UNSEALED, OBJECTING, SEALED, OVERDUE, VOTED, DECIDED, LOST -> true;
            case STEADY, OFFERED_EARLY, OFFERED, HANDOVER, UNRECORDED -> false;
        };
    }

    private static boolean isStandby(Facts f) {
        return f.standing() == Standing.ACTIVE && f.data() == Data.OWN && f.postgres() == Postgres.STANDBY;
    }

    /** A stopped standby receives nothing, and its disk can be read. */
    private static boolean isAtRest(Facts f) {
        return f.standing() == Standing.ACTIVE && f.data() == Data.OWN && f.postgres() == Postgres.STOPPED;
    }

    // ---- 5 promotion

    private void promotion() {
        act(
                500,
                Section.PROMOTION,
                "This cell won, but cannot open its reign, and another one holds the same WAL: give the reign to that one.",
                f -> f.promotionStage() == PromotionStage.HOPELESS
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.UNRECORDED,
                EnumSet.of(Kind.CAS, Kind.DELETE_VOTES),
                FAST,
                HISTORY,
                CellRules::giveUpReign);
        rest(
                501,
                Section.PROMOTION,
                "This cell is the primary, but has no usable data, or PostgreSQL went on with them on their old timeline: an operator"
                        + " must promote another one.",
                f -> f.standing() == Standing.PRIMARY
                        && (f.data() != Data.OWN || f.promotionStage() == PromotionStage.SPOILED),
                NORMAL);
        act(
                502,
                Section.PROMOTION,
                "This cell won, and PostgreSQL is down: start it with the rule of those who may acknowledge, and promote it.",
                f -> mustOpen(f) && f.postgres() == Postgres.STOPPED && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.PERSIST, Kind.PROMOTE_AT_REST, Kind.START_PRIMARY),
                FAST,
                HISTORY,
                CellRules::startTheWinner);
        act(
                503,
                Section.PROMOTION,
                "This cell won: stop receiving WAL.",
                f -> f.promotionStage() == PromotionStage.ATTACHED && f.postgres() == Postgres.STANDBY,
                EnumSet.of(Kind.UNFOLLOW),
                FAST,
                LOG,
                v -> Steps.of("", new Action.Unfollow()));
        act(
                504,
                Section.PROMOTION,
                "This cell won, and PostgreSQL runs, but cannot be made ready: stop it, and promote it from its start.",
                f -> f.promotionStage() == PromotionStage.STUCK,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of(describeUnrest(v), new Action.StopImmediate()));
        act(
                505,
                Section.PROMOTION,
                "This cell won: name those who may acknowledge, before the first commit can be made.",
                f -> f.promotionStage() == PromotionStage.UNNAMED && f.postgres() == Postgres.STANDBY,
                EnumSet.of(Kind.APPLY_SYNC),
                FAST,
                LOG,
                CellRules::nameAcknowledgers);
        act(
                506,
                Section.PROMOTION,
                "The commit rule is in force: promote.",
                f -> f.promotionStage() == PromotionStage.NAMED
                        && f.postgres() == Postgres.STANDBY
                        && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.PERSIST, Kind.PROMOTE),
                FAST,
                HISTORY,
                CellRules::promote);
        act(
                507,
                Section.PROMOTION,
                "The new timeline is open: put the reign on record.",
                f -> f.promotionStage() == PromotionStage.PROMOTED && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS, Kind.DELETE_VOTES),
                FAST,
                HISTORY,
                CellRules::recordReign);
        rest(
                508,
                Section.PROMOTION,
                "This cell won: wait until its walreceiver is gone for good, and PostgreSQL and ZooKeeper answer.",
                CellRules::mustOpen,
                FAST);
        act(
                509,
                Section.PROMOTION,
                "The reign is on record: note that this WAL is this cell's own.",
                f -> f.pendingSave() == Facts.PendingSave.REIGN,
                EnumSet.of(Kind.PERSIST),
                FAST,
                NOWHERE,
                CellRules::noteReign);
    }

    private static boolean mustOpen(Facts f) {
        return f.standing() == Standing.PRIMARY && f.promotionStage() != PromotionStage.DONE;
    }

    // ---- 6 the primary reigns

    private void primary() {
        rest(
                601,
                Section.PRIMARY,
                "PostgreSQL of this primary crashed: leave it to the standbys to take over, for a short time.",
                f -> f.standing() == Standing.PRIMARY
                        && f.postgres() == Postgres.STOPPED
                        && f.primaryFault() == PrimaryFault.CRASHED,
                FAST);
        act(
                602,
                Section.PRIMARY,
                "This cell is the primary and PostgreSQL is down: start it.",
                f -> f.standing() == Standing.PRIMARY
                        && f.postgres() == Postgres.STOPPED
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY,
                EnumSet.of(Kind.START_PRIMARY),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StartPrimary()));
        rest(
                603,
                Section.PRIMARY,
                "This cell was the primary when it last could ask: PostgreSQL stays down until ZooKeeper confirms it.",
                f -> f.standing() == Standing.PRIMARY && f.postgres() == Postgres.STOPPED,
                FAST);
        act(
                604,
                Section.PRIMARY,
                "The disk does not take writes, or PostgreSQL hangs, and others can take over: stop PostgreSQL.",
                f -> f.standing() == Standing.PRIMARY && f.primaryFault() == PrimaryFault.UNWRITABLE,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of(v.database().problem(), new Action.StopImmediate()));
        act(
                605,
                Section.PRIMARY,
                "This primary is cut off from everything and is configured to stop then.",
                f -> f.writeAvailability() == WriteAvailability.LACKING_STOP,
                EnumSet.of(Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.StopImmediate()));
        act(
                606,
                Section.PRIMARY,
                "Too few standbys acknowledge: turn writers away instead of letting them hang.",
                f -> f.writeAvailability() == WriteAvailability.LACKING,
                EnumSet.of(Kind.SET_READ_ONLY),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.SetReadOnly(true)));
        act(
                607,
                Section.PRIMARY,
                "Enough standbys acknowledge again, and ZooKeeper confirms the reign: take writes again.",
                f -> f.writeAvailability() == WriteAvailability.RECOVERED && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.SET_READ_ONLY),
                FAST,
                HISTORY,
                v -> Steps.of("", new Action.SetReadOnly(false)));
        act(
                608,
                Section.PRIMARY,
                "The siblings have changed, or it is time to look again: make their slots, drop those of others.",
                f -> f.slotsDue() && f.standing() == Standing.PRIMARY && f.postgres() == Postgres.PRIMARY,
                EnumSet.of(Kind.KEEP_SLOTS),
                FAST,
                NOWHERE,
                v -> Steps.of("", new Action.KeepSlots(Standbys.siblings(v))));
        act(
                609,
                Section.PRIMARY,
                "All cells run with the same list of ZooKeeper servers, and it is not on record: put it there.",
                f -> f.move() == Move.RECORD && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                CellRules::recordEnsemble);
        act(
                611,
                Section.PRIMARY,
                "PostgreSQL is to accept more acknowledgers: first make sure that no old change of the state can land any more.",
                f -> f.move() == Move.CONFIRM,
                EnumSet.of(Kind.CAS),
                FAST,
                NOWHERE,
                v -> cas(v, state -> state, "confirm the state"));
        act(
                612,
                Section.PRIMARY,
                "PostgreSQL's commit rule is not as it should be: write it and reload.",
                f -> f.move() == Move.WRITE,
                EnumSet.of(Kind.APPLY_SYNC),
                FAST,
                LOG,
                CellRules::writeCommitRule);
        act(
                613,
                Section.PRIMARY,
                "k is being raised: make the streams reconnect that may still count by the old one.",
                f -> f.move() == Move.TERMINATE,
                EnumSet.of(Kind.TERMINATE_OLD_SENDERS),
                FAST,
                NOWHERE,
                v -> Steps.closely("", new Action.TerminateOldSenders()));
        act(
                614,
                Section.PRIMARY,
                "The voters change: wait until PostgreSQL has caught up with the move.",
                f -> f.move() == Move.AWAIT,
                EnumSet.noneOf(Kind.class),
                FAST,
                LOG,
                v -> Steps.closely(VoterMoves.next(v) instanceof VoterMoves.Step.Await await ? await.what() : ""));
        act(
                615,
                Section.PRIMARY,
                "All that was acknowledged is covered: change the voters.",
                f -> f.move() == Move.CHANGE,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                CellRules::changeVoters);
        act(
                616,
                Section.PRIMARY,
                "An operator's removal can be completed: strike the cell off.",
                f -> f.taskStep() == TaskStep.LEAVE,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                CellRules::removeMember);
        act(
                617,
                Section.PRIMARY,
                "A task has come to its end: say how.",
                f -> f.taskStep() == TaskStep.SETTLE,
                EnumSet.of(Kind.PUT_TASK),
                FAST,
                LOG,
                CellRules::settle);
        rest(
                618,
                Section.PRIMARY,
                "This cell is the primary, but too few standbys acknowledge: reads go on, writes are turned away.",
                f -> f.standing() == Standing.PRIMARY
                        && (f.writeAvailability() == WriteAvailability.LACKING_CLOSED
                                || f.writeAvailability() == WriteAvailability.SHORT
                                || f.writeAvailability() == WriteAvailability.RECOVERED),
                FAST);
        rest(
                619,
                Section.PRIMARY,
                "This cell is the primary and serves.",
                f -> f.standing() == Standing.PRIMARY && f.postgres() == Postgres.PRIMARY,
                NORMAL);
        rest(
                620,
                Section.PRIMARY,
                "This cell is the primary: wait until its PostgreSQL answers.",
                f -> f.standing() == Standing.PRIMARY,
                FAST);
    }

    // ---- 7 standbys

    private void standby() {
        act(
                701,
                Section.STANDBY,
                "This cell is a standby and PostgreSQL is down: start it.",
                f -> f.standing() == Standing.ACTIVE
                        && f.data() == Data.OWN
                        && f.postgres() == Postgres.STOPPED
                        && f.pendingSave() != Facts.PendingSave.ABDICATION
                        && f.wal() != Wal.AWAITS_REIGN
                        && !(f.wal() == Wal.DIVERGED && f.ballotRole() == BallotRole.STEADY),
                EnumSet.of(Kind.PERSIST, Kind.START_STANDBY),
                FAST,
                LOG,
                CellRules::startStandby);
        act(
                702,
                Section.STANDBY,
                "The primary is lost, by its stream and by its agent, and no voter speaks up for it: open a ballot.",
                f -> f.failureSuspicion() == FailureSuspicion.BALLOT && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                v -> cas(v, state -> state.propose(v.self(), Phase.Kind.AUTOMATIC, v.wall()), "open a ballot"));
        act(
                703,
                Section.STANDBY,
                "An operator asked for this cell's promotion and no primary serves: open a ballot.",
                f -> f.taskStep() == TaskStep.BALLOT && f.coordination() == Coordination.KNOWN && f.data() == Data.OWN,
                EnumSet.of(Kind.CAS, Kind.PUT_TASK),
                FAST,
                HISTORY,
                CellRules::proposeForOperator);
        act(
                704,
                Section.STANDBY,
                "This cell holds all of the old primary's WAL: take over.",
                f -> f.ballotRole() == BallotRole.OFFERED
                        && isStandby(f)
                        && f.stream() == Stream.DETACHED
                        && f.coordination() == Coordination.KNOWN,
                EnumSet.of(Kind.CAS),
                FAST,
                HISTORY,
                CellRules::takeOver);
        act(
                705,
                Section.STANDBY,
                "A handover offers this cell the reign: stop receiving WAL first.",
                f -> f.ballotRole() == BallotRole.OFFERED
                        && isStandby(f)
                        && f.stream() != Stream.DETACHED
                        && f.stream() != Stream.LOOSE,
                EnumSet.of(Kind.UNFOLLOW),
                FAST,
                LOG,
                v -> Steps.of("", new Action.Unfollow()));
        act(
                706,
                Section.STANDBY,
                "This cell follows one who is not (or no longer) the primary: stop receiving from it.",
                f -> isStandby(f) && f.stream() == Stream.WRONG && f.ballotRole() != BallotRole.HANDOVER,
                EnumSet.of(Kind.UNFOLLOW),
                FAST,
                LOG,
                v -> Steps.of("", new Action.Unfollow()));
        rest(
                707,
                Section.STANDBY,
                "Wait until the walreceiver is gone for good.",
                f -> isStandby(f) && f.stream() == Stream.LOOSE,
                FAST);
        act(
                708,
                Section.STANDBY,
                "The next primary's reign is not on record yet: wait for it.",
                f -> isStandby(f)
                        && f.stream() == Stream.DETACHED
                        && (f.ballotRole() == BallotRole.UNRECORDED
                                || f.ballotRole() == BallotRole.HANDOVER
                                || isOffer(f)),
                EnumSet.noneOf(Kind.class),
                NORMAL,
                LOG,
                // It may be this cell's own, a moment before that is durable: then its commit rule is asked for next.
                v -> new Steps(List.of(), isOffered(v), ""));
        rest(
                709,
                Section.STANDBY,
                "Local WAL is being replayed: only then it is known what this cell holds.",
                f -> isStandby(f) && f.stream() == Stream.DETACHED && f.wal() == Wal.UNKNOWN,
                FAST);
        act(
                710,
                Section.STANDBY,
                "This cell holds WAL that is not the primary's, or lacks WAL that the primary no longer has: throw the data away and"
                        + " clone anew, under a new incarnation.",
                f -> (isAtRest(f) && f.wal() == Wal.DIVERGED && f.ballotRole() == BallotRole.STEADY)
                        || isStandby(f)
                                && ((f.stream() == Stream.DETACHED && f.wal() == Wal.DIVERGED)
                                        || (f.stream() != Stream.LIVE
                                                && f.wal() == Wal.GONE
                                                && f.ballotRole() == BallotRole.STEADY)),
                EnumSet.of(Kind.PERSIST, Kind.STOP_IMMEDIATE),
                FAST,
                HISTORY,
                v -> Steps.of(describeEnd(v), withNewIncarnation(true), new Action.StopImmediate()));
        act(
                711,
                Section.STANDBY,
                "This cell's WAL is a prefix of the primary's: follow it.",
                f -> isStandby(f) && f.stream() == Stream.DETACHED && f.wal() == Wal.PREFIX,
                EnumSet.of(Kind.PERSIST, Kind.FOLLOW),
                FAST,
                LOG,
                CellRules::follow);
        act(
                712,
                Section.STANDBY,
                "The siblings have changed, or it is time to look again: make their slots, drop those of others.",
                f -> isStandby(f) && f.slotsDue(),
                EnumSet.of(Kind.KEEP_SLOTS),
                FAST,
                NOWHERE,
                v -> Steps.of("", new Action.KeepSlots(Standbys.siblings(v))));
        rest(
                713,
                Section.STANDBY,
                "The primary seems lost, but no ballot is called for: in MANUAL mode, while a voter speaks up for it, while too few"
                        + " cells live, or for a short time after the last one.",
                f -> isStandby(f) && f.failureSuspicion() == FailureSuspicion.SUSPICION,
                FAST);
        rest(
                714,
                Section.STANDBY,
                "This cell streams from the primary.",
                f -> isStandby(f) && f.stream() == Stream.LIVE,
                NORMAL);
        rest(715, Section.STANDBY, "This cell follows the primary, and waits for its stream.", f -> isStandby(f), FAST);
        act(
                716,
                Section.STANDBY,
                "PostgreSQL follows nobody, or no more the primary, and lets nobody in who could tell it: stop it, and read what it"
                        + " holds.",
                f -> f.standing() == Standing.ACTIVE
                        && f.data() == Data.OWN
                        && f.stream() == Stream.CLOSED
                        && f.ballotRole() == BallotRole.STEADY,
                EnumSet.of(Kind.STOP_IMMEDIATE, Kind.READ_END),
                FAST,
                HISTORY,
                v -> Steps.of(v.database().problem(), new Action.StopImmediate(), new Action.ReadEnd()));
        rest(
                717,
                Section.STANDBY,
                "PostgreSQL is stopped and what it holds is known; the next primary's reign is soon on record: wait for it, and start"
                        + " as its standby.",
                f -> isAtRest(f) && f.wal() == Wal.AWAITS_REIGN,
                FAST);
    }

    private static boolean isOffer(Facts f) {
        return f.ballotRole() == BallotRole.OFFERED || f.ballotRole() == BallotRole.OFFERED_EARLY;
    }

    private void rest() {
        rest(901, Section.REST, "Wait until PostgreSQL answers.", f -> f.postgres() != Postgres.STOPPED, FAST);
        rest(902, Section.REST, "Wait.", f -> true, NORMAL);
    }

    // ---- plans

    private static Action.Persist noteHalt(View v) {
        String reason = Halts.reason(v);
        return new Action.Persist("halted: " + reason, s -> s.haltReason() == null ? s.withHalt(reason) : s);
    }

    /** A new life under a new incarnation: what the old data had promised to anybody is void (T6). */
    private Action.Persist withNewIncarnation(boolean dataRemain) {
        Incarnation next = newIncarnation.get();
        return new Action.Persist(
                "a new incarnation " + next, s -> s.reborn(next).withCloning(dataRemain));
    }

    private static Steps cas(View v, Function<ClusterState, ClusterState> change, String what) {
        ClusterState state = v.state();
        return state == null
                ? Steps.none(what)
                : Steps.of(what, new Action.Cas(v.version(), change.apply(state), what));
    }

    /** Writes this cell's entry in the cluster as it is configured. */
    private static Steps enter(View v, String what) {
        Member entry = v.settings().entry(v.local().incarnation());
        return cas(v, state -> state.withMember(v.settings().name(), entry), what);
    }

    private static String describeEntry(View v) {
        ClusterState state = v.state();
        Member before = state == null ? null : state.members().get(v.settings().name());
        Member now = v.settings().entry(v.local().incarnation());
        if (before == null) {
            return "";
        }
        List<String> changes = new ArrayList<>();
        if (!before.address().equals(now.address())) {
            changes.add("address " + before.address() + " becomes " + now.address());
        }
        if (before.priority() != now.priority()) {
            changes.add("priority " + before.priority() + " becomes " + now.priority());
        }
        if (!before.faultDomain().equals(now.faultDomain())) {
            changes.add("fault domain " + before.faultDomain() + " becomes " + now.faultDomain());
        }
        return String.join(", ", changes);
    }

    private static Steps found(View v) {
        String systemId = v.database().systemId();
        if (systemId == null) {
            return Steps.none("the data have no system identifier");
        }
        Member self = v.settings().entry(v.local().incarnation());
        return Steps.of(
                systemId,
                new Action.CreateState(
                        ClusterState.born(v.self(), self, systemId, v.settings().initialMode())
                                .withEnsemble(Ensemble.first(v.settings().servers()))));
    }

    private static Steps recordEnsemble(View v) {
        ClusterState state = v.state();
        List<String> servers = Ensembles.due(v);
        if (state == null || servers == null) {
            return Steps.none("");
        }
        Ensemble recorded = state.ensemble();
        Ensemble next = recorded == null ? Ensemble.first(servers) : recorded.withServers(servers);
        return cas(v, old -> old.withEnsemble(next), Ensemble.text(servers));
    }

    private static Steps cloneThePrimary(View v) {
        Upstream source = Standbys.rightUpstream(v);
        if (source == null) {
            return Steps.none("the primary's address is not known");
        }
        return Steps.of(
                "from " + source.primary().name(),
                new Action.Persist("cloning", s -> s.withCloning(true)),
                new Action.CloneFrom(source),
                new Action.Persist("cloned", s -> s.withWalEpoch(source.epoch()).withCloning(false)));
    }

    private static Steps takeBack(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        return Steps.of(
                "take the handover back", new Action.Cas(v.version(), state.steadyAgain(), "take the handover back"));
    }

    private static Steps openDoor(View v) {
        Upstream target = Facts.doorTarget(v);
        return target == null
                ? Steps.none("")
                : Steps.of("to " + target.primary().name(), new Action.OpenDoor(target));
    }

    private static Steps mark(View v) {
        ClusterState state = v.state();
        DatabaseView.Control control = v.database().control();
        if (state == null || control == null || !(state.phase() instanceof Phase.Handover handover)) {
            return Steps.none("");
        }
        HandoverMark mark = new HandoverMark(handover.ballot(), control.end());
        return Steps.of(
                "at " + mark.end(),
                new Action.Persist("handover mark at " + mark.end(), s -> s.withHandoverMark(mark)));
    }

    private static Steps publishToken(View v) {
        HandoverMark mark = v.local().handoverMark();
        return mark == null
                ? Steps.none("")
                : cas(v, state -> state.publishToken(mark.end()), "publish the token " + mark.end());
    }

    private static Steps beginHandover(View v) {
        ClusterState state = v.state();
        CellId heir = Tasks.heir(v);
        if (state == null || heir == null) {
            return Steps.none("");
        }
        ClusterState next = state.startHandover(heir, v.wall());
        List<Action> actions = new ArrayList<>();
        actions.add(new Action.HoldDoor(
                DRAIN_MILLIS, DRAIN_MILLIS + v.settings().timing().handover().toMillis()));
        actions.add(new Action.Cas(v.version(), next, "hand over to " + heir));
        Task task = Tasks.mine(v, Task.Operation.SWITCHOVER);
        if (task != null && !v.stopRequested()) {
            actions.add(new Action.PutTask(task.running(next.lastBallot(), 30, "handing over to " + heir.name())));
        }
        return new Steps(actions, false, "to " + heir.name());
    }

    private static Steps elect(View v) {
        Phase.Sealing sealing = Election.open(v);
        CellId winner = Election.winner(v);
        if (sealing == null || winner == null) {
            return Steps.none("");
        }
        Set<CellId> missing = Election.missingVoters(v, sealing);
        String what = "elect " + winner.name() + " in ballot " + sealing.ballot()
                + (missing.isEmpty() ? "" : ", by force, without " + missing);
        return cas(v, state -> state.elect(winner, sealing.ballot(), Election.halts(v, winner)), what);
    }

    private static Steps giveUp(View v) {
        ClusterState state = v.state();
        Phase.Sealing sealing = Election.open(v);
        if (state == null || sealing == null) {
            return Steps.none("");
        }
        String why = Election.votes(v, sealing.ballot()).stream()
                .filter(vote -> vote.veto() != null)
                .map(vote -> vote.voter().name() + " vetoed: " + vote.veto())
                .findFirst()
                .orElse("it was not decided in time");
        String what = "burn ballot " + sealing.ballot() + ": " + why;
        return Steps.of(
                what, new Action.Cas(v.version(), state.steadyAgain(), what), new Action.DeleteVotes(sealing.ballot()));
    }

    private static Steps veto(View v) {
        Phase.Sealing sealing = Election.open(v);
        ClusterState state = v.state();
        if (sealing == null || state == null) {
            return Steps.none("");
        }
        String why = state.primary().equals(v.self())
                ? "this primary serves, and its standbys acknowledge"
                : "WAL streams from " + state.primary().name();
        return Steps.of(why, new Action.PublishVote(vote(v, sealing.ballot(), why)));
    }

    private static Steps sealAndVote(View v) {
        Phase.Sealing sealing = Election.open(v);
        if (sealing == null) {
            return Steps.none("");
        }
        long ballot = sealing.ballot();
        List<Action> actions = new ArrayList<>();
        if (v.local().sealedBallot() != ballot) {
            actions.add(new Action.Persist("sealed for ballot " + ballot, s -> s.withSealedBallot(ballot)));
        }
        if (v.database().knownEnd() != null) {
            if (v.local().walEpoch() > 0 && v.coordinationKnown()) {
                actions.add(new Action.PublishVote(vote(v, ballot, null)));
            }
        } else if (v.database().isStopped()) {
            actions.add(new Action.ReadEnd());
        }
        return new Steps(actions, false, describeEnd(v));
    }

    /** I1: of a known end alone, unless it is a veto. */
    private static Vote vote(View v, long ballot, @Nullable String veto) {
        DatabaseView.Rest end = v.database().knownEnd();
        return new Vote(
                ballot,
                v.self(),
                veto,
                Standbys.heldEpoch(v),
                end == null ? 0 : end.timeline(),
                end == null ? Lsn.ZERO : end.end(),
                v.settings().priority());
    }

    private static String describeEnd(View v) {
        DatabaseView.Rest end = v.database().knownEnd();
        return end == null
                ? ""
                : "WAL of epoch " + Standbys.heldEpoch(v) + " up to " + end.end() + " on timeline " + end.timeline();
    }

    /** Why a PostgreSQL that runs cannot be asked for its end, or does not get there. */
    private static String describeUnrest(View v) {
        DatabaseView.Standby standby = v.database().standby();
        if (standby == null) {
            return v.database().problem();
        }
        return standby.standstill().isEmpty()
                ? "replayed up to " + standby.replayed() + " of " + standby.received()
                : standby.standstill();
    }

    private static Steps startTheWinner(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        long epoch = state.epoch();
        if (Facts.hasPromoted(v, state)) {
            return Steps.of("promoted already", new Action.StartPrimary());
        }
        SyncSetting names = Election.namesAtPromotion(v);
        return Steps.of(
                "epoch " + epoch + ", " + names,
                new Action.Persist("primary of epoch " + epoch, s -> s.withPrimaryEpoch(epoch)),
                new Action.PromoteAtRest(names, state.highestTimeline()));
    }

    private static Steps giveUpReign(View v) {
        ClusterState state = v.state();
        CellId equal = Election.equalToTheWinner(v);
        if (state == null || equal == null) {
            return Steps.none("");
        }
        String what = "give the reign of epoch " + state.epoch() + " up to " + equal.name();
        String why = v.database().problem().isEmpty() ? "" : ": " + v.database().problem();
        Halt halt = new Halt(
                state.epoch(),
                "it could not open its reign of epoch " + state.epoch() + ", and " + equal.name()
                        + " holds the same WAL" + why,
                v.wall(),
                null,
                null);
        return Steps.of(
                what,
                new Action.Cas(v.version(), state.giveUpReign(equal, halt), what),
                new Action.DeleteVotes(state.epoch()));
    }

    private static Steps nameAcknowledgers(View v) {
        var names = Election.namesAtPromotion(v);
        boolean awaiting =
                VoterMoves.isWritten(v, names) && names.equals(v.database().syncOnDisk());
        return awaiting
                ? Steps.closely("waiting for it to come into force")
                : Steps.closely(names.toString(), new Action.ApplySync(names));
    }

    private static Steps promote(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        long epoch = state.epoch();
        // Closely: the rule must still be seen in force when the save is done.
        return Steps.closely(
                "epoch " + epoch,
                new Action.Persist("primary of epoch " + epoch, s -> s.withPrimaryEpoch(epoch)),
                new Action.Promote(state.highestTimeline()));
    }

    private static Steps recordReign(View v) {
        ClusterState state = v.state();
        DatabaseView.Primary primary = v.database().primary();
        if (state == null || primary == null) {
            return Steps.none("");
        }
        Vote own = Election.ownVote(v);
        Lsn start = primary.timelineStart();
        Lsn sealed = own == null ? start : start.max(own.lsn());
        long parent = own == null
                ? WalHistory.heldEpoch(state.reigns(), v.local().walEpoch(), start, primary.timeline())
                : own.walEpoch();
        Reign reign = new Reign(v.self(), primary.timeline(), start, sealed, parent);
        String what = "epoch " + state.epoch() + " is timeline " + reign.timeline() + " from " + start;
        return Steps.of(
                what,
                new Action.Cas(v.version(), state.recordReign(reign), what),
                new Action.DeleteVotes(state.epoch()));
    }

    private static Steps noteReign(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        long epoch = state.epoch();
        return Steps.of(
                "epoch " + epoch,
                new Action.Persist(
                        "reign of epoch " + epoch,
                        s -> s.withPrimaryEpoch(epoch).withWalEpoch(epoch)));
    }

    private static Steps writeCommitRule(View v) {
        return VoterMoves.next(v) instanceof VoterMoves.Step.Write write
                ? Steps.closely(write.why() + ": " + write.setting(), new Action.ApplySync(write.setting()))
                : Steps.none("");
    }

    private static Steps changeVoters(View v) {
        return VoterMoves.next(v) instanceof VoterMoves.Step.Change change
                ? cas(v, state -> state.withVoters(change.voters(), change.acks()), change.why())
                : Steps.none("");
    }

    private static Steps removeMember(View v) {
        CellName name = Tasks.leaver(v);
        return name == null ? Steps.none("") : cas(v, state -> state.leave(name), "remove " + name);
    }

    private static Steps settle(View v) {
        Task ended = Tasks.settled(v);
        return ended == null
                ? Steps.none("")
                : Steps.of(
                        ended.operation() + " " + ended.target() + ": " + ended.message(), new Action.PutTask(ended));
    }

    private static Steps startStandby(View v) {
        ClusterState state = v.state();
        Upstream right = Standbys.rightUpstream(v);
        Upstream onDisk = v.database().upstreamOnDisk();
        if (state == null
                || right == null
                || state.phase() instanceof Phase.Sealing
                || v.local().sealedBallot() != 0) {
            return Steps.of("", new Action.StartStandby(null));
        }
        // Only what was compared before, or is compared now, may be followed at once; all else when its end is known.
        long epoch = state.epoch();
        boolean before = v.local().walEpoch() == epoch && right.equals(onDisk);
        boolean now = state.isSteady() && Standbys.relationToPrimary(v) == WalHistory.Relation.PREFIX; // T7, T10
        if (!before && !now) {
            return Steps.of("", new Action.StartStandby(null));
        }
        List<Action> actions = new ArrayList<>();
        if (v.local().walEpoch() != epoch) {
            actions.add(new Action.Persist("following epoch " + epoch, s -> s.withWalEpoch(epoch)));
        }
        actions.add(new Action.StartStandby(right));
        return new Steps(actions, false, right.primary().name() + " in epoch " + epoch + ", " + describeEnd(v));
    }

    private static Steps proposeForOperator(View v) {
        ClusterState state = v.state();
        Task task = Tasks.mine(v, Task.Operation.PROMOTE);
        if (state == null || task == null) {
            return Steps.none("");
        }
        ClusterState next = state.propose(v.self(), Tasks.kind(task), v.wall());
        return Steps.of(
                "ballot " + next.lastBallot(),
                new Action.Cas(v.version(), next, "open a ballot for an operator"),
                new Action.PutTask(task.running(next.lastBallot(), 20, "ballot " + next.lastBallot() + " is open")));
    }

    private static boolean isOffered(View v) {
        ClusterState state = v.state();
        return state != null
                && state.phase() instanceof Phase.Handover handover
                && handover.target().equals(v.self());
    }

    private static Steps takeOver(View v) {
        ClusterState state = v.state();
        if (state == null || !(state.phase() instanceof Phase.Handover handover)) {
            return Steps.none("");
        }
        String what = "take over in epoch " + handover.ballot();
        // Closely: the promotion asks next whether the rule that the standby was started with is still in force.
        return Steps.closely(what, new Action.Cas(v.version(), state.takeOver(v.self(), handover.ballot()), what));
    }

    private static Steps follow(View v) {
        ClusterState state = v.state();
        Upstream right = Standbys.rightUpstream(v);
        if (state == null || right == null) {
            return Steps.none("the primary's address is not known");
        }
        long epoch = state.epoch();
        List<Action> actions = new ArrayList<>();
        if (v.local().walEpoch() != epoch) {
            actions.add(new Action.Persist("following epoch " + epoch, s -> s.withWalEpoch(epoch)));
        }
        actions.add(new Action.Follow(right));
        return new Steps(actions, false, right.primary().name() + " in epoch " + epoch + ", " + describeEnd(v));
    }

    /** Whether a stopping cell is done: PostgreSQL is down and no handover of it is under way. */
    public static boolean mayExit(View v) {
        ClusterState state = v.state();
        boolean handing = state != null
                && state.primary().equals(v.self())
                && state.phase() instanceof Phase.Handover
                && state.failoverMode() == FailoverMode.AUTOMATIC;
        return v.database().isStopped() && !handing;
    }

    // ---- the table's own vocabulary

    private void act(
            int number,
            Section section,
            String sentence,
            Predicate<Facts> when,
            Set<Kind> may,
            Pace pace,
            Audience audience,
            Function<View, Steps> plan) {
        rules.add(new Rule(number, section, sentence, when, may, plan, pace, audience));
    }

    private void rest(int number, Section section, String sentence, Predicate<Facts> when, Pace pace) {
        rules.add(new Rule(number, section, sentence, when, Set.of(), v -> Steps.none(""), pace, LOG));
    }
}
