package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.WalSender;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What stands in the way of a switchover, what is waited for, and what calls one off: three cells, seen by their primary. */
final class SwitchoverTest {
    private static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
    private static final Lsn END = Lsn.parse("1/50000000");
    private static final CellId A = id("cell-1");
    private static final CellId B = id("cell-2");
    private static final CellId C = id("cell-3");
    private static final int VERSION = 7;
    private static final long RUN = 815;

    private final Map<CellName, PeerLink> peers = new HashMap<>();
    private final List<WalSender> senders = new ArrayList<>();
    private final List<Task> tasks = new ArrayList<>();
    private Map<CellName, Presence> present = Map.of();
    private ClusterState state;
    private long now = 1_000_000;
    private Memory memory = Memory.atStart(now);
    private boolean runs = true;

    SwitchoverTest() {
        TreeMap<CellName, Member> members = new TreeMap<>();
        for (CellId cell : List.of(A, B, C)) {
            members.put(cell.name(), member(cell, 100));
        }
        state = ClusterState.born(A, members.get(A.name()), "7", FailoverMode.AUTOMATIC);
        for (CellId cell : List.of(B, C)) {
            state = state.withMember(cell.name(), members.get(cell.name()));
        }
        state = state.withVoters(Set.of(A, B, C), 1);
        for (CellId cell : List.of(B, C)) {
            says(cell, CellState.STREAMING, PeerView.Health.OK, END);
            senders.add(new WalSender(new StreamName(cell, 1), true, END, 1, false, 4711));
        }
    }

    @BeforeEach
    void theReignIsOld() {
        memory = memory.after(view());
        pass(Duration.ofMinutes(1));
    }

    @Test
    void aVoterThatStreamsMayTakeOver() {
        assertThat(refusal(B)).isNull();
    }

    @Test
    void onesThatAreJustBeingMadeVotersAreWaitedFor() {
        state = state.withVoters(Set.of(A), 0);
        assertThat(refusal(B)).isNull();
        ask(B);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.NONE);
        assertThat(facts().taskStep()).isEqualTo(Facts.TaskStep.NONE);

        state = state.withVoters(Set.of(A, B), 1);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.CHECKPOINT_DUE);
    }

    @Test
    void aCheckpointIsWrittenFirst() {
        ask(B);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.CHECKPOINT_DUE);
        checkpoint(RUN, Since.NOT_SO, false);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.CHECKPOINTING);
        checkpoint(RUN, Since.of(now), false);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.DOORS_DUE);
        pass(Duration.ofSeconds(11));
        assertThat(facts().switchoverStage())
                .as("it was written long ago")
                .isEqualTo(Facts.SwitchoverStage.CHECKPOINT_DUE);
    }

    @Test
    void aCheckpointOfAnotherRunOfPostgresqlIsNone() {
        ask(B);
        checkpoint(RUN + 1, Since.of(now), false);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.CHECKPOINT_DUE);
    }

    @Test
    void aCheckpointThatFailedIsAskedForAgainAfterAMoment() {
        ask(B);
        checkpoint(RUN, Since.of(now), true);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.CHECKPOINTING);
        pass(Duration.ofSeconds(2));
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.CHECKPOINT_DUE);
    }

    @Test
    void aSwitchoverOutlastsItsTimeWhileACheckpointIsWritten() {
        ask(B);
        checkpoint(RUN, Since.NOT_SO, false);
        pass(Duration.ofMinutes(4));
        assertThat(Tasks.settled(view())).isNull();
        checkpoint(RUN, Since.of(now), false);
        assertThat(Tasks.settled(view())).isNull();
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.DOORS_DUE);
        pass(Duration.ofSeconds(11));
        assertThat(Tasks.settled(view())).isNotNull();
    }

    @Test
    void aCheckpointThatIsNeverWrittenEndsTheSwitchoverWithTheReason() {
        ask(B);
        checkpoint(RUN, Since.NOT_SO, false);
        pass(Duration.ofMinutes(5));
        checkpoint(RUN, Since.of(now), true);
        Task ended = Tasks.settled(view());
        assertThat(ended).isNotNull();
        assertThat(ended.message()).contains("cell-1 could not write a checkpoint first");
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.NONE);
    }

    private void checkpoint(long postmaster, Since ended, boolean failed) {
        memory = memory.checkpoint(new Memory.Checkpoint(postmaster, now, ended, failed));
    }

    @Test
    void aTargetThatNeverBecomesAVoterEndsTheTaskWithTheReason() {
        state = state.withVoters(Set.of(A, C), 1);
        ask(B);
        pass(Duration.ofSeconds(16));
        Task ended = Tasks.settled(view());
        assertThat(ended).isNotNull();
        assertThat(ended.status()).isEqualTo(Task.Status.ERROR);
        assertThat(ended.message()).contains("it is no voter");
    }

    @Test
    void shortlyAfterAChangeOneThatIsOnItsWayIsWaitedForButNotLater() {
        for (CellState state : List.of(CellState.CATCHING_UP, CellState.STARTING, CellState.SEALED)) {
            says(B, state, PeerView.Health.STARTING, END);
            assertThat(refusal(B)).as(state.name()).isEqualTo("target-streams");
        }
        memory = Memory.atStart(now);
        for (CellState state : List.of(CellState.CATCHING_UP, CellState.STARTING, CellState.SEALED)) {
            says(B, state, PeerView.Health.STARTING, END);
            assertThat(refusal(B)).as(state.name()).isNull();
        }
        for (CellState state : List.of(CellState.DOWN, CellState.CLONING, CellState.HALTED, CellState.REMOVED)) {
            says(B, state, PeerView.Health.DOWN, END);
            assertThat(refusal(B)).as(state.name()).isEqualTo("target-streams");
        }
    }

    @Test
    void oneThatIsNotHeardOfIsRefused() {
        peers.put(
                B.name(), new PeerLink(PeerLink.Status.GONE, peers.get(B.name()).view(), now));
        assertThat(refusal(B)).isEqualTo("target-streams");
        memory = Memory.atStart(now);
        assertThat(refusal(B)).isEqualTo("target-streams");
    }

    @Test
    void oneThatIsBeingStoppedIsNotHandedOverTo() {
        says(B, CellState.DOWN, PeerView.Health.OK, END);
        ask(B);
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.NONE);
        assertThat(Primaries.bestTarget(view())).isEqualTo(C);

        says(C, CellState.DOWN, PeerView.Health.OK, END);
        assertThat(Primaries.bestTarget(view())).isNull();
    }

    @Test
    void oneThatLagsIsRefused() {
        says(B, CellState.STREAMING, PeerView.Health.OK, new Lsn(END.value() - (17L << 20)));
        assertThat(refusal(B)).isEqualTo("target-caught-up");
        says(B, CellState.STREAMING, PeerView.Health.OK, new Lsn(END.value() - (15L << 20)));
        assertThat(refusal(B)).isNull();
    }

    @Test
    void oneThatIsHaltedOrUnknownOrOfPriorityNothingIsRefused() {
        ClusterState before = state;
        state = before.withHalt(B.name(), new Halt(1, "deposed", NOON, null, null));
        assertThat(refusal(B)).isEqualTo("target-not-halted");
        state = before.withMember(B.name(), member(B, 0));
        assertThat(refusal(B)).isEqualTo("target-priority");
        state = before;
        assertThat(refusal(A)).isEqualTo("target-is-standby");
        assertThat(refusal(id("cell-9"))).isEqualTo("target-is-standby");
    }

    @Test
    void aPrimaryIsToServeButMayLackAcknowledgersForAMoment() {
        senders.clear();
        memory = memory.after(view());
        assertThat(refusal(B)).isNull();
        pass(Duration.ofSeconds(2));
        assertThat(refusal(B)).isEqualTo("primary-serves");
    }

    @Test
    void aHandoverIsTakenBackAtOnceWhenItsTargetIsGone() {
        beginHandover();
        runs = false;
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.UNMARKED);
        peers.put(C.name(), new PeerLink(PeerLink.Status.GONE, null, now));
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.UNMARKED);
        peers.put(B.name(), new PeerLink(PeerLink.Status.UNKNOWN, null, now));
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.UNMARKED);

        peers.put(B.name(), new PeerLink(PeerLink.Status.GONE, null, now));
        assertThat(facts().switchoverStage()).isEqualTo(Facts.SwitchoverStage.DESERTED);
        Plan plan = new CellRules(() -> Incarnation.of(9)).decide(view());
        assertThat(plan.rule().number()).isEqualTo(300);
        assertThat(plan.actions()).singleElement().isInstanceOfSatisfying(Action.Cas.class, cas -> {
            assertThat(cas.version()).isEqualTo(VERSION);
            assertThat(cas.next().isSteady()).isTrue();
            assertThat(cas.next().epoch()).isEqualTo(1);
            assertThat(cas.next().primary()).isEqualTo(A);
        });
    }

    @Test
    void whatWasStoppedForAHandoverHasNotCrashed() {
        memory = memory.after(view());
        ClusterState before = state;
        runs = false;
        memory = memory.after(view());
        assertThat(facts().primaryFault()).isEqualTo(Facts.PrimaryFault.CRASHED);

        runs = true;
        beginHandover();
        runs = false;
        memory = memory.after(view());
        state = before;
        memory = memory.after(view());
        memory = memory.begun(Doors.answer(view()), null, now);
        assertThat(facts().primaryFault()).isEqualTo(Facts.PrimaryFault.NONE);
        assertThat(new CellRules(() -> Incarnation.of(9)).decide(view()).rule().number())
                .isEqualTo(602);
    }

    @Test
    void aTaskThatItsCellDoesNotEndIsEndedByThePrimary() {
        present = Map.of(B.name(), new Presence(B, new Address("b", 5432, 5480, 5481), "STREAMING"));
        tasks.add(task(C, B));
        pass(Duration.ofSeconds(29));
        assertThat(Tasks.settled(view())).isNull();
        pass(Duration.ofSeconds(2));
        Task ended = Tasks.settled(view());
        assertThat(ended).isNotNull();
        assertThat(ended.status()).isEqualTo(Task.Status.ERROR);
    }

    @Test
    void theClockOfTheMachineThatAskedEndsNoTask() {
        for (int skew : new int[] {-3600, 40}) {
            Task asked = task(B, A);
            tasks.clear();
            tasks.add(new Task(
                    "asked with a skew of " + skew,
                    asked.operation(),
                    asked.target(),
                    asked.executor(),
                    false,
                    asked.status(),
                    wall().plusSeconds(skew),
                    null,
                    0,
                    0,
                    ""));
            state = state.withVoters(Set.of(A, C), 1);
            assertThat(Tasks.settled(view())).isNull();
            pass(Duration.ofSeconds(9));
            assertThat(Tasks.settled(view())).isNull();
            pass(Duration.ofSeconds(7));
            assertThat(Tasks.settled(view())).isNotNull();
        }
    }

    @Test
    void aTaskWhoseCellIsGoneIsEndedSoon() {
        tasks.add(task(C, B));
        pass(Duration.ofSeconds(5));
        assertThat(Tasks.settled(view())).isNull();
        pass(Duration.ofSeconds(1));
        Task ended = Tasks.settled(view());
        assertThat(ended).isNotNull();
        assertThat(ended.status()).isEqualTo(Task.Status.ERROR);
        assertThat(ended.message()).startsWith("cell-2 did not carry it out");
    }

    // ---- the world

    private void beginHandover() {
        state = state.startHandover(B, NOON);
        memory = memory.after(view());
    }

    @Test
    void aBackupWhoseCellIsGoneIsEndedByThePrimaryAndItsOwnIsNot() {
        for (Task.Operation operation : Stream.of(Task.Operation.values())
                .filter(Task.Operation::isAboutBackups)
                .toList()) {
            tasks.clear();
            tasks.add(new Task(
                    "id of " + operation,
                    operation,
                    A.name(),
                    A.name(),
                    false,
                    Task.Status.RUNNING,
                    wall(),
                    null,
                    40,
                    0,
                    "",
                    "backup-1"));
            pass(Duration.ofHours(1));
            assertThat(Tasks.settled(view())).as(operation.name()).isNull();
            tasks.clear();
            tasks.add(new Task(
                    "id",
                    operation,
                    B.name(),
                    B.name(),
                    false,
                    Task.Status.RUNNING,
                    wall(),
                    null,
                    40,
                    0,
                    "",
                    "backup-1"));
            assertThat(Tasks.settled(view())).as(operation.name()).isNull();
            pass(Duration.ofSeconds(6));
            Task ended = Tasks.settled(view());
            assertThat(ended).as(operation.name()).isNotNull();
            assertThat(ended.status()).isEqualTo(Task.Status.ERROR);
            assertThat(ended.backup()).isEqualTo("backup-1");
        }
    }

    private void ask(CellId target) {
        tasks.add(task(target, A));
    }

    private Task task(CellId target, CellId executor) {
        return new Task(
                "id",
                Task.Operation.SWITCHOVER,
                target.name(),
                executor.name(),
                false,
                Task.Status.QUEUED,
                wall(),
                null,
                0,
                0,
                "");
    }

    /** Time passes, and all that were heard of are still heard of. */
    private void pass(Duration time) {
        memory = memory.after(view());
        now += time.toMillis();
        peers.replaceAll((name, link) -> new PeerLink(link.status(), link.view(), now));
    }

    private void says(CellId cell, CellState is, PeerView.Health health, Lsn received) {
        PeerView view = new PeerView(
                cell,
                1,
                VERSION,
                is,
                health,
                714,
                "",
                A,
                1,
                received,
                received,
                1,
                0,
                0,
                true,
                "",
                false,
                PeerView.Trouble.NONE,
                null,
                null);
        peers.put(cell.name(), new PeerLink(PeerLink.Status.CONNECTED, view, now));
    }

    /** The code of the first check that does not hold; null when all do. */
    private @Nullable String refusal(CellId target) {
        return Preflight.switchover(view(), target.name()).stream()
                .filter(check -> !check.ok())
                .map(Preflight.Check::code)
                .findFirst()
                .orElse(null);
    }

    private Facts facts() {
        return Facts.of(view());
    }

    private Instant wall() {
        return NOON.plusMillis(now);
    }

    private View view() {
        VersionedState seen = new VersionedState(VERSION, state);
        LocalState local = LocalState.fresh(A.incarnation())
                .withSeen(seen)
                .withJoined()
                .withPrimaryEpoch(1)
                .withWalEpoch(1);
        return new View(
                now,
                wall(),
                new CellSettings(
                        A.name(),
                        address(A),
                        100,
                        "default",
                        null,
                        FailoverMode.AUTOMATIC,
                        CellSettings.IsolationResponse.READ_ONLY,
                        1,
                        CellSettings.Timing.defaults()),
                local,
                false,
                new CoordinationView(true, true, false, seen, 0, Map.of(), present, false, tasks, ""),
                database(),
                peers,
                memory,
                false);
    }

    private DatabaseView database() {
        return new DatabaseView(
                DatabaseView.Data.PRESENT,
                "7",
                new DatabaseView.Control(!runs, 1, END, 1, false),
                false,
                runs
                        ? new DatabaseView.Primary(RUN, 1, Lsn.ZERO, END, senders, 0, Lsn.ZERO)
                        : new DatabaseView.Stopped(null),
                null,
                state.syncSetting(),
                null,
                false,
                new TreeSet<>(),
                DatabaseView.Writes.OK,
                false,
                "");
    }

    private static Member member(CellId cell, int priority) {
        return new Member(cell.incarnation(), address(cell), priority, "default");
    }

    private static Address address(CellId cell) {
        return new Address("127.0.0.1" + cell.name().toString().substring(5), 5432, 5480, 5481);
    }

    private static CellId id(String name) {
        return new CellId(new CellName(name), Incarnation.of(Integer.parseInt(name.substring(5))));
    }
}
