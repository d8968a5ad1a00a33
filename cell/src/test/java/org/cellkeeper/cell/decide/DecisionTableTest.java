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
import org.cellkeeper.cell.decide.Facts.Access;
import org.cellkeeper.cell.decide.Facts.Call;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Handing;
import org.cellkeeper.cell.decide.Facts.Move;
import org.cellkeeper.cell.decide.Facts.Note;
import org.cellkeeper.cell.decide.Facts.Opening;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.Referee;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Facts.Trouble;
import org.cellkeeper.cell.decide.Facts.Turn;
import org.cellkeeper.cell.decide.Facts.Wal;
import org.cellkeeper.cell.decide.Facts.Wish;
import org.cellkeeper.cell.model.Incarnation;
import org.junit.jupiter.api.Test;

/** The policy as a whole: every combination of facts is looked at. */
class DecisionTableTest {
    private static final EnumSet<Turn> BALLOT =
            EnumSet.of(Turn.UNSEALED, Turn.OBJECTING, Turn.SEALED, Turn.OVERDUE, Turn.VOTED, Turn.DECIDED, Turn.LOST);

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
        boolean known = f.referee() == Referee.KNOWN;
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
                                                : f.note() == Note.MARK || f.turn() == Turn.HANDOVER
                                                        ? "a handover's mark is in force (T2)"
                                                        : BALLOT.contains(f.turn()) ? "a ballot is open" : null;
            case START_STANDBY ->
                f.standing() != Standing.ACTIVE && f.standing() != Standing.PRIMARY
                        ? "it is no active member (I4)"
                        : f.data() != Data.OWN ? "the data are not its own" : !stopped ? "it is not stopped" : null;
            case PROMOTE ->
                f.standing() != Standing.PRIMARY || !known || !runsStandby
                        ? "it has not won"
                        : f.opening() != Opening.NAMED ? "the commit rule is not in force" : null;
            case PROMOTE_AT_REST ->
                f.standing() != Standing.PRIMARY || !known || f.opening() == Opening.DONE
                        ? "it has not won"
                        : !stopped
                                ? "PostgreSQL is not stopped"
                                : f.data() != Data.OWN ? "the data are not its own" : null;
            case READ_END -> !BALLOT.contains(f.turn()) && f.stream() != Stream.CLOSED ? "nobody asks for it" : null;
            case FOLLOW ->
                f.standing() != Standing.ACTIVE
                        ? "it is no active standby"
                        : f.stream() != Stream.DETACHED
                                ? "it may still receive (T10)"
                                : f.wal() != Wal.PREFIX
                                        ? "its WAL is not known to be a prefix (T7)"
                                        : BALLOT.contains(f.turn()) || f.turn() == Turn.UNRECORDED
                                                ? "there is no reign to follow (I5)"
                                                : null;
            case PUBLISH_VOTE ->
                f.turn() == Turn.OBJECTING
                        ? null
                        : f.stream() != Stream.DETACHED || !(runsStandby || stopped)
                                ? "it may still receive (I5)"
                                : null;
            case CAS -> !known ? "ZooKeeper has not confirmed the state (I3)" : null;
            case CREATE_STATE, INIT_DB ->
                f.referee() != Referee.UNBORN_AND_LOCKED ? "it does not hold the birth lock" : null;
            case TAKE_BIRTH_LOCK ->
                f.referee() != Referee.UNBORN_AND_MINE_TO_ASK ? "it may not found the cluster" : null;
            case APPLY_SYNC, TERMINATE_OLD_SENDERS, SET_READ_ONLY ->
                f.standing() != Standing.PRIMARY ? "only a primary has a commit rule" : null;
            case CLONE ->
                f.standing() != Standing.ACTIVE || !stopped
                        ? "it is no stopped standby"
                        : f.data() == Data.OWN || f.data() == Data.FOREIGN ? "there are data" : null;
            case WIPE ->
                !stopped
                        ? "PostgreSQL runs on the data"
                        : f.standing() == Standing.REMOVED && f.wish() == Wish.DEPLOY
                                ? null
                                : f.data() == Data.OWN || f.data() == Data.FOREIGN ? "nobody asked for it" : null;
            case CHECKPOINT -> f.handing() != Handing.CHECKPOINT_DUE ? "no handover is wanted" : null;
            case HOLD_DOOR -> f.handing() != Handing.WANTED ? "no handover is wanted, or not yet" : null;
            case STOP_IMMEDIATE, STOP_FAST ->
                f.standing() == Standing.PRIMARY
                                && f.handing() == Handing.NONE
                                && !f.stopping()
                                && f.opening() == Opening.DONE
                                && f.trouble() == Trouble.NONE
                                && f.access() != Access.LACKING_STOP
                                && f.data() == Data.OWN
                        ? "nothing speaks against this primary"
                        : null;
            case UNFOLLOW ->
                f.standing() == Standing.ACTIVE && f.turn() == Turn.STEADY && f.stream() == Stream.LIVE
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
        for (Referee referee : Referee.values()) {
            boolean unborn = referee != Referee.KNOWN && referee != Referee.AWAY;
            for (Standing standing : Standing.values()) {
                if (unborn != (standing == Standing.UNKNOWN) && referee != Referee.AWAY) {
                    continue;
                }
                for (Data data : Data.values()) {
                    for (Postgres postgres : Postgres.values()) {
                        for (boolean stopping : new boolean[] {false, true}) {
                            switch (standing) {
                                case ACTIVE -> actives(referee, data, postgres, stopping, use);
                                case PRIMARY -> primaries(referee, data, postgres, stopping, use);
                                case UNKNOWN, HALTED, REMOVED, STRANGER, TAKEN ->
                                    others(referee, standing, data, postgres, stopping, use);
                            }
                        }
                    }
                }
            }
        }
    }

    private static void others(
            Referee referee, Standing standing, Data data, Postgres postgres, boolean stopping, Consumer<Facts> use) {
        EnumSet<Note> notes = switch (standing) {
            case HALTED -> EnumSet.of(Note.UP_TO_DATE, Note.HALT, Note.HALT_UNREPORTED);
            case REMOVED -> EnumSet.of(Note.UP_TO_DATE, Note.REMOVAL);
            case UNKNOWN, PRIMARY, ACTIVE, STRANGER, TAKEN -> EnumSet.of(Note.UP_TO_DATE);
        };
        for (Turn turn : Turn.values()) {
            for (Note note : notes) {
                for (Stream stream : Stream.values()) {
                    for (Wish wish : Wish.values()) {
                        if (wish != Wish.NONE && referee != Referee.KNOWN) {
                            continue;
                        }
                        use.accept(new Facts(
                                referee,
                                standing,
                                data,
                                postgres,
                                turn,
                                note,
                                stream,
                                Wal.UNKNOWN,
                                Call.NONE,
                                Opening.NOT_MINE,
                                Access.FINE,
                                Move.NONE,
                                Handing.NONE,
                                Trouble.NONE,
                                wish,
                                false,
                                false,
                                turn == Turn.STEADY,
                                stopping));
                    }
                }
            }
        }
    }

    private static void actives(Referee referee, Data data, Postgres postgres, boolean stopping, Consumer<Facts> use) {
        for (Turn turn : Turn.values()) {
            for (Note note : EnumSet.of(Note.UP_TO_DATE, Note.MEMBERSHIP, Note.OUTCOME, Note.ABDICATION)) {
                for (Stream stream : Stream.values()) {
                    for (Wal wal : Wal.values()) {
                        for (Call call : Call.values()) {
                            for (Wish wish : Wish.values()) {
                                if (wish != Wish.NONE && referee != Referee.KNOWN) {
                                    continue;
                                }
                                for (boolean door : new boolean[] {false, true}) {
                                    for (boolean slots : new boolean[] {false, true}) {
                                        use.accept(new Facts(
                                                referee,
                                                Standing.ACTIVE,
                                                data,
                                                postgres,
                                                turn,
                                                note,
                                                stream,
                                                wal,
                                                call,
                                                Opening.NOT_MINE,
                                                Access.FINE,
                                                Move.NONE,
                                                Handing.NONE,
                                                Trouble.NONE,
                                                wish,
                                                door != slots,
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
            Referee referee, Data data, Postgres postgres, boolean stopping, Consumer<Facts> use) {
        for (Opening opening : EnumSet.complementOf(EnumSet.of(Opening.NOT_MINE))) {
            boolean runs = postgres == Postgres.PRIMARY;
            boolean needsIt = opening == Opening.PROMOTED || opening == Opening.CLASH || opening == Opening.UNLAWFUL;
            if (needsIt && !runs || runs && !needsIt && opening != Opening.DONE) {
                continue;
            }
            boolean reigns = runs && opening == Opening.DONE;
            for (Turn turn : EnumSet.of(
                    Turn.STEADY,
                    Turn.UNSEALED,
                    Turn.OBJECTING,
                    Turn.VOTED,
                    Turn.LOST,
                    Turn.HANDOVER,
                    Turn.UNRECORDED)) {
                boolean recorded = opening == Opening.DONE || opening == Opening.UNLAWFUL;
                if (!recorded && turn != Turn.UNRECORDED || opening == Opening.DONE && turn == Turn.UNRECORDED) {
                    continue;
                }
                for (Note note : EnumSet.of(Note.UP_TO_DATE, Note.MEMBERSHIP, Note.OUTCOME, Note.MARK, Note.REIGN)) {
                    for (Handing handing : Handing.values()) {
                        boolean wanted = handing != Handing.NONE && !handing.hasBegun();
                        boolean possible = handing.hasBegun() == (turn == Turn.HANDOVER)
                                && (!wanted || reigns && turn == Turn.STEADY && referee == Referee.KNOWN)
                                && (handing != Handing.STOPPING || postgres != Postgres.STOPPED);
                        if (!possible) {
                            continue;
                        }
                        for (Trouble trouble : Trouble.values()) {
                            boolean fits = trouble == Trouble.NONE
                                    || (trouble == Trouble.CRASHED) == (postgres == Postgres.STOPPED);
                            if (!fits || trouble != Trouble.NONE && referee != Referee.KNOWN) {
                                continue;
                            }
                            for (Wish wish : Wish.values()) {
                                if (wish != Wish.NONE && referee != Referee.KNOWN) {
                                    continue;
                                }
                                for (Access access : reigns ? EnumSet.allOf(Access.class) : EnumSet.of(Access.FINE)) {
                                    for (Move move : reigns && turn == Turn.STEADY && referee == Referee.KNOWN
                                            ? EnumSet.allOf(Move.class)
                                            : EnumSet.of(Move.NONE)) {
                                        for (boolean door : new boolean[] {false, true}) {
                                            for (boolean slots : new boolean[] {false, true}) {
                                                use.accept(new Facts(
                                                        referee,
                                                        Standing.PRIMARY,
                                                        data,
                                                        postgres,
                                                        turn,
                                                        note,
                                                        Stream.DETACHED,
                                                        Wal.UNKNOWN,
                                                        Call.NONE,
                                                        opening,
                                                        access,
                                                        move,
                                                        handing,
                                                        trouble,
                                                        wish,
                                                        door != slots,
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
