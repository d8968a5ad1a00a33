package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.sim.SimNetwork.Kind;

/**
 * The circumstances in which a commit is lost when a rule of the protocol is missing. Each is told twice: with the rules it
 * ends well, in a world that breaks the matching one it ends in a {@link Violation}. All begin with a healthy cluster of which
 * cell a is the primary.
 */
final class Stories {
    private Stories() {}

    // ---- the traces of the protocol's section 11

    /** T1: c enters PostgreSQL's names before it votes; it alone acknowledges, and b alone elects. Three cells. */
    static void namesWiderThanTheVoters(Stage stage) {
        stage.cutWal("a", "c");
        stage.await("c is dropped", () -> !stage.votes("c"));
        stage.slow(Kind.WAL, "a", "b", 60_000);
        stage.mendWal("a", "c");
        stage.await("c is named again", () -> stage.fileNames("a", "c"));
        long commit = stage.write("a");
        stage.await("c has it", () -> stage.cell("c").postgres().holds(commit));
        stage.pass(5);
        stage.kill("a", "c");
        stage.pass(5_000);
        stage.promote("b", false);
        stage.pass(5_000);
        stage.endWell();
    }

    /** T2: the old primary restarts inside a handover, after the token; c is not sealed, and b takes over. Three cells. */
    static void restartInsideAHandover(Stage stage) {
        publishTokenForB(stage);
        stage.cell("b").pauseAgent();
        stage.cutWal("a", "b");
        stage.cell("a").killAgent();
        stage.boot("a");
        stage.pass(1_000);
        long commit = stage.write("a");
        stage.pass(200);
        stage.hasNoAcknowledgement(commit);
        stage.cell("b").resume();
        stage.await("b takes over", () -> stage.state().epoch() == 2);
        stage.endWell();
        assertThat(stage.state().halted()).isEmpty();
    }

    /** T2, with a target that does not answer: the old primary takes the handover back before it starts. Three cells. */
    static void handoverTakenBack(Stage stage) {
        publishTokenForB(stage);
        stage.cell("b").pauseAgent();
        stage.cell("a").killAgent();
        stage.boot("a");
        stage.await("the handover is over", () -> !(stage.state().phase() instanceof Phase.Handover));
        assertThat(stage.cell("a").postgres().isStopped()).isTrue();
        stage.cell("b").resume();
        stage.awaitWritable("a");
        stage.endWell();
        assertThat(stage.state().epoch()).isEqualTo(1);
    }

    private static void publishTokenForB(Stage stage) {
        stage.writeAcknowledgedBy("a", "b", "c");
        stage.ask("a", new Operator.Request.Switchover(new CellName("b"), false));
        stage.await(
                "the token",
                () -> stage.state().phase() instanceof Phase.Handover handover && handover.token() != null);
    }

    /**
     * T3: c was away and is being dropped; the answer of that compare-and-set is lost, c returns, the drop is undone, and
     * then the compare-and-set lands after all. Three cells.
     */
    static void widenedOnAWrongView(Stage stage) {
        stage.cutWal("a", "c");
        stage.await("PostgreSQL does not name c any more", () -> !stage.fileNames("a", "c"));
        SimCoordination client = stage.loseAnswerOf("a", SimCoordination.Fate.LATER, 2_000);
        stage.await("the compare-and-set is sent", client::losesNoAnswer);
        stage.withoutZooKeeper("a", true);
        stage.mendWal("a", "c");
        stage.await("c streams", () -> stage.cell("a").postgres().senders().size() == 2);
        stage.withoutZooKeeper("a", false);
        stage.await("c is named again", () -> stage.fileNames("a", "c"));
        stage.withoutZooKeeper("a", true);
        stage.pass(2_000);
        stage.writeAcknowledgedBy("a", "c");
        stage.kill("a", "c");
        stage.pass(5_000);
        stage.promote("b", false);
        stage.pass(5_000);
        stage.endWell();
    }

    /** T4: b makes timeline 2 and is lost; c has never seen it and is promoted by force. Three cells. */
    static void twoReignsOneTimeline(Stage stage) {
        loseBAndForceC(stage);
        stage.await("c reigns", () -> stage.state().reign() != null);
        Reign reign = Objects.requireNonNull(stage.state().reign());
        assertThat(reign.timeline()).isEqualTo(3);
        assertThat(stage.cell("c").postgres().timeline()).isEqualTo(3);
    }

    static void loseBAndForceC(Stage stage) {
        stage.kill("a");
        stage.await("b is elected", () -> stage.state().epoch() == 2);
        stage.cutWal("b", "c");
        stage.await("timeline 2 is on record", () -> stage.state().reign() != null);
        stage.kill("b");
        stage.pass(5_000);
        stage.promote("c", true);
        stage.await("c is elected", () -> stage.state().epoch() > 2);
    }

    /**
     * T5: c has read that b was elected and restarts before b's reign is on record; its new session reads epoch 1 from a
     * lagging server, and the deposed a is within reach. Three cells.
     */
    static void backInTime(Stage stage) {
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.await("b is elected", () -> stage.state().epoch() == 2);
        stage.await(
                "c has read it",
                () -> stage.knownTo("c").sealedBallot() == 0
                        && stage.seenBy("c").epoch() == 2);
        stage.cutWal("b", "c");
        stage.cell("c").killAgent();
        int writesSinceTheBallot = 12;
        stage.boot("c").coordination().beginsBehind(writesSinceTheBallot);
        stage.await("c has a session", () -> stage.boot("c").coordination().connected());
        stage.withoutZooKeeper("c", true);
        stage.mendWal("a", "c");
        stage.pass(3_000);
        long commit = stage.write("a");
        stage.pass(3_000);
        stage.hasNoAcknowledgement(commit);
        stage.endWell();
    }

    /** T6: c, the only acknowledger of a commit, is wiped; then a is lost. b alone must not be enough. Three cells. */
    static void sameNameNewDisk(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "c");
        stage.withoutZooKeeper("c", true);
        stage.cell("c").wipe();
        stage.boot("c");
        stage.kill("a");
        stage.withoutZooKeeper("c", false);
        stage.pass(10_000);
        stage.promote("b", false);
        stage.pass(10_000);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.boot("a");
        stage.awaitWritable("a");
        assertThat(stage.cell("a").postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** T7, D1: d holds WAL of the deposed a that nobody else has; b was elected without it. Four cells. */
    static void divergedStandby(Stage stage) {
        electBWhileDFollowsA(stage);
        long lost = stage.write("a");
        stage.await("d has it", () -> stage.cell("d").postgres().holds(lost));
        stage.hasNoAcknowledgement(lost);
        var former = stage.id("d");
        stage.kill("a");
        stage.network().healAll();
        // D1: the only standby left is the diverged one, and it must become one that acknowledges.
        stage.kill("c");
        stage.await("d votes again", () -> stage.votes("d"));
        assertThat(stage.id("d")).isNotEqualTo(former);
        assertThat(stage.cell("d").postgres().holds(lost)).isFalse();
        long commit = stage.write("b");
        stage.await("acknowledged by d", () -> stage.isAcknowledged(commit));
        stage.boot("a");
        stage.boot("c");
        stage.endWell();
    }

    /** T7: b takes long to refuse the diverged d, and c hears nothing: does d's flush position acknowledge? Four cells. */
    static void divergedFlushCounts(Stage stage) {
        electBWhileDFollowsA(stage);
        for (int i = 0; i < 20; i++) {
            stage.write("a");
        }
        stage.pass(100);
        stage.kill("a");
        stage.network().healAll();
        commitOnDsWord(stage);
    }

    /** d becomes a voter, acknowledges a commit that c does not hear of, and b is lost: does d have it? */
    private static void commitOnDsWord(Stage stage) {
        stage.cell("b").postgres().refusesIn(5 * World.SECOND);
        stage.await("d votes", () -> stage.votes("d"));
        stage.await("d is named", () -> stage.cell("b").postgres().syncInForce().names(stage.id("d")));
        stage.slow(Kind.WAL, "b", "c", 60_000);
        stage.pass(50);
        long commit = stage.write("b");
        stage.await("acknowledged by d", () -> stage.isAcknowledged(commit));
        stage.kill("b");
        stage.awaitWritable("c", "d");
        stage.endWell();
    }

    /** Parts a and d from b and c, which make b the primary of epoch 2; a and d know nothing of it. Four cells. */
    private static void electBWhileDFollowsA(Stage stage) {
        partFromBAndC(stage, "a", "d");
        stage.await("b reigns", () -> stage.state().epoch() == 2 && stage.isWritable("b"));
    }

    private static void partFromBAndC(Stage stage, String... others) {
        for (String one : others) {
            stage.withoutZooKeeper(one, true);
            stage.part(one, "b");
            stage.part(one, "c");
        }
    }

    /** T8: b alone has a commit that needs two; its stream breaks, the walsender lingers, and b connects again. Five cells. */
    static void twoConnectionsOfOneCell(Stage stage) {
        for (String slow : new String[] {"c", "d", "e"}) {
            stage.slow(Kind.WAL, "a", slow, 60_000);
        }
        stage.pass(50);
        long commit = stage.write("a");
        stage.await("b has it", () -> stage.cell("b").postgres().holds(commit));
        stage.pass(20);
        stage.cell("b").postgres().lingers();
        stage.cell("b").killDatabase();
        stage.await("b streams again", () -> stage.cell("b").postgres().receiver() != null);
        stage.pass(20);
        stage.hasNoAcknowledgement(commit);
        stage.kill("a", "b");
        stage.awaitWritable("c", "d", "e");
        stage.endWell();
    }

    /** T9: c is being dropped; the postmaster has not reloaded yet when c alone acknowledges a commit. Four cells. */
    static void reloadNotInForce(Stage stage) {
        lowerAcksTo1(stage);
        stage.cell("a").postgres().reloadsIn("postmaster", 900 * World.MILLI);
        dropAcknowledgeElect(stage);
    }

    /** The same, but one walsender is late: the one of the dropped cell, which counts until then. Four cells. */
    static void droppedCellCounts(Stage stage) {
        lowerAcksTo1(stage);
        stage.cell("a").postgres().reloadsIn("c", 5 * World.SECOND);
        dropAcknowledgeElect(stage);
    }

    /** With d's vote, k would be 2. */
    private static void lowerAcksTo1(Stage stage) {
        stage.cutWal("a", "d");
        stage.await("k is 1", () -> stage.state().acks() == 1 && !stage.votes("d"));
        stage.mendWal("a", "d");
        stage.kill("d");
        stage.pass(100);
    }

    private static void dropAcknowledgeElect(Stage stage) {
        stage.slow(Kind.WAL, "a", "b", 60_000);
        stage.pass(50);
        stage.remove("c");
        stage.await("the file does not name c", () -> !stage.fileNames("a", "c"));
        stage.cell("c").killAgent();
        stage.pass(100);
        long commit = stage.write("a");
        stage.await("c has it", () -> stage.cell("c").postgres().holds(commit));
        stage.pass(100);
        stage.kill("a", "c");
        stage.pass(6_000);
        stage.promote("b", false);
        stage.pass(5_000);
        stage.endWell();
    }

    /** T10: d learns of b's election and empties its upstream, but goes on receiving from the deposed a. Four cells. */
    static void comparedWhileReceiving(Stage stage) {
        electBWhileDFollowsA(stage);
        stage.cell("d").postgres().reloadsIn("startup", 3 * World.SECOND);
        stage.withoutZooKeeper("d", false);
        stage.await("d's upstream is emptied", () -> {
            var upstream = stage.cell("d").postgres().file().upstream();
            return upstream == null || upstream.epoch() == 2;
        });
        stage.mendWal("b", "d");
        stage.pass(200);
        for (int i = 0; i < 20; i++) {
            stage.write("a");
        }
        stage.pass(100);
        stage.kill("a");
        commitOnDsWord(stage);
    }

    /** T11: k is raised to 2, and b's walsender still goes by the old one. Four cells. */
    static void kRaisedOneWalsenderLate(Stage stage) {
        lowerAcksTo1(stage);
        stage.boot("d");
        stage.await("d votes", () -> stage.votes("d"));
        stage.cell("a").postgres().reloadsIn("b", 5 * World.SECOND);
        stage.await("k is 2", () -> stage.state().acks() == 2);
        stage.slow(Kind.WAL, "a", "c", 60_000);
        stage.slow(Kind.WAL, "a", "d", 60_000);
        long commit = stage.write("a");
        stage.await("b has it", () -> stage.cell("b").postgres().holds(commit));
        stage.pass(20);
        stage.hasNoAcknowledgement(commit);
        stage.kill("a", "b");
        stage.awaitWritable("c", "d");
        stage.endWell();
    }

    /**
     * T12: a drop of c is undone: the wide names are written, and the agent dies before the reload. The next one drops c
     * again; later something makes PostgreSQL reload. Three cells.
     */
    static void fileWiderThanWhatRuns(Stage stage) {
        stage.cutWal("a", "c");
        stage.await("PostgreSQL does not name c any more", () -> !stage.fileNames("a", "c"));
        stage.withoutZooKeeper("a", true);
        stage.mendWal("a", "c");
        stage.pass(1_000);
        stage.withoutZooKeeper("a", false);
        stage.await("the wide names are written", () -> stage.fileNames("a", "c"));
        stage.cell("a").killAgent();
        assertThat(stage.cell("a").postgres().syncInForce().names(stage.id("c")))
                .isFalse();
        stage.boot("a");
        stage.await("a answers", () -> stage.boot("a").coordination().current());
        stage.remove("c");
        stage.cell("c").killAgent();
        stage.await("c is dropped", () -> !stage.votes("c"));
        stage.slow(Kind.WAL, "a", "b", 60_000);
        stage.cell("a").killAgent();
        stage.cell("a").postgres().reload();
        stage.pass(50);
        long commit = stage.write("a");
        stage.await("c has it", () -> stage.cell("c").postgres().holds(commit));
        stage.pass(20);
        stage.kill("a", "c");
        stage.pass(6_000);
        stage.promote("b", false);
        stage.pass(5_000);
        stage.endWell();
    }

    /** D2: a ballot is opened though a is well; the cell that would remain is lost before it is decided. Three cells. */
    static void falseBallot(Stage stage) {
        stage.cutWal("a", "c");
        stage.await("c is dropped", () -> !stage.votes("c"));
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.await("a ballot is open", stage::ballotIsOpen);
        stage.kill("c");
        stage.await("b has voted", () -> stage.hasVoted("b"));
        stage.network().healAll();
        stage.await("the ballot is burnt", () -> !stage.ballotIsOpen());
        assertThat(stage.state().epoch()).isEqualTo(1);
        assertThat(stage.state().halted()).isEmpty();
        stage.awaitWritable("a");
        stage.endWell();
    }

    /**
     * T5, the other half: c has sealed and voted, and restarts; its new session reads the STEADY from before the ballot, and
     * a is within reach. b votes late. Three cells.
     */
    static void outcomeGuessed(Stage stage) {
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.cell("b").hangDisk();
        stage.await("c has voted", () -> stage.hasVoted("c"));
        stage.cell("c").killAgent();
        SimCoordination client = stage.boot("c").coordination();
        int writesSinceTheBallot = 8;
        client.beginsBehind(writesSinceTheBallot);
        stage.await("c has a session", client::connected);
        stage.withoutZooKeeper("c", true);
        stage.mendWal("a", "c");
        stage.pass(1_000);
        long commit = stage.write("a");
        stage.pass(100);
        stage.hasNoAcknowledgement(commit);
        stage.cell("b").healDisk();
        stage.await("b is elected", () -> stage.state().epoch() == 2);
        stage.endWell();
    }

    /** c's agent dies between the writing of its new upstream and the reload. Three cells. */
    static void followWrittenNotReloaded(Stage stage) {
        stage.kill("a");
        stage.await("c's file leads to b", () -> {
            var upstream = stage.cell("c").postgres().file().upstream();
            return upstream != null && upstream.epoch() == 2;
        });
        stage.cell("c").killAgent();
        stage.pass(100);
        stage.boot("c");
        stage.await("c streams", () -> stage.cell("c").postgres().receiver() != null);
        stage.endWell();
    }

    // ---- the state file

    /** c's disk is slow; its agent dies before the seal is durable, and returns without ZooKeeper, to within a's reach. Three cells. */
    static void sealNotDurableYet(Stage stage) {
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.cell("c").disk().slowBy(1_500 * World.MILLI);
        stage.await("a ballot is open", stage::ballotIsOpen);
        stage.world().runUntil(() -> stage.state().epoch() == 2, Duration.ofSeconds(1));
        stage.withoutZooKeeper("c", true);
        stage.cell("c").killAgent();
        stage.cell("c").disk().heal();
        stage.boot("c");
        stage.mendWal("a", "c");
        stage.pass(1_000);
        long commit = stage.write("a");
        stage.await("c has it", () -> stage.cell("c").postgres().holds(commit));
        stage.pass(100);
        stage.endWell();
    }

    /**
     * c's disk is slow. It notes that it follows b in epoch 2, behind a save that fails; others come after it. Then c's agent
     * dies. Five cells.
     */
    static void savedBehindAFailedSave(Stage stage) {
        partFromBAndC(stage, "a", "d");
        stage.part("a", "e");
        stage.cutWal("b", "e");
        SimStateFile disk = stage.cell("c").disk();
        stage.await("b is elected", () -> stage.state().epoch() == 2);
        disk.slowBy(100 * World.MILLI);
        stage.await("b's reign is on record", () -> stage.state().reign() != null);
        changeTheStateUntil(
                stage,
                "c has read it, and its ballot's outcome",
                () -> stage.knownTo("c").sealedBallot() == 0
                        && stage.seenBy("c").epoch() == 2);
        disk.next(state -> state.walEpoch() == 1, SimStateFile.Fate.FAILED);
        changeTheStateUntil(
                stage, "c streams", () -> stage.cell("b").postgres().senders().size() == 1);
        disk.heal();
        long commit = commitOnCsWord(stage);
        electWithoutB(stage, commit, () -> {
            stage.await("c knows of the ballot", () -> stage.seenBy("c").phase() instanceof Phase.Sealing);
            stage.cell("c").killAgent();
        });
    }

    /**
     * c notes that it follows b in epoch 2, and the save fails at its last step; its agent dies, and the next one finds the file.
     * Later the power of c is cut. Five cells.
     */
    static void foundAndNotDurable(Stage stage) {
        partFromBAndC(stage, "a", "d");
        stage.part("a", "e");
        stage.cutWal("b", "e");
        SimStateFile disk = stage.cell("c").disk();
        disk.next(state -> state.walEpoch() == 2, SimStateFile.Fate.FAILED_BUT_THERE);
        stage.await("c's file says that it follows b", disk::scriptIsDone);
        stage.cell("c").killAgent();
        stage.withoutZooKeeper("c", true);
        stage.boot("c");
        long commit = commitOnCsWord(stage);
        electWithoutB(stage, commit, () -> stage.cell("c").kill(true));
    }

    /** All the while there is something new to read, so that one save follows upon the other. */
    private static void changeTheStateUntil(Stage stage, String what, BooleanSupplier condition) {
        for (int i = 0; i < 1_000; i++) {
            if (stage.world().runUntil(condition, Duration.ofMillis(40))) {
                return;
            }
            stage.changeTheState("b", i);
        }
        throw stage.world().violation("STORY", "did not happen: " + what, null);
    }

    /** Of b's commit c alone has heard; d goes on receiving what the deposed a writes. */
    private static long commitOnCsWord(Stage stage) {
        stage.awaitWritable("b");
        long commit = stage.write("b");
        stage.await("acknowledged by c", () -> stage.isAcknowledged(commit));
        for (int i = 0; i < 200; i++) {
            stage.write("a");
        }
        stage.pass(200);
        return commit;
    }

    /** b is lost; in the ballot then c is lost for a moment, and d, which holds more WAL of an older epoch, votes before it. */
    private static void electWithoutB(Stage stage, long commit, Runnable loseC) {
        stage.kill("b");
        boolean opened = stage.world().runUntil(stage::ballotIsOpen, Duration.ofMillis(200));
        if (!opened) {
            stage.promote("e", false);
        }
        stage.await("a ballot is open", stage::ballotIsOpen);
        loseC.run();
        stage.withoutZooKeeper("c", false);
        stage.withoutZooKeeper("d", false);
        stage.await("d has voted", () -> stage.hasVoted("d"));
        stage.boot("c");
        stage.await("another reign", () -> stage.state().epoch() > 2);
        stage.await("it is on record", () -> stage.state().reign() != null);
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    // ---- rules that no trace shows

    /** The primary is lost. Three cells. */
    static void failover(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "b", "c");
        stage.kill("a");
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** A deposed primary returns. Three cells. */
    static void deposedReturns(Stage stage) {
        stage.kill("a");
        stage.awaitWritable("b", "c");
        stage.boot("a");
        stage.pass(10_000);
        assertThat(stage.cell("a").postgres().isStopped()).isTrue();
        stage.kill("a");
        stage.boot("a");
        stage.endWell();
        assertThat(stage.cell("a").postgres().isStopped()).isTrue();
    }

    /** A commit lies on a, d and e; these are lost, but d still seems alive. Two of the three needed seal. Five cells. */
    static void tooFewSeals(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "d", "e");
        stage.cell("d").pause();
        stage.kill("a", "e");
        stage.pass(4_000);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.cell("d").resume();
        stage.awaitWritable("b", "c", "d");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** c votes in a ballot that is burnt, acknowledges a commit later, and cannot vote in the next ballot. Three cells. */
    static void voteOfABurntBallot(Stage stage) {
        stage.cell("b").hangDisk();
        stage.network().isolate(stage.cell("a"));
        stage.await(
                "c has voted",
                () -> stage.world().ensemble.tree().votes().values().stream()
                        .anyMatch(votes -> votes.containsKey(new CellName("c"))));
        stage.network().healAll();
        stage.await("the ballot is burnt", () -> !stage.ballotIsOpen());
        stage.cell("b").healDisk();
        stage.await(
                "both stream again", () -> stage.cell("a").postgres().senders().size() == 2);
        stage.pass(500);
        long commit = stage.writeAcknowledgedBy("a", "c");
        stage.cell("c").pause();
        stage.kill("a");
        stage.pass(4_000);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.cell("c").resume();
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** a is cut off from everything, and its clients are not. Three cells. */
    static void primaryAlone(Stage stage) {
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.awaitWritable("b", "c");
        stage.pass(1_000);
        long commit = stage.write("a");
        stage.pass(5_000);
        stage.hasNoAcknowledgement(commit);
        stage.endWell();
    }

    /** A superuser takes the commit rule away while a is the primary; a while later a is cut off from its standbys. Three cells. */
    static void ruleTakenAway(Stage stage) {
        stage.cell("a").postgres().overrule();
        stage.pass(2_000);
        stage.writeAcknowledgedBy("a", "b", "c");
        stage.cutWal("a", "b");
        stage.cutWal("a", "c");
        stage.write("a");
        stage.pass(100);
        stage.kill("a");
        stage.awaitWritable("b", "c");
        stage.endWell();
    }

    /** c is dropped and still streams when the primary's agent stops answering. Three cells. */
    static void droppedWhileItStreams(Stage stage) {
        stage.remove("c");
        stage.await("c is dropped", () -> !stage.votes("c"));
        stage.cell("a").pauseAgent();
        stage.cell("c").killAgent();
        stage.slow(Kind.WAL, "a", "b", 60_000);
        long commit = stage.write("a");
        stage.await("c has it", () -> stage.cell("c").postgres().holds(commit));
        stage.pass(20);
        stage.hasNoAcknowledgement(commit);
        stage.kill("a", "c");
        stage.pass(6_000);
        stage.promote("b", false);
        stage.pass(5_000);
        stage.endWell();
    }

    /** b, which alone of the living holds a commit, is elected and lost before any other streams from it. Five cells. */
    static void winnerLostBeforeAnybodyStreams(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "b", "d");
        stage.cutWal("b", "c");
        stage.cutWal("b", "e");
        stage.kill("a", "d");
        stage.await(
                "b reigns", () -> stage.state().epoch() == 2 && stage.state().reign() != null);
        stage.pass(500);
        stage.kill("b");
        // Longer than cells wait for a primary from which they have not streamed yet.
        stage.pass(30_000);
        assertThat(stage.state().epoch()).isEqualTo(2);
        stage.boot("b");
        stage.network().healAll();
        stage.awaitWritable("b");
        assertThat(stage.cell("b").postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** A ballot is open, c's upstream is emptied on its disk, and it still receives. Three cells. */
    static void receivingAfterTheVote(Stage stage) {
        stage.cell("c").postgres().reloadsIn("startup", 4 * World.SECOND);
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.await(
                "c's upstream is emptied",
                () -> stage.cell("c").postgres().file().upstream() == null);
        stage.pass(50);
        stage.mendWal("a", "c");
        long commit = stage.write("a");
        stage.await("c has it", () -> stage.cell("c").postgres().holds(commit));
        stage.awaitWritable("b", "c");
        stage.endWell();
    }

    /**
     * b alone has acknowledged a commit, a process of its PostgreSQL crashes, and the primary is lost while b replays its WAL under
     * the same postmaster. Three cells.
     */
    static void restartInPlaceOfTheAcknowledger(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "b");
        stage.pass(1_000);
        stage.cell("b").postgres().replaysIn(3 * World.SECOND);
        stage.cell("b").postgres().backendCrash();
        stage.pass(100);
        stage.kill("a");
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /**
     * b's PostgreSQL lets nobody in, and is read at rest in a ballot; the ballot is burnt, b streams again and alone acknowledges a commit.
     * Then it is read at rest in the next ballot, too. Three cells.
     */
    static void readAtRestTwice(Stage stage) {
        stage.cell("b").postgres().keepClosed(true);
        stage.cell("c").hangDisk();
        stage.network().isolate(stage.cell("a"));
        stage.cell("b").killDatabase();
        stage.await("b has voted", () -> stage.hasVoted("b"));
        stage.network().healAll();
        stage.await("the ballot is burnt", () -> !stage.ballotIsOpen());
        stage.cell("c").healDisk();
        stage.await(
                "both stream again", () -> stage.cell("a").postgres().senders().size() == 2);
        stage.write("a");
        stage.pass(1_000);
        long commit = stage.writeAcknowledgedBy("a", "b");
        stage.cell("b").killDatabase();
        stage.kill("a");
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** b, which comes first by name, lets nobody in; c holds the same WAL. Three cells. */
    static void theFirstOfEqualsLetsNobodyIn(Stage stage) {
        stage.cell("b").killDatabase();
        stage.cell("b").postgres().keepClosed(true);
        stage.pass(3_000);
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        stage.pass(500);
        stage.kill("a");
        stage.within(2_000, "c is writable", () -> stage.isWritable("c"));
        long next = stage.write("c");
        // b was stopped to be read, and is started once, as c's standby.
        stage.within(2_000, "b acknowledges", () -> stage.isAcknowledged(next));
        stage.cell("b").postgres().keepClosed(false);
        stage.endWell();
    }

    /** a is lost, and its address is now that of c, from which b could stream. Three cells. */
    static void anotherCellAtThePrimarysAddress(Stage stage) {
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.pass(1_000);
        stage.world().swapAddresses(stage.cell("a"), stage.cell("c"));
        stage.kill("a");
        stage.pass(3_000);
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.AUTOMATIC, false));
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.world().restoreAddresses();
        stage.endWell();
    }

    // ---- promotions that do not come to their end

    /** The winner's PostgreSQL is killed so many steps after its promotion has begun. Three cells. */
    static void promotionIsCutOff(Stage stage, int steps) {
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        SimPostgres winner = stage.cell("b").postgres();
        winner.promotesSlowly(200 * World.MILLI);
        stage.kill("a");
        stage.await("b leaves recovery", () -> stage.cell("b").postgres().hasLeftRecovery());
        stage.pass(200L * steps + 100);
        stage.cell("b").killDatabase();
        stage.pass(500);
        stage.awaitWritable("b");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** One of its processes crashes inside of the promotion, and PostgreSQL goes on by itself, on the old timeline. Four cells. */
    static void restartInPlaceInsideAPromotion(Stage stage) {
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        stage.cell("b").postgres().promotesSlowly(200 * World.MILLI);
        stage.kill("a");
        stage.await("b leaves recovery", () -> stage.cell("b").postgres().hasLeftRecovery());
        stage.cell("b").postgres().backendCrash();
        stage.awaitWritable("c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        assertThat(stage.state().halted()).containsKey(stage.cell("b").name());
    }

    /** b wins and cannot promote; c holds the same WAL. Four cells. */
    static void winnerCannotPromote(Stage stage) {
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        stage.pass(1_000);
        stage.cell("b").postgres().failPromotions(true);
        stage.kill("a");
        stage.awaitWritable("c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        assertThat(stage.state().halted()).containsKey(stage.cell("b").name());
        stage.cell("b").postgres().failPromotions(false);
        stage.endWell();
    }

    /** b wins, alone holds an acknowledged commit, and cannot promote for some time. Three cells. */
    static void winnerCannotPromoteAndAloneHoldsACommit(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "b");
        stage.cell("b").postgres().failPromotions(true);
        stage.kill("a");
        stage.pass(12_000);
        stage.cell("b").postgres().failPromotions(false);
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** d or e wins, and cannot promote; the other one alone holds the same WAL. Five cells. */
    static void winnerCannotPromoteAndOneOtherHoldsACommit(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "d", "e");
        stage.cell("d").postgres().failPromotions(true);
        stage.cell("e").postgres().failPromotions(true);
        stage.kill("a");
        stage.await("one has won", () -> stage.state().epoch() == 2);
        stage.await("it has given up", () -> stage.state().epoch() > 2);
        stage.cell("d").postgres().failPromotions(false);
        stage.cell("e").postgres().failPromotions(false);
        stage.awaitWritable("b", "c", "d", "e");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    // ---- standbys that let nobody in, or cannot replay

    /** b, which alone has acknowledged a commit, lets nobody in. Three cells. */
    static void acknowledgerIsClosed(Stage stage) {
        restartsClosed(stage, "b");
        long commit = stage.writeAcknowledgedBy("a", "b");
        stage.kill("a");
        stage.awaitWritable("b");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** Neither b nor c lets anybody in. Three cells. */
    static void allStandbysAreClosed(Stage stage) {
        restartsClosed(stage, "b");
        restartsClosed(stage, "c");
        stage.kill("a");
        stage.awaitWritable("b", "c");
        stage.endWell();
    }

    /** At b a reader stands in the way of replay, and another when he is ended. Three cells. */
    static void replayIsBlocked(Stage stage) {
        stage.world().weather.obstinateReaders = 1_000;
        stage.cell("b").postgres().block();
        long commit = stage.writeAcknowledgedBy("a", "b");
        stage.kill("a");
        stage.awaitWritable("b");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    private static void restartsClosed(Stage stage, String name) {
        SimPostgres postgres = stage.cell(name).postgres();
        postgres.keepClosed(true);
        stage.cell(name).killDatabase();
        stage.await(
                name + " streams, and lets nobody in",
                () -> postgres.receiver() != null && !postgres.isRunning() && stage.votes(name));
        stage.pass(500);
    }

    /** c is removed while b lacks what c has acknowledged; then a and c are lost. Three cells. */
    static void droppedBeforeCovered(Stage stage) {
        stage.writeAcknowledgedBy("a", "c");
        stage.remove("c");
        stage.pass(2_000);
        stage.kill("a", "c");
        stage.pass(6_000);
        stage.promote("b", false);
        stage.pass(5_000);
        stage.endWell();
    }

    // ---- refinements, and rules that end a ballot or a promotion

    /** a is deposed; when it returns, its ZooKeeper server shows it the state from before. Three cells. */
    static void deposedReadsTheOldState(Stage stage) {
        long before = stage.world().now();
        stage.kill("a");
        stage.awaitWritable("b", "c");
        stage.pass(1_000);
        SimEnsemble ensemble = stage.world().ensemble;
        stage.boot("a").coordination().beginsBehind(ensemble.newest() - ensemble.asOf(before));
        stage.pass(10_000);
        assertThat(stage.cell("a").postgres().isStopped()).isTrue();
        stage.endWell();
    }

    /**
     * T6, the other half: c votes in a ballot that is burnt, is wiped, votes again under a new incarnation, and alone acknowledges a
     * commit. Then a is lost, and c does not answer. Three cells.
     */
    static void votedBeforeItWasWiped(Stage stage) {
        stage.cell("b").hangDisk();
        stage.network().isolate(stage.cell("a"));
        stage.await("c has voted", () -> stage.hasVoted("c"));
        stage.network().healAll();
        stage.await("the ballot is burnt", () -> !stage.ballotIsOpen());
        stage.cell("b").healDisk();
        stage.await(
                "both stream again", () -> stage.cell("a").postgres().senders().size() == 2);
        var former = stage.id("c");
        stage.cell("c").wipe();
        stage.boot("c");
        stage.await("c votes anew", () -> !stage.state().voters().contains(former) && stage.votes("c"));
        stage.pass(1_000);
        long commit = stage.writeAcknowledgedBy("a", "c");
        stage.cell("c").pause();
        stage.kill("a");
        stage.pass(4_000);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.cell("c").resume();
        stage.awaitWritable("b", "c");
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /** Of a record b and c have the head alone when a is lost: c needs no clone. Three cells. */
    static void theSameTornHead(Stage stage) {
        stage.writeAcknowledgedBy("a", "b", "c");
        stage.pass(1_000);
        stage.cell("b").postgres().tearsNext();
        stage.cell("c").postgres().tearsNext();
        var before = stage.id("c");
        stage.write("a");
        stage.await("both have the head of it", () -> isTorn(stage, "b") && isTorn(stage, "c"));
        stage.network().isolate(stage.cell("a"));
        stage.kill("a");
        stage.awaitWritable("b");
        Reign reign = Objects.requireNonNull(stage.state().reign());
        assertThat(reign.sealedLsn()).isGreaterThan(reign.startLsn());
        stage.await("c streams", () -> stage.cell("b").postgres().senders().size() == 1);
        assertThat(stage.id("c")).isEqualTo(before);
        stage.endWell();
    }

    private static boolean isTorn(Stage stage, String name) {
        SimPostgres postgres = stage.cell(name).postgres();
        return postgres.flushed() > postgres.replayed();
    }

    /** A ballot is open, and waits for c; meanwhile an operator turns the mode to MANUAL. Three cells. */
    static void turnedToManualInABallot(Stage stage) {
        stage.cell("c").hangDisk();
        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.await("a ballot is open", stage::ballotIsOpen);
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.await("MANUAL", () -> stage.state().failoverMode() == FailoverMode.MANUAL);
        stage.cell("c").healDisk();
        stage.await("the ballot is over", () -> !stage.ballotIsOpen());
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    /** b is promoted by hand, through c, whose clock is an hour behind b's. Three cells. */
    static void askedUnderAnotherClock(Stage stage) {
        stage.cell("b").setClock(3_600_000);
        stage.cell("c").setClock(0);
        stage.ask("c", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.await("MANUAL", () -> stage.state().failoverMode() == FailoverMode.MANUAL);
        stage.kill("a");
        stage.pass(1_000);
        stage.ask("c", new Operator.Request.Promote(new CellName("b"), false, false));
        stage.awaitWritable("b");
        stage.endWell();
    }

    /** d and e are lost for good, and long after them a. Five cells. */
    static void lostOneAfterTheOther(Stage stage) {
        stage.cell("d").lose();
        stage.cell("e").lose();
        stage.pass(80_000);
        stage.cell("a").lose();
        stage.awaitWritable("b", "c");
        stage.endWell();
    }

    /** a's PostgreSQL crashes: b or c is there before it would be again. Three cells. */
    static void crashedPrimary(Stage stage) {
        stage.pass(5_000);
        stage.cell("a").killDatabase();
        stage.within(2_500, "another one writable", () -> stage.isWritable("b") || stage.isWritable("c"));
        stage.endWell();
    }

    /** All standbys are wiped. Three cells. */
    static void allStandbysWiped(Stage stage) {
        var former = stage.state().standbyVoters();
        stage.cell("b").wipe();
        stage.cell("c").wipe();
        stage.boot("b");
        stage.boot("c");
        stage.await("all vote anew", () -> {
            var voters = stage.state().voters();
            return voters.size() == 3 && former.stream().noneMatch(voters::contains);
        });
        stage.endWell();
    }

    /** c, of priority 0, alone has acknowledged a commit. Three cells. */
    static void theUnfitHoldsMost(Stage stage) {
        long commit = stage.writeAcknowledgedBy("a", "c");
        stage.kill("a");
        stage.pass(20_000);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.boot("a");
        stage.awaitWritable("a");
        assertThat(stage.cell("a").postgres().holds(commit)).isTrue();
        stage.endWell();
    }

    /**
     * c lacks WAL that d has; c follows b in epoch 2 and has received nothing of it when b is lost, d knows nothing of that epoch. Then an
     * operator promotes c by force: d holds more. Five cells.
     */
    static void followedAndNotHeld(Stage stage) {
        stallAndWrite(stage, "c");
        stallAndWrite(stage, "d");
        stage.slow(Kind.WAL, "b", "c", 60_000);
        stage.withoutZooKeeper("d", true);
        for (String other : new String[] {"a", "b", "c", "e"}) {
            stage.part("d", other);
        }
        stage.kill("a");
        stage.await("b reigns", () -> stage.state().epoch() == 2 && stage.isWritable("b"));
        stage.await("c follows it", () -> stage.knownTo("c").walEpoch() == 2);
        stage.pass(300);
        stage.kill("b", "e");
        for (String other : new String[] {"a", "b", "c", "e"}) {
            stage.network().heal(Kind.LINKS, stage.cell("d"), stage.cell(other));
            stage.network().heal(Kind.LINKS, stage.cell(other), stage.cell("d"));
            stage.mendWal("d", other);
        }
        stage.pass(5_000);
        stage.promote("c", true);
        stage.await("a ballot is open", stage::ballotIsOpen);
        stage.withoutZooKeeper("d", false);
        stage.cell("c").postgres().refusesIn(5 * World.SECOND);
        stage.await(
                "a reign of c or d",
                () -> stage.state().epoch() > 2 && stage.state().reign() != null);
        if (stage.primary() == stage.cell("c")) {
            stage.await("d votes", () -> stage.votes("d"));
            stage.await(
                    "d is named", () -> stage.cell("c").postgres().syncInForce().names(stage.id("d")));
            long commit = stage.write("c");
            stage.await("acknowledged by d", () -> stage.isAcknowledged(commit));
            stage.kill("c");
            stage.pass(5_000);
            stage.promote("d", false);
            stage.pass(5_000);
        }
        stage.endWell();
    }

    private static void stallAndWrite(Stage stage, String slow) {
        stage.slow(Kind.WAL, "a", slow, 60_000);
        stage.pass(50);
        for (int i = 0; i < 20; i++) {
            stage.write("a");
        }
        stage.pass(200);
    }

    /** What c needs next is removed while c is away. Three cells. */
    static void walOfOneIsRemoved(Stage stage) {
        removeWalNeededBy(stage, "c");
        stage.await("c is dropped", () -> !stage.votes("c"));
        stage.await("c votes again", () -> stage.votes("c"));
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    /** What b and c need next is removed while they are away, and nobody may fail over. Three cells. */
    static void walOfAllIsRemoved(Stage stage) {
        stage.ask("a", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.await("MANUAL", () -> stage.state().failoverMode() == FailoverMode.MANUAL);
        removeWalNeededBy(stage, "b", "c");
        stage.await("all are dropped", () -> stage.state().voters().size() == 1);
        stage.await("both vote again", () -> stage.state().voters().size() == 3);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    /** The same, and c is lost for good. Three cells. */
    static void walOfTheLastLivingOneIsRemoved(Stage stage) {
        removeWalNeededBy(stage, "b", "c");
        stage.cell("c").lose();
        stage.await("b votes anew", () -> stage.state().voters().size() == 2 && stage.votes("b"));
        stage.awaitWritable("a");
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    /** Cuts them off, and removes the WAL that they need next; a moment later they could stream again. */
    private static void removeWalNeededBy(Stage stage, String... names) {
        stage.world().weather.walKeep = 0;
        stage.world().weather.slotsKeep = 0x4000;
        for (String name : names) {
            stage.cutWal("a", name);
        }
        SimPostgres primary = stage.cell("a").postgres();
        stage.await("the streams are gone", () -> primary.senders().size() == 2 - names.length);
        primary.writeNoise("bulk load", 0x10000);
        stage.pass(100);
        primary.checkpoint();
        for (String name : names) {
            stage.mendWal("a", name);
        }
    }

    /** The primary is lost, and a standby with it: those who came to c's door wait for a while, and then no more. Three cells. */
    static void nobodyTakesOver(Stage stage) {
        DoorState door = stage.cell("c").doorState();
        stage.cell("b").kill(true);
        stage.pass(100);
        stage.kill("a");
        stage.await("the door holds", door::held);
        stage.await(
                "the door is open for good",
                () -> !door.held() && stage.world().now() - door.changedAt() > 15 * World.SECOND);
        stage.endWell();
    }
}
