package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.DoorDuty;
import org.cellkeeper.cell.decide.Facts.FailureSuspicion;
import org.cellkeeper.cell.decide.Facts.Move;
import org.cellkeeper.cell.decide.Facts.PendingSave;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.PrimaryFault;
import org.cellkeeper.cell.decide.Facts.PromotionStage;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.decide.Facts.TaskStep;
import org.cellkeeper.cell.decide.Facts.Wal;
import org.cellkeeper.cell.decide.Facts.WriteAvailability;
import org.cellkeeper.cell.model.Incarnation;
import org.junit.jupiter.api.Test;

/** The policy as a whole: every combination of facts is looked at. */
class DecisionTableTest {
    private static final EnumSet<BallotRole> BALLOT = EnumSet.of(
            BallotRole.UNSEALED,
            BallotRole.OBJECTING,
            BallotRole.SEALED,
            BallotRole.OVERDUE,
            BallotRole.VOTED,
            BallotRole.DECIDED,
            BallotRole.LOST);

    private final CellRules table = new CellRules(() -> Incarnation.of(0));

    @Test
    void everyCombinationOfFactsHasARuleAndEveryRuleIsReached() {
        Set<Integer> reached = new TreeSet<>();
        long[] count = new long[1];
        everyCombination(facts -> {
            reached.add(table.match(facts).number());
            count[0]++;
        });
        assertThat(count[0]).isGreaterThan(1_000_000);
        List<Integer> all = table.rules().stream().map(Rule::number).toList();
        assertThat(reached).containsExactlyElementsOf(all);
    }

    @Test
    void noRuleActsAgainstAnInvariant() {
        everyCombination(facts -> {
            Rule rule = table.match(facts);
            for (Kind kind : rule.may()) {
                String broken = objection(kind, facts);
                if (broken != null) {
                    throw new AssertionError(
                            "rule " + rule.number() + " may " + kind + ", but " + broken + ": " + facts);
                }
            }
        });
    }

    /** Why this must not be done with these facts; null when it may. */
    private static String objection(Kind kind, Facts f) {
        boolean known = f.coordination() == Coordination.KNOWN;
        boolean stopped = f.postgres() == Postgres.STOPPED;
        boolean runsStandby = f.postgres() == Postgres.STANDBY;
        return switch (kind) {
            case START_PRIMARY ->
                f.standing() != Standing.PRIMARY
                        ? "it is not the primary"
                        : !known
                                ? "ZooKeeper has not confirmed it (I3)"
                                : !stopped
                                        ? "PostgreSQL is not stopped"
                                        : f.data() != Data.OWN
                                                ? "the data are not its own"
                                                : f.pendingSave() == PendingSave.MARK
                                                                || f.ballotRole() == BallotRole.HANDOVER
                                                        ? "a handover's mark is in force (T2)"
                                                        : BALLOT.contains(f.ballotRole()) ? "a ballot is open" : null;
            case START_STANDBY ->
                f.standing() != Standing.ACTIVE && f.standing() != Standing.PRIMARY
                        ? "it is no active member (I4)"
                        : f.data() != Data.OWN ? "the data are not its own" : !stopped ? "it is not stopped" : null;
            case PROMOTE ->
                f.standing() != Standing.PRIMARY || !known || !runsStandby
                        ? "it has not won"
                        : f.promotionStage() != PromotionStage.NAMED ? "the commit rule is not in force" : null;
            case PROMOTE_AT_REST ->
                f.standing() != Standing.PRIMARY || !known || f.promotionStage() == PromotionStage.DONE
                        ? "it has not won"
                        : !stopped
                                ? "PostgreSQL is not stopped"
                                : f.data() != Data.OWN ? "the data are not its own" : null;
            case READ_END ->
                !BALLOT.contains(f.ballotRole())
                                && f.stream() != Stream.CLOSED
                                && !(f.standing() == Standing.HALTED && stopped)
                        ? "nobody asks for it"
                        : null;
            case FOLLOW ->
                f.standing() != Standing.ACTIVE
                        ? "it is no active standby"
                        : f.stream() != Stream.DETACHED
                                ? "it may still receive (T10)"
                                : f.wal() != Wal.PREFIX
                                        ? "its WAL is not known to be a prefix (T7)"
                                        : BALLOT.contains(f.ballotRole()) || f.ballotRole() == BallotRole.UNRECORDED
                                                ? "there is no reign to follow (I5)"
                                                : null;
            case PUBLISH_VOTE ->
                f.ballotRole() == BallotRole.OBJECTING
                        ? null
                        : f.stream() != Stream.DETACHED || !(runsStandby || stopped)
                                ? "it may still receive (I5)"
                                : null;
            case CAS -> !known ? "ZooKeeper has not confirmed the state (I3)" : null;
            case CREATE_STATE, INIT_DB ->
                f.coordination() != Coordination.UNBORN_AND_LOCKED ? "it does not hold the birth lock" : null;
            case TAKE_BIRTH_LOCK ->
                f.coordination() != Coordination.UNBORN_AND_MINE_TO_ASK ? "it may not found the cluster" : null;
            case APPLY_SYNC, TERMINATE_OLD_SENDERS, SET_READ_ONLY ->
                f.standing() != Standing.PRIMARY ? "only a primary has a commit rule" : null;
            case CLONE ->
                f.standing() != Standing.ACTIVE || !stopped
                        ? "it is no stopped standby"
                        : f.data() == Data.OWN || f.data() == Data.FOREIGN ? "there are data" : null;
            case WIPE ->
                !stopped
                        ? "PostgreSQL runs on the data"
                        : f.standing() == Standing.REMOVED && f.taskStep() == TaskStep.DEPLOY
                                ? null
                                : f.data() == Data.OWN || f.data() == Data.FOREIGN ? "nobody asked for it" : null;
            case CHECKPOINT -> f.switchoverStage() != SwitchoverStage.CHECKPOINT_DUE ? "no handover is wanted" : null;
            case HOLD_DOOR -> {
                boolean answers = f.doorDuty() == DoorDuty.HOLD
                        && (f.standing() == Standing.ACTIVE || f.standing() == Standing.PRIMARY);
                // The one rule of a halted cell does whichever of the two is due.
                boolean halted = f.doorDuty() != DoorDuty.NONE && f.standing() == Standing.HALTED;
                yield f.switchoverStage() == SwitchoverStage.DOORS_DUE || answers || halted
                        ? null
                        : "no handover is wanted, or not yet, and no primary is awaited";
            }
            case STOP_IMMEDIATE, STOP_FAST ->
                f.standing() == Standing.PRIMARY
                                && f.switchoverStage() == SwitchoverStage.NONE
                                && !f.stopping()
                                && f.promotionStage() == PromotionStage.DONE
                                && f.primaryFault() == PrimaryFault.NONE
                                && f.writeAvailability() != WriteAvailability.LACKING_STOP
                                && f.data() == Data.OWN
                        ? "nothing speaks against this primary"
                        : null;
            case UNFOLLOW ->
                f.standing() == Standing.ACTIVE && f.ballotRole() == BallotRole.STEADY && f.stream() == Stream.LIVE
                        ? "it streams from the right primary"
                        : null;
            case OPEN_DOOR -> null;
            case PERSIST, DELETE_VOTES, PUT_TASK, KEEP_SLOTS ->
                f.standing() == Standing.HALTED && kind != Kind.PERSIST ? "it is halted" : null;
        };
    }

    @Test
    void theDocumentIsWhatTheRulesSay() throws IOException {
        Path document = Path.of("..", "docs", "decision-table.md");
        if (Boolean.getBoolean("docs.write")) {
            Files.createDirectories(document.getParent());
            Files.writeString(document, DecisionTable.markdown());
        }
        assertThat(Files.readString(document))
                .as("docs/decision-table.md is stale: run scripts/docs")
                .isEqualTo(DecisionTable.markdown());
    }

    @Test
    void numbersAscendAndSentencesEndWithAStop() {
        List<Integer> numbers = new ArrayList<>();
        for (Rule rule : table.rules()) {
            numbers.add(rule.number());
            assertThat(rule.sentence()).endsWith(".");
        }
        assertThat(numbers).isSorted().doesNotHaveDuplicates();
    }

    // ---- all combinations that a view can give rise to

    private static void everyCombination(Consumer<Facts> use) {
        for (Coordination coordination : Coordination.values()) {
            boolean unborn = coordination != Coordination.KNOWN && coordination != Coordination.AWAY;
            for (Standing standing : Standing.values()) {
                if (unborn != (standing == Standing.UNKNOWN) && coordination != Coordination.AWAY) {
                    continue;
                }
                for (Data data : Data.values()) {
                    for (Postgres postgres : Postgres.values()) {
                        for (boolean stopping : new boolean[] {false, true}) {
                            switch (standing) {
                                case ACTIVE -> actives(coordination, data, postgres, stopping, use);
                                case PRIMARY -> primaries(coordination, data, postgres, stopping, use);
                                case UNKNOWN, HALTED, REMOVED, STRANGER, TAKEN ->
                                    others(coordination, standing, data, postgres, stopping, use);
                            }
                        }
                    }
                }
            }
        }
    }

    private static void others(
            Coordination coordination,
            Standing standing,
            Data data,
            Postgres postgres,
            boolean stopping,
            Consumer<Facts> use) {
        EnumSet<PendingSave> notes = switch (standing) {
            case HALTED -> EnumSet.of(PendingSave.UP_TO_DATE, PendingSave.HALT, PendingSave.HALT_UNREPORTED);
            case REMOVED -> EnumSet.of(PendingSave.UP_TO_DATE, PendingSave.REMOVAL);
            case UNKNOWN, PRIMARY, ACTIVE, STRANGER, TAKEN -> EnumSet.of(PendingSave.UP_TO_DATE);
        };
        for (BallotRole ballotRole : BallotRole.values()) {
            for (PendingSave pendingSave : notes) {
                for (Stream stream : Stream.values()) {
                    for (TaskStep taskStep : TaskStep.values()) {
                        if (taskStep != TaskStep.NONE && coordination != Coordination.KNOWN) {
                            continue;
                        }
                        use.accept(new Facts(
                                coordination,
                                standing,
                                data,
                                postgres,
                                ballotRole,
                                pendingSave,
                                stream,
                                Wal.UNKNOWN,
                                FailureSuspicion.NONE,
                                PromotionStage.NOT_MINE,
                                WriteAvailability.FINE,
                                Move.NONE,
                                SwitchoverStage.NONE,
                                PrimaryFault.NONE,
                                taskStep,
                                false,
                                false,
                                DoorDuty.values()[ballotRole.ordinal() % DoorDuty.values().length],
                                stopping));
                    }
                }
            }
        }
    }

    private static void actives(
            Coordination coordination, Data data, Postgres postgres, boolean stopping, Consumer<Facts> use) {
        for (BallotRole ballotRole : BallotRole.values()) {
            for (PendingSave pendingSave : EnumSet.of(
                    PendingSave.UP_TO_DATE, PendingSave.MEMBERSHIP, PendingSave.OUTCOME, PendingSave.ABDICATION)) {
                for (Stream stream : Stream.values()) {
                    for (Wal wal : Wal.values()) {
                        for (FailureSuspicion failureSuspicion : FailureSuspicion.values()) {
                            for (TaskStep taskStep : TaskStep.values()) {
                                if (taskStep != TaskStep.NONE && coordination != Coordination.KNOWN) {
                                    continue;
                                }
                                for (DoorDuty door : DoorDuty.values()) {
                                    for (boolean slots : new boolean[] {false, true}) {
                                        use.accept(new Facts(
                                                coordination,
                                                Standing.ACTIVE,
                                                data,
                                                postgres,
                                                ballotRole,
                                                pendingSave,
                                                stream,
                                                wal,
                                                failureSuspicion,
                                                PromotionStage.NOT_MINE,
                                                WriteAvailability.FINE,
                                                Move.NONE,
                                                SwitchoverStage.NONE,
                                                PrimaryFault.NONE,
                                                taskStep,
                                                (door == DoorDuty.NONE) == slots,
                                                slots,
                                                door,
                                                stopping));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static void primaries(
            Coordination coordination, Data data, Postgres postgres, boolean stopping, Consumer<Facts> use) {
        for (PromotionStage promotionStage : EnumSet.complementOf(EnumSet.of(PromotionStage.NOT_MINE))) {
            boolean runs = postgres == Postgres.PRIMARY;
            boolean needsIt = promotionStage == PromotionStage.PROMOTED
                    || promotionStage == PromotionStage.CLASH
                    || promotionStage == PromotionStage.UNLAWFUL;
            if (needsIt && !runs || runs && !needsIt && promotionStage != PromotionStage.DONE) {
                continue;
            }
            boolean reigns = runs && promotionStage == PromotionStage.DONE;
            for (BallotRole ballotRole : EnumSet.of(
                    BallotRole.STEADY,
                    BallotRole.UNSEALED,
                    BallotRole.OBJECTING,
                    BallotRole.VOTED,
                    BallotRole.LOST,
                    BallotRole.HANDOVER,
                    BallotRole.UNRECORDED)) {
                boolean recorded = promotionStage == PromotionStage.DONE || promotionStage == PromotionStage.UNLAWFUL;
                if (!recorded && ballotRole != BallotRole.UNRECORDED
                        || promotionStage == PromotionStage.DONE && ballotRole == BallotRole.UNRECORDED) {
                    continue;
                }
                for (PendingSave pendingSave : EnumSet.of(
                        PendingSave.UP_TO_DATE,
                        PendingSave.MEMBERSHIP,
                        PendingSave.OUTCOME,
                        PendingSave.MARK,
                        PendingSave.REIGN)) {
                    for (SwitchoverStage switchoverStage : SwitchoverStage.values()) {
                        boolean wanted = switchoverStage != SwitchoverStage.NONE && !switchoverStage.hasBegun();
                        boolean possible = switchoverStage.hasBegun() == (ballotRole == BallotRole.HANDOVER)
                                && (!wanted
                                        || reigns
                                                && ballotRole == BallotRole.STEADY
                                                && coordination == Coordination.KNOWN)
                                && (switchoverStage != SwitchoverStage.STOPPING || postgres != Postgres.STOPPED);
                        if (!possible) {
                            continue;
                        }
                        for (PrimaryFault primaryFault : PrimaryFault.values()) {
                            boolean fits = primaryFault == PrimaryFault.NONE
                                    || (primaryFault == PrimaryFault.CRASHED) == (postgres == Postgres.STOPPED);
                            if (!fits || primaryFault != PrimaryFault.NONE && coordination != Coordination.KNOWN) {
                                continue;
                            }
                            for (TaskStep taskStep : TaskStep.values()) {
                                if (taskStep != TaskStep.NONE && coordination != Coordination.KNOWN) {
                                    continue;
                                }
                                for (WriteAvailability writeAvailability : reigns
                                        ? EnumSet.allOf(WriteAvailability.class)
                                        : EnumSet.of(WriteAvailability.FINE)) {
                                    for (Move move : reigns
                                                    && ballotRole == BallotRole.STEADY
                                                    && coordination == Coordination.KNOWN
                                            ? EnumSet.allOf(Move.class)
                                            : EnumSet.of(Move.NONE)) {
                                        for (DoorDuty door : DoorDuty.values()) {
                                            for (boolean slots : new boolean[] {false, true}) {
                                                use.accept(new Facts(
                                                        coordination,
                                                        Standing.PRIMARY,
                                                        data,
                                                        postgres,
                                                        ballotRole,
                                                        pendingSave,
                                                        Stream.DETACHED,
                                                        Wal.UNKNOWN,
                                                        FailureSuspicion.NONE,
                                                        promotionStage,
                                                        writeAvailability,
                                                        move,
                                                        switchoverStage,
                                                        primaryFault,
                                                        taskStep,
                                                        (door == DoorDuty.NONE) == slots,
                                                        slots,
                                                        door,
                                                        stopping));
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
