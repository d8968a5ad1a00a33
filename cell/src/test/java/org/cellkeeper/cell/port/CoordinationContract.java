package org.cellkeeper.cell.port;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every adapter keeps to, the real one and the fake. Each test has a cluster of its own that is not born yet. */
public abstract class CoordinationContract {
    protected static final CellId ONE = CellId.parse("cell-1.0000000a");
    protected static final CellId TWO = CellId.parse("cell-2.0000000b");
    protected static final CellId THREE = CellId.parse("cell-3.0000000c");
    protected static final CellId TWO_REBORN = CellId.parse("cell-2.000000bb");
    protected static final Address ADDRESS = new Address("127.0.0.1", 5432, 5480, 5481);
    protected static final Instant NOON = Instant.parse("2026-01-01T12:00:00Z");
    public static final ClusterState BORN = ClusterState.born(
            ONE, new Member(ONE.incarnation(), ADDRESS, 100, "rack-1"), "7300000000000000001", FailoverMode.AUTOMATIC);

    private static final long PATIENCE_MILLIS = 20_000;

    private CoordinationBench bench;

    /** What is seen while nothing is known. */
    protected abstract CoordinationBench newBench() throws Exception;

    @BeforeEach
    final void setUpBench() throws Exception {
        bench = newBench();
    }

    @AfterEach
    final void closeBench() throws Exception {
        bench.close();
    }

    protected final CoordinationBench bench() {
        return bench;
    }

    protected final CoordinationWatcher client() throws InterruptedException {
        CoordinationWatcher client = new CoordinationWatcher(bench.client());
        client.awaits("synced", CoordinationView::synced);
        return client;
    }

    protected static Outcome outcome(CompletableFuture<Outcome> write) throws Exception {
        return write.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    }

    protected static Vote vote(long ballot, CellId voter) {
        return new Vote(ballot, voter, null, 1, 1, Lsn.parse("0/3000060"), 100);
    }

    protected static Task task(String id, Task.Status status) {
        return new Task(
                id, Task.Operation.PROMOTE, TWO.name(), ONE.name(), false, status, NOON, null, 0, 0, "asked for");
    }

    // ---- the shared state

    @Test
    void beforeTheFirstSyncedReadNothingIsSaidOfTheState() throws Exception {
        CoordinationWatcher client = client();

        assertThat(client.all()).anySatisfy(view -> assertThat(view.synced()).isTrue());
        assertThat(client.all())
                .filteredOn(view -> !view.synced())
                .allSatisfy(view -> assertThat(view.stateAbsent()).isFalse());
        assertThat(client.last().stateAbsent()).isTrue();
        assertThat(client.last().connected()).isTrue();
        assertThat(client.last().state()).isNull();
    }

    @Test
    void theStateIsMadeOnceAndEverybodyIsTold() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();

        assertThat(outcome(one.coordination.create(BORN))).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(two.coordination.create(BORN.withMode(FailoverMode.MANUAL))))
                .isEqualTo(Outcome.CONFLICT);

        for (CoordinationWatcher client : List.of(one, two)) {
            assertThat(client.awaitsState(state -> true).state()).isEqualTo(BORN);
            assertThat(client.last().stateAbsent()).isFalse();
        }
    }

    @Test
    void ofTwoThatNameTheSameVersionOneWins() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.create(BORN));
        int version = two.awaitsState(state -> true).version();

        CompletableFuture<Outcome> first = one.coordination.compareAndSet(version, BORN.withMode(FailoverMode.MANUAL));
        CompletableFuture<Outcome> second =
                two.coordination.compareAndSet(version, BORN.propose(TWO, Phase.Kind.AUTOMATIC, NOON));

        assertThat(List.of(outcome(first), outcome(second)))
                .containsExactlyInAnyOrder(Outcome.APPLIED, Outcome.CONFLICT);
    }

    @Test
    void aStaleVersionIsAConflictAndChangesNothing() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        int version = one.awaitsState(state -> true).version();
        outcome(one.coordination.compareAndSet(version, BORN.withMode(FailoverMode.MANUAL)));

        assertThat(outcome(one.coordination.compareAndSet(version, BORN))).isEqualTo(Outcome.CONFLICT);

        assertThat(client().awaitsState(state -> true).state().failoverMode()).isEqualTo(FailoverMode.MANUAL);
    }

    @Test
    void thereIsNothingToChangeBeforeTheStateIsMade() throws Exception {
        assertThat(outcome(client().coordination.compareAndSet(0, BORN))).isEqualTo(Outcome.CONFLICT);
    }

    @Test
    void versionsOnlyGrowAndTheOtherSeesTheLastOne() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.create(BORN));
        int version = one.awaitsState(state -> true).version();
        ClusterState state = BORN;

        for (int i = 0; i < 20; i++) {
            state = state.propose(TWO, Phase.Kind.AUTOMATIC, NOON).steadyAgain();
            assertThat(outcome(one.coordination.compareAndSet(version, state))).isEqualTo(Outcome.APPLIED);
            ClusterState written = state;
            int next = one.awaitsState(seen -> seen.equals(written)).version();
            assertThat(next).isGreaterThan(version);
            version = next;
        }

        long lastBallot = state.lastBallot();
        two.awaitsState(seen -> seen.lastBallot() == lastBallot);
        assertThat(two.all().stream()
                        .map(CoordinationView::state)
                        .filter(Objects::nonNull)
                        .map(VersionedState::version))
                .isSorted();
    }

    @Test
    void whoHasWrittenTheStateHasSeenItWhenTheAnswerComes() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        int version = one.awaitsState(state -> true).version();
        ClusterState next = BORN.withMode(FailoverMode.MANUAL);

        CoordinationView atAnswer = one.coordination
                .compareAndSet(version, next)
                .thenApply(outcome -> one.last())
                .get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);

        assertThat(Objects.requireNonNull(atAnswer.state()).state()).isEqualTo(next);
    }

    @Test
    void aLargeStateTravelsWhole() throws Exception {
        ClusterState large = BORN;
        for (int i = 0; i < 300; i++) {
            CellId cell = new CellId(new CellName("cell-" + (i + 10)), Incarnation.of(i));
            large = large.withMember(
                    cell.name(), new Member(cell.incarnation(), ADDRESS, i, "a rather long name of a fault domain"));
        }
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();

        assertThat(outcome(one.coordination.create(large))).isEqualTo(Outcome.APPLIED);

        assertThat(two.awaitsState(state -> true).state()).isEqualTo(large);
    }

    // ---- votes

    @Test
    void theVotesOfTheOpenBallotAreSeenByEverybody() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        openBallot(one);

        assertThat(outcome(one.coordination.publishVote(vote(2, ONE)))).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(two.coordination.publishVote(vote(2, TWO)))).isEqualTo(Outcome.APPLIED);

        for (CoordinationWatcher client : List.of(one, two, client())) {
            CoordinationView view = client.awaits("two votes", v -> v.votes().size() == 2);
            assertThat(view.votesOf()).isEqualTo(2);
            assertThat(view.votes()).containsEntry(ONE.name(), vote(2, ONE)).containsEntry(TWO.name(), vote(2, TWO));
        }
    }

    @Test
    void aBallotWithoutVotesIsReadAsSuch() throws Exception {
        CoordinationWatcher one = client();
        openBallot(one);

        assertThat(one.awaits("ballot 2", view -> view.votesOf() == 2).votes()).isEmpty();
    }

    @Test
    void aVoteReplacesTheEarlierOneOfTheSameCell() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        openBallot(one);
        Vote veto = new Vote(2, TWO, "I stream from a healthy primary", 1, 1, Lsn.ZERO, 100);

        outcome(two.coordination.publishVote(veto));
        one.awaits("veto", view -> veto.equals(view.votes().get(TWO.name())));
        outcome(two.coordination.publishVote(vote(2, TWO)));

        one.awaits("vote", view -> vote(2, TWO).equals(view.votes().get(TWO.name())));
    }

    @Test
    void votesOfOtherBallotsAreNotShown() throws Exception {
        CoordinationWatcher one = client();
        openBallot(one);

        outcome(one.coordination.publishVote(vote(1, THREE)));
        outcome(one.coordination.publishVote(vote(2, TWO)));

        one.awaits("the vote of ballot 2", view -> view.votes().containsKey(TWO.name()));
        assertThat(one.all())
                .allSatisfy(view -> assertThat(view.votes().values())
                        .allSatisfy(vote -> assertThat(vote.ballot()).isEqualTo(view.votesOf())));
        assertThat(one.last().votes()).doesNotContainKey(THREE.name());
    }

    @Test
    void theWinnerSeesTheVotesThatElectedItUntilItsReignIsRecorded() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        VersionedState open = openBallot(one);
        outcome(two.coordination.publishVote(vote(2, TWO)));
        ClusterState elected = open.state().elect(TWO, 2, new TreeMap<>());

        assertThat(outcome(one.coordination.compareAndSet(open.version(), elected)))
                .isEqualTo(Outcome.APPLIED);
        CoordinationView view = two.awaits(
                "elected with its votes",
                v -> v.state() != null
                        && v.state().state().epoch() == 2
                        && v.votesOf() == 2
                        && !v.votes().isEmpty());
        assertThat(view.votes()).containsOnlyKeys(TWO.name());
        CoordinationWatcher late = client();
        assertThat(late.awaits("votes", v -> v.votesOf() == 2).votes()).containsOnlyKeys(TWO.name());

        ClusterState recorded = elected.recordReign(new Reign(TWO, 2, Lsn.ZERO, Lsn.ZERO, 1));
        outcome(two.coordination.compareAndSet(
                Objects.requireNonNull(view.state()).version(), recorded));

        assertThat(one.awaits("no ballot", v -> v.votesOf() == 0).votes()).isEmpty();
    }

    @Test
    void votesAreDeletedUpToABallot() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.publishVote(vote(1, THREE)));
        openBallot(one);
        outcome(two.coordination.publishVote(vote(2, TWO)));
        outcome(two.coordination.publishVote(vote(3, TWO)));
        one.awaits("the vote", view -> !view.votes().isEmpty());

        assertThat(outcome(two.coordination.deleteVotes(2))).isEqualTo(Outcome.APPLIED);

        one.awaits("no vote", view -> view.votesOf() == 2 && view.votes().isEmpty());
        VersionedState open = one.awaitsState(state -> true);
        outcome(one.coordination.compareAndSet(
                open.version(), open.state().steadyAgain().propose(TWO, Phase.Kind.AUTOMATIC, NOON)));
        one.awaits(
                "the vote of ballot 3",
                view -> view.votesOf() == 3 && !view.votes().isEmpty());
        assertThat(outcome(two.coordination.deleteVotes(2))).isEqualTo(Outcome.APPLIED);
    }

    private VersionedState openBallot(CoordinationWatcher client) throws Exception {
        outcome(client.coordination.create(BORN));
        VersionedState born = client.awaitsState(state -> true);
        outcome(client.coordination.compareAndSet(born.version(), BORN.propose(TWO, Phase.Kind.AUTOMATIC, NOON)));
        return client.awaitsState(state -> state.phase() instanceof Phase.Sealing);
    }

    // ---- presence, leader, birth

    @Test
    void presenceIsSeenByEverybodyAndGoesWithTheSession() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        Presence presence = new Presence(TWO, ADDRESS, "STARTING");

        assertThat(outcome(two.coordination.publishPresence(presence))).isEqualTo(Outcome.APPLIED);
        one.awaits("present", view -> presence.equals(view.present().get(TWO.name())));
        two.awaits("present", view -> presence.equals(view.present().get(TWO.name())));

        bench.end(two.coordination);
        one.awaits("gone", view -> view.present().isEmpty());
    }

    @Test
    void presenceIsReplacedByTheSameSession() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        Presence streaming = new Presence(TWO, ADDRESS, "STREAMING");

        outcome(two.coordination.publishPresence(new Presence(TWO, ADDRESS, "STARTING")));
        assertThat(outcome(two.coordination.publishPresence(streaming))).isEqualTo(Outcome.APPLIED);

        one.awaits("streaming", view -> streaming.equals(view.present().get(TWO.name())));
    }

    @Test
    void theSameIncarnationTakesItsPresenceOverFromItsOldSession() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher old = client();
        CoordinationWatcher restarted = client();
        Presence after = new Presence(TWO, ADDRESS, "STREAMING");
        outcome(old.coordination.publishPresence(new Presence(TWO, ADDRESS, "STARTING")));

        assertThat(outcome(restarted.coordination.publishPresence(after))).isEqualTo(Outcome.APPLIED);

        one.awaits("the restarted one", view -> after.equals(view.present().get(TWO.name())));
    }

    @Test
    void anotherIncarnationWaitsUntilTheNameIsFree() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher first = client();
        CoordinationWatcher second = client();
        Presence standing = new Presence(TWO, ADDRESS, "STREAMING");
        Presence waiting = new Presence(TWO_REBORN, ADDRESS, "STARTING");
        outcome(first.coordination.publishPresence(standing));

        assertThat(outcome(second.coordination.publishPresence(waiting))).isEqualTo(Outcome.CONFLICT);
        assertThat(one.awaits("present", view -> !view.present().isEmpty()).present())
                .containsEntry(TWO.name(), standing);

        bench.end(first.coordination);
        one.awaits("the other", view -> waiting.equals(view.present().get(TWO.name())));
    }

    @Test
    void thereIsOneLeaderAndANewerReignReplacesIt() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();

        assertThat(outcome(one.coordination.announceLeader(ONE, 1))).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(one.coordination.announceLeader(ONE, 1))).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(two.coordination.announceLeader(TWO, 1))).isEqualTo(Outcome.CONFLICT);
        assertThat(outcome(two.coordination.announceLeader(TWO, 2))).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(one.coordination.resignLeader())).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(client().coordination.announceLeader(THREE, 1))).isEqualTo(Outcome.CONFLICT);
    }

    @Test
    void aLeaderThatResignsMakesRoom() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.announceLeader(ONE, 2));

        assertThat(outcome(one.coordination.resignLeader())).isEqualTo(Outcome.APPLIED);

        assertThat(outcome(two.coordination.announceLeader(TWO, 1))).isEqualTo(Outcome.APPLIED);
    }

    @Test
    void oneCellAtATimeHoldsTheBirthLock() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();

        assertThat(outcome(one.coordination.takeBirthLock())).isEqualTo(Outcome.APPLIED);
        assertThat(outcome(two.coordination.takeBirthLock())).isEqualTo(Outcome.CONFLICT);
        one.awaits("the lock", CoordinationView::birthLock);
        assertThat(two.all()).noneMatch(CoordinationView::birthLock);

        bench.end(one.coordination);
        for (int tries = 0; tries < 100 && !two.last().birthLock(); tries++) {
            outcome(two.coordination.takeBirthLock());
        }
        two.awaits("the lock", CoordinationView::birthLock);
    }

    // ---- tasks and history

    @Test
    void tasksAreSeenByEverybodyTheNewestFirst() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();

        assertThat(outcome(one.coordination.putTask(task("a", Task.Status.QUEUED))))
                .isEqualTo(Outcome.APPLIED);
        assertThat(outcome(two.coordination.putTask(task("b", Task.Status.QUEUED))))
                .isEqualTo(Outcome.APPLIED);
        assertThat(outcome(two.coordination.putTask(task("a", Task.Status.RUNNING))))
                .isEqualTo(Outcome.APPLIED);

        for (CoordinationWatcher client : List.of(one, two, client())) {
            client.awaits(
                    "both tasks",
                    view -> view.tasks()
                            .equals(List.of(task("b", Task.Status.QUEUED), task("a", Task.Status.RUNNING))));
        }
    }

    @Test
    void aTaskThatHasEndedStaysAsItEnded() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.putTask(task("a", Task.Status.RUNNING)));
        assertThat(outcome(one.coordination.putTask(task("a", Task.Status.ERROR))))
                .isEqualTo(Outcome.APPLIED);

        for (Task.Status later : List.of(Task.Status.SUCCESS, Task.Status.RUNNING)) {
            assertThat(outcome(two.coordination.putTask(task("a", later)))).isEqualTo(Outcome.CONFLICT);
        }

        two.awaits("the task", view -> view.tasks().equals(List.of(task("a", Task.Status.ERROR))));
    }

    @Test
    void oldTasksAreDroppedButNeverOpenOnes() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.putTask(task("open", Task.Status.RUNNING)));
        outcome(one.coordination.putTask(task("ended", Task.Status.SUCCESS)));

        for (int i = 0; i < 210; i++) {
            outcome(one.coordination.putTask(task("t-" + i, Task.Status.SUCCESS)));
        }

        CoordinationView view = one.awaits(
                "bounded",
                v -> v.tasks().size() <= 201
                        && !v.tasks().isEmpty()
                        && v.tasks().getFirst().id().equals("t-209"));
        assertThat(view.tasks()).extracting(Task::id).contains("open", "t-209").doesNotContain("ended", "t-0");
        assertThat(view.tasks()).hasSizeBetween(195, 201);
    }

    @Test
    void historyIsReadNewestFirst() throws Exception {
        CoordinationWatcher one = client();
        assertThat(history(one, 10)).isEmpty();
        List<HistoryEntry> entries = IntStream.range(0, 5)
                .mapToObj(i -> new HistoryEntry(NOON, ONE.name(), 1, i, "sentence " + i, ""))
                .toList();

        for (HistoryEntry entry : entries) {
            assertThat(outcome(one.coordination.appendHistory(entry))).isEqualTo(Outcome.APPLIED);
        }

        assertThat(history(one, 10)).isEqualTo(entries.reversed());
        assertThat(history(client(), 2)).isEqualTo(entries.reversed().subList(0, 2));
    }

    private static List<HistoryEntry> history(CoordinationWatcher client, int limit) throws Exception {
        return client.coordination.history(limit).get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    }

    // ---- cut off

    @Test
    void whoIsCutOffKeepsTheStateAndSendsNothing() throws Exception {
        assumeTrue(bench.canCutOff());
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.create(BORN));
        int version = two.awaitsState(state -> true).version();

        bench.cutOff(two.coordination);
        two.awaits("disconnected", view -> !view.connected());

        assertThat(outcome(two.coordination.compareAndSet(version, BORN.withMode(FailoverMode.MANUAL))))
                .isEqualTo(Outcome.NOT_SENT);
        assertThat(two.last().synced()).isFalse();
        assertThat(Objects.requireNonNull(two.last().state()).state()).isEqualTo(BORN);
    }

    @Test
    void whoReturnsReadsWhatItMissed() throws Exception {
        assumeTrue(bench.canCutOff());
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(one.coordination.create(BORN));
        int version = two.awaitsState(state -> true).version();
        bench.cutOff(two.coordination);
        two.awaits("disconnected", view -> !view.connected());
        outcome(one.coordination.compareAndSet(version, BORN.withMode(FailoverMode.MANUAL)));

        bench.reconnect(two.coordination);

        CoordinationView view = two.awaits("synced", CoordinationView::synced);
        assertThat(Objects.requireNonNull(view.state()).state().failoverMode()).isEqualTo(FailoverMode.MANUAL);
        assertThat(outcome(two.coordination.compareAndSet(view.state().version(), BORN)))
                .isEqualTo(Outcome.APPLIED);
        one.awaitsState(state -> state.equals(BORN));
    }

    @Test
    void whoIsAwayForTooLongIsNotPresentAndIsSoAgainWhenItReturns() throws Exception {
        assumeTrue(bench.canCutOff());
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(two.coordination.publishPresence(new Presence(TWO, ADDRESS, "STREAMING")));
        outcome(two.coordination.takeBirthLock());
        two.awaits("the lock", CoordinationView::birthLock);
        one.awaits("present", view -> !view.present().isEmpty());

        bench.cutOff(two.coordination);
        one.awaits("gone", view -> view.present().isEmpty());
        bench.reconnect(two.coordination);

        one.awaits("present again", view -> !view.present().isEmpty());
        assertThat(two.awaits("synced", CoordinationView::synced).birthLock()).isFalse();
    }

    @Test
    void whatWasPublishedWhileCutOffComesWithTheReconnection() throws Exception {
        assumeTrue(bench.canCutOff());
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(two.coordination.announceLeader(TWO, 5));
        bench.cutOff(two.coordination);
        two.awaits("disconnected", view -> !view.connected());
        Presence presence = new Presence(TWO, ADDRESS, "STREAMING");

        assertThat(outcome(two.coordination.publishPresence(presence))).isEqualTo(Outcome.NOT_SENT);
        assertThat(outcome(two.coordination.resignLeader())).isEqualTo(Outcome.NOT_SENT);
        bench.reconnect(two.coordination);

        one.awaits("present", view -> presence.equals(view.present().get(TWO.name())));
        assertThat(outcome(one.coordination.announceLeader(ONE, 1))).isEqualTo(Outcome.APPLIED);
    }

    @Test
    void whoDistrustsItComesBackInAnotherSession() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(two.coordination.publishPresence(new Presence(TWO, ADDRESS, "STREAMING")));
        outcome(two.coordination.takeBirthLock());
        two.awaits("the lock", CoordinationView::birthLock);

        two.coordination.distrust();

        two.awaits("another session", view -> view.connected() && view.synced() && !view.birthLock());
        one.awaits("present", view -> view.present().containsKey(TWO.name()));
        // The session that was given up is not forgotten at once, but some time.
        Outcome lock = Outcome.UNKNOWN;
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
        while (lock != Outcome.APPLIED && System.nanoTime() < deadline) {
            lock = outcome(one.coordination.takeBirthLock());
        }
        assertThat(lock).isEqualTo(Outcome.APPLIED);
        one.awaits("present again", view -> view.present().containsKey(TWO.name()));
    }

    @Test
    void aRefreshTellsTheListenerEvenWhenNothingChanged() throws Exception {
        CoordinationWatcher one = client();
        CountDownLatch told = new CountDownLatch(2);
        one.coordination.listen(view -> told.countDown());

        one.coordination.refresh();

        assertThat(told.await(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)).isTrue();
    }
}
