package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView.Data;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.sim.SimEnsemble.Tree;
import org.jspecify.annotations.Nullable;

/**
 * The protocol's invariants, checked where something happens that could break them. Time-bound ones are looked at every
 * quarter of a virtual second.
 */
final class Invariants {
    private static final long WATCH = 250 * World.MILLI;
    /** How much longer than its deadline a ballot may stay, while somebody is there to end it, who may have read of it late. */
    private static final long SLACK = 6 * World.SECOND;
    /** How long a halted cell's PostgreSQL may take to go. */
    private static final long STOP_PATIENCE = 3 * World.SECOND;

    private record Acknowledged(long commit, long epoch, long lsn) {}

    /** The data with which a reign was opened to clients. */
    private record Opened(long epoch, SimCell cell, BitSet commits) {}

    private final World world;
    private final List<Acknowledged> promised = new ArrayList<>();
    private final TreeMap<Long, Opened> opened = new TreeMap<>();
    private final TreeMap<Long, String> acknowledger = new TreeMap<>();
    private final TreeMap<Long, Integer> timelines = new TreeMap<>();
    private final TreeMap<Integer, Long> epochOfTimeline = new TreeMap<>();
    private final TreeSet<String> usedIncarnations = new TreeSet<>();
    private final Map<SimCell, Long> haltedSince = new java.util.LinkedHashMap<>();
    private final Map<SimCell, Long> canActSince = new java.util.LinkedHashMap<>();
    private final Map<SimCell, Long> wellSince = new java.util.LinkedHashMap<>();
    private final Map<SimCell, Long> killedWhileReplaceable = new java.util.LinkedHashMap<>();
    private long lossAcceptedAt;
    private long ballotSince = -1;
    private long nextWatch;
    private long lastPromise = -1;

    Invariants(World world) {
        this.world = world;
    }

    /** Commits of earlier epochs than this are not promised to reigns from this one on: an operator accepted their loss. */
    long lossAcceptedAt() {
        return lossAcceptedAt;
    }

    long promises() {
        return promised.size();
    }

    /** When the last commit was acknowledged to anybody; -1 for never. */
    long lastPromise() {
        return lastPromise;
    }

    void afterEvent() {
        if (world.now() >= nextWatch) {
            nextWatch = world.now() + WATCH;
            watch();
        }
    }

    private void broken(String invariant, String headline, @Nullable Throwable cause) {
        if (!world.weather.lossesOnly) {
            throw world.violation(invariant, headline, cause);
        }
    }

    // ---- I1, I2: no acknowledged commit is lost, one acknowledger per epoch

    void acknowledged(SimCell cell, Commit commit) {
        long epoch = epochOf(cell);
        lastPromise = world.now();
        if (!world.weather.judged) {
            return;
        }
        Acknowledged promise = new Acknowledged(commit.id, epoch, commit.lsn);
        promised.add(promise);
        world.statistics.count("commits acknowledged");
        world.log.mix(commit.id);
        String who = cell.label() + "/" + cell.wipes();
        String before = acknowledger.putIfAbsent(epoch, who);
        if (before != null && !before.equals(who)) {
            throw world.violation("I2", "epoch " + epoch + " is acknowledged by " + before + " and by " + who, null);
        }
        stillCovered(promise);
        for (Opened later : opened.tailMap(epoch, false).values()) {
            if (!exempt(epoch, later.epoch) && !later.commits.get((int) commit.id)) {
                throw world.violation(
                        "I2",
                        "%s acknowledges commit %d in epoch %d, but %s opened epoch %d without it"
                                .formatted(cell.name(), commit.id, epoch, later.cell.name(), later.epoch),
                        null);
            }
        }
    }

    /** The history of its new timeline would begin with one that its WAL never got to. */
    void contradictoryHistory(SimCell cell) {
        broken("S5", cell.name() + " promotes with the history of a timeline that began after its WAL ends", null);
    }

    /** It would write on the timeline of the reign before. */
    void startedInsidePromotion(SimCell cell) {
        broken("I3", cell.name() + " starts a PostgreSQL as primary, inside of whose promotion it was cut off", null);
    }

    /** A primary takes clients, after a start or a promotion. */
    void opened(SimCell cell) {
        long epoch = epochOf(cell);
        world.note(cell.label(), "opens as primary of epoch", epoch, null);
        world.moment(cell, "opened");
        if (!world.weather.judged) {
            return;
        }
        BitSet commits = cell.postgres().commits();
        Opened before = opened.get(epoch);
        if (before != null && before.cell != cell) {
            throw world.violation(
                    "I2", "epoch " + epoch + " is opened by " + before.cell.name() + " and by " + cell.name(), null);
        }
        opened.put(epoch, new Opened(epoch, cell, commits));
        Long other = epochOfTimeline.get(cell.postgres().timeline());
        ClusterState state = world.ensemble.state();
        // A reign that was never put on record was never followed: only the cell itself holds WAL of it, and that one
        // is halted. One that opens after its successor was elected never will be on record.
        boolean followed = other != null && state != null && state.reigns().containsKey(other);
        boolean late = state != null && state.epoch() > epoch && !state.reigns().containsKey(epoch);
        if (!followed || !late) {
            epochOfTimeline.put(cell.postgres().timeline(), epoch);
        }
        // With this one, PostgreSQL does so: it is asked whether such a reign is put on record.
        boolean expected = world.mutation() == Mutation.TIMELINE_CLASH_OPENED;
        if (followed && !late && other != epoch && !expected) {
            broken(
                    "I3",
                    "epochs %d and %d are both on timeline %d"
                            .formatted(other, epoch, cell.postgres().timeline()),
                    null);
        }
        for (Acknowledged one : promised) {
            if (one.epoch <= epoch && !exempt(one.epoch, epoch) && !commits.get((int) one.commit)) {
                throw world.violation(
                        "I1",
                        "%s opens epoch %d without commit %d, acknowledged in epoch %d"
                                .formatted(cell.name(), epoch, one.commit, one.epoch),
                        null);
            }
        }
    }

    /** At the end: the primary of the newest epoch holds all that was ever promised. */
    void holdsAllPromises(SimCell cell) {
        long epoch = epochOf(cell);
        BitSet commits = cell.postgres().commits();
        for (Acknowledged one : promised) {
            if (!exempt(one.epoch, epoch) && !commits.get((int) one.commit)) {
                throw world.violation(
                        "I1",
                        "at the end %s does not hold commit %d, acknowledged in epoch %d"
                                .formatted(cell.name(), one.commit, one.epoch),
                        null);
            }
        }
    }

    private boolean exempt(long epoch, long laterEpoch) {
        return epoch < lossAcceptedAt && laterEpoch >= lossAcceptedAt;
    }

    /** The reign that a running primary believes in: what it has durably noted, else what its commit rule names. */
    private long epochOf(SimCell cell) {
        LocalState state = cell.stateFile();
        if (state != null && state.primaryEpoch() > 0) {
            return state.primaryEpoch();
        }
        for (StreamName name : cell.postgres().postmasterSettings().sync().names()) {
            return name.epoch();
        }
        VersionedState seen = state == null ? null : state.seen();
        return seen == null ? 0 : seen.state().epoch();
    }

    // ---- section 4: what PostgreSQL accepts, and what the seal quorums of the shared state cover

    /** The commit rule of some process came into force, or the shared state changed. */
    void commitRule(SimCell cell) {
        ClusterState state = world.ensemble.state();
        if (state == null || !world.weather.judged) {
            return;
        }
        SimCell primary = world.find(state.primary().name());
        if (primary == null || !state.primary().equals(primary.id()) || epochOf(primary) != state.epoch()) {
            return;
        }
        String wrong = CommitRule.tooWide(state, primary.postgres());
        if (wrong != null) {
            broken("S4", "%s, but the voters are %s and k is %d".formatted(wrong, state.voters(), state.acks()), null);
        }
    }

    private void stillCovered(Acknowledged promise) {
        ClusterState state = world.ensemble.state();
        if (state == null || promise.epoch > state.epoch() || exempt(promise.epoch, state.epoch())) {
            return;
        }
        if (promise.epoch == state.epoch() && !CommitRule.covered(world, state, promise.commit, promise.lsn)) {
            broken(
                    "S4",
                    "commit %d of epoch %d is acknowledged, but %d voters of %s could elect without it"
                            .formatted(promise.commit, promise.epoch, CommitRule.sealQuorum(state), state.voters()),
                    null);
        }
    }

    private void winnerHoldsAll(ClusterState state) {
        SimCell winner = world.find(state.primary().name());
        if (winner == null || promised.isEmpty() || !state.primary().equals(winner.id())) {
            return;
        }
        BitSet commits = winner.postgres().commits();
        for (Acknowledged one : promised) {
            if (!exempt(one.epoch, state.epoch()) && !commits.get((int) one.commit)) {
                throw world.violation(
                        "I1",
                        "%s is elected for epoch %d without commit %d, acknowledged in epoch %d"
                                .formatted(winner.name(), state.epoch(), one.commit, one.epoch),
                        null);
            }
        }
    }

    /** A standby is let in by a running primary. One that still bears the name of another epoch counts for nothing. */
    void connecting(SimCell standby, StreamName name, SimCell primary) {
        if (world.weather.judged
                && name.epoch() == epochOf(primary)
                && !standby.postgres().isPrefixOf(primary.postgres())) {
            broken(
                    "S5",
                    "%s streams from %s, but its WAL is no prefix of that primary's"
                            .formatted(standby.name(), primary.name()),
                    null);
        }
    }

    /** A standby takes what comes for the WAL of this cell. */
    void followed(SimCell standby, CellId asked, SimCell upstream) {
        if (world.weather.judged && !asked.equals(upstream.id())) {
            broken("S5", "%s takes the WAL of %s for that of %s".formatted(standby.name(), upstream.id(), asked), null);
        }
    }

    /** A vote says: durably sealed, and nothing comes any more. */
    void voting(SimCell cell, Vote vote) {
        LocalState state = cell.stateFile();
        if (!world.weather.judged || vote.veto() != null) {
            return;
        }
        if (state == null || state.sealedBallot() != vote.ballot()) {
            broken("I5", cell.name() + " votes without being durably sealed for ballot " + vote.ballot(), null);
        }
        if (cell.postgres().receiver() != null && !state.cloning()) {
            broken("I5", cell.name() + " votes in ballot " + vote.ballot() + " while it receives WAL", null);
        }
    }

    // ---- I3: the shared state and what is acted upon

    void stateChanged(SimCell author, Tree beforeTree, Tree afterTree) {
        VersionedState after = afterTree.state();
        VersionedState before = beforeTree.state();
        if (after == null || !world.weather.judged) {
            return;
        }
        Transitions.Verdict verdict = Transitions.judge(author.name(), beforeTree, after.state());
        world.note(
                author.label(),
                "state " + after.version() + ": " + verdict.what(),
                after.state().epoch(),
                null);
        world.statistics.count("state: " + verdict.what());
        if (verdict.wrong() != null) {
            broken(
                    verdict.invariant(),
                    "%s: %s%n  before %s%n  after  %s".formatted(verdict.what(), verdict.wrong(), before, after),
                    null);
        }
        if (verdict.lossAccepted()) {
            lossAcceptedAt = Math.max(lossAcceptedAt, after.state().epoch());
        }
        after.state().reigns().forEach((epoch, reign) -> {
            Integer known = timelines.putIfAbsent(epoch, reign.timeline());
            if (known != null && known != reign.timeline()) {
                broken("I3", "epoch " + epoch + " has timelines " + known + " and " + reign.timeline(), null);
            }
        });
        commitRule(author);
        ClusterState now = after.state();
        if (!promised.isEmpty()
                && (before == null
                        || !before.state().voters().equals(now.voters())
                        || before.state().acks() != now.acks())) {
            stillCovered(promised.getLast());
        }
        if (before != null && before.state().epoch() != now.epoch()) {
            winnerHoldsAll(now);
        }
        world.moment(author, verdict.what());
        boolean open = after.state().phase() instanceof Phase.Sealing;
        if (!open) {
            ballotSince = -1;
        } else if (before == null
                || !before.state().phase().equals(after.state().phase())) {
            ballotSince = world.now();
        }
    }

    void acting(SimCell cell, int version, ClusterState next) {
        if (!world.weather.judged) {
            return;
        }
        if (next.phase() instanceof Phase.Handover handover && handover.token() != null) {
            LocalState.HandoverMark mark =
                    cell.stateFile() == null ? null : cell.stateFile().handoverMark();
            if (mark == null
                    || mark.ballot() != handover.ballot()
                    || !mark.end().equals(handover.token())) {
                broken("S8", cell.name() + " publishes a token without having marked it", null);
            }
        }
        LocalState state = cell.stateFile();
        VersionedState seen = state == null ? null : state.seen();
        if (seen == null || seen.version() < version) {
            broken(
                    "I3",
                    "%s writes on top of version %d, but durably knows only %s"
                            .formatted(cell.name(), version, seen == null ? "nothing" : seen.version()),
                    null);
        }
    }

    void saved(SimCell cell, @Nullable LocalState before, LocalState after) {
        VersionedState seenBefore = before == null ? null : before.seen();
        VersionedState seenAfter = after.seen();
        if (seenBefore != null && (seenAfter == null || seenAfter.version() < seenBefore.version())) {
            broken(
                    "I3",
                    cell.name() + " goes back in time, from version " + seenBefore.version() + " to " + seenAfter,
                    null);
        }
        if (before != null && before.incarnation().equals(after.incarnation())) {
            if (after.walEpoch() < before.walEpoch() && after.walEpoch() != 0) {
                broken("I3", cell.name() + "'s WAL epoch goes back", null);
            }
            if (before.haltReason() != null && after.haltReason() == null && !after.removed()) {
                broken("I4", cell.name() + " forgets that it is halted", null);
            }
        }
        if (before != null
                && after.cloning()
                && !before.cloning()
                && !before.incarnation().equals(after.incarnation())) {
            throwsItsDataAway(cell, before);
        }
        boolean newborn = before == null || !before.incarnation().equals(after.incarnation());
        if (newborn && !usedIncarnations.add(cell.label() + "." + after.incarnation())) {
            broken("I3", cell.name() + " is born again as the " + after.incarnation() + " that it was before", null);
        }
        if (before == null || before.sealedBallot() != after.sealedBallot()) {
            world.note(cell.label(), "sealed ballot is now", after.sealedBallot(), null);
            world.moment(cell, "sealed");
        }
        if (readThatItIsHalted(cell)) {
            haltedSince.putIfAbsent(cell, world.now());
        } else {
            haltedSince.remove(cell);
        }
    }

    /** A cell that is not halted clones anew: its WAL is no prefix of the primary's, or the primary lacks what comes next. */
    private void throwsItsDataAway(SimCell cell, LocalState before) {
        ClusterState known = before.seen() == null ? null : before.seen().state();
        SimCell primary = known == null ? null : world.find(known.primary().name());
        if (primary == null
                || !known.primary().equals(primary.id())
                || epochOf(primary) != known.epoch()
                || before.haltReason() != null) {
            return;
        }
        SimPostgres mine = cell.postgres();
        Reign reign = known.reign();
        // What it got of a reign that it did not follow, or of a record of which a winner had less, is not on record.
        Reign followed = known.reigns().get(before.walEpoch());
        boolean onRecord = reign != null
                && followed != null
                && mine.timeline() <= followed.timeline()
                && mine.timeline() < reign.timeline();
        for (Reign later = reign; onRecord && later.timeline() > mine.timeline(); ) {
            onRecord = later.sealedLsn().value() >= mine.flushed()
                    && later.startLsn().value() >= mine.replayed()
                    && later.parent() > 0;
            later = known.reigns().get(later.parent());
            onRecord &= later != null;
        }
        boolean fits = mine.isPrefixOf(primary.postgres())
                && mine.flushed() >= primary.postgres().oldestWal();
        if (fits && onRecord && primary.postgres().data() == Data.PRESENT) {
            broken("S5", cell.name() + " throws away data that are a prefix of the primary's", null);
        }
    }

    void wiped(SimCell cell) {
        haltedSince.remove(cell);
    }

    void following(SimCell cell, Upstream upstream) {
        ClusterState known = known(cell);
        if (known != null && upstream.epoch() < known.epoch()) {
            broken(
                    "I3",
                    "%s points at %s of epoch %d, but knows of epoch %d"
                            .formatted(cell.name(), upstream.primary(), upstream.epoch(), known.epoch()),
                    null);
        }
    }

    void promoting(SimCell cell) {
        if (!world.weather.judged) {
            return;
        }
        ClusterState known = known(cell);
        CellId self = cell.id();
        if (known == null || !known.primary().equals(self)) {
            broken("I3", cell.name() + " promotes without being the primary that it knows of", null);
        }
    }

    void starting(SimCell cell, boolean asStandby) {
        if (readThatItIsHalted(cell)) {
            broken("I4", cell.name() + " starts PostgreSQL although it knows that it is halted", null);
        }
        LocalState state = cell.stateFile();
        if (state == null) {
            return;
        }
        if (state.cloning()) {
            broken("I3", cell.name() + " starts PostgreSQL on data that were being replaced", null);
        }
        ClusterState known = known(cell);
        if (!asStandby && known != null && !known.primary().equals(cell.id())) {
            broken("I3", cell.name() + " starts as a primary, but knows that it is none", null);
        }
        if (!asStandby) {
            startingAsPrimary(cell, state);
        }
    }

    private void startingAsPrimary(SimCell cell, LocalState state) {
        AgentProcess agent = cell.agent();
        VersionedState seen = state.seen();
        int truth = agent == null ? -1 : agent.coordination().truthAtItsStart();
        if (seen != null && seen.version() < truth) {
            broken(
                    "S1",
                    "%s starts as a primary by version %d, but its session began at version %d"
                            .formatted(cell.name(), seen.version(), truth),
                    null);
        }
        Long killed = killedWhileReplaceable.get(cell);
        long patience = world.setup.timing().restartPatience().toMillis() * World.MILLI * 9 / 10;
        ClusterState now = world.ensemble.state();
        boolean reigns = now != null
                && now.isSteady()
                && now.failoverMode() == FailoverMode.AUTOMATIC
                && now.primary().equals(cell.id());
        if (killed != null && reigns && world.now() - killed < patience && othersCanReplace(cell)) {
            broken("S5", cell.name() + " starts its crashed PostgreSQL while others can replace it", null);
        }
    }

    /** A primary's PostgreSQL is about to be killed under its agent. */
    void databaseKilled(SimCell cell) {
        killedWhileReplaceable.remove(cell);
        AgentProcess agent = cell.agent();
        boolean reigned = cell.postgres().isPrimary() && isWellFor(cell, 3 * World.SECOND);
        ClusterState state = world.ensemble.state();
        // What is being stopped for a handover does not crash.
        boolean steady = state != null && state.isSteady();
        if (reigned && steady && agent != null && agent.running() && othersCanReplace(cell)) {
            killedWhileReplaceable.put(cell, world.now());
        }
    }

    private boolean othersCanReplace(SimCell primary) {
        return world.cells().stream()
                        .allMatch(cell -> cell == primary
                                || (isWellFor(cell, 3 * World.SECOND)
                                        && cell.postgres().isStandby()
                                        && isVoter(cell)))
                && world.cells().stream().anyMatch(cell -> cell != primary && mayReign(cell));
    }

    private boolean mayReign(SimCell cell) {
        ClusterState now = world.ensemble.state();
        Member member = now == null ? null : now.members().get(cell.name());
        return member != null && member.priority() > 0;
    }

    private boolean isVoter(SimCell cell) {
        ClusterState now = world.ensemble.state();
        return now != null && now.voters().contains(cell.id());
    }

    private boolean isWellFor(SimCell cell, long micros) {
        Long since = wellSince.get(cell);
        return since != null && world.now() - since >= micros && isWell(cell);
    }

    private boolean isWell(SimCell cell) {
        AgentProcess agent = cell.agent();
        return canAct(cell)
                && agent != null
                && !agent.paused()
                && !cell.disk().troubled()
                && cell.postgres().answers()
                && world.cells().stream().allMatch(other -> other == cell || world.network.whole(cell, other));
    }

    private static @Nullable ClusterState known(SimCell cell) {
        LocalState state = cell.stateFile();
        VersionedState seen = state == null ? null : state.seen();
        return seen == null ? null : seen.state();
    }

    // ---- I4: a halted cell

    private static boolean readThatItIsHalted(SimCell cell) {
        LocalState state = cell.stateFile();
        if (state == null || state.removed()) {
            return false;
        }
        ClusterState known = known(cell);
        return state.haltReason() != null || (known != null && known.halted().containsKey(cell.name()));
    }

    // ---- I5: a sealed cell

    void receiving(SimCell cell, WalStream stream) {
        LocalState state = cell.stateFile();
        if (state == null || state.sealedBallot() == 0) {
            return;
        }
        LocalState upstream = stream.sender.cell().stateFile();
        boolean cascade = upstream != null && upstream.sealedBallot() == state.sealedBallot();
        if (!cascade) {
            broken(
                    "I5",
                    "%s receives WAL from %s although it is sealed for ballot %d"
                            .formatted(cell.name(), stream.sender.cell().name(), state.sealedBallot()),
                    null);
        }
    }

    // ---- what time must not break: I4, I8

    private void watch() {
        for (SimCell cell : world.cells()) {
            if (isWell(cell)) {
                wellSince.putIfAbsent(cell, world.now());
            } else {
                wellSince.remove(cell);
            }
            boolean acts = canAct(cell);
            if (!acts) {
                canActSince.remove(cell);
            } else {
                canActSince.putIfAbsent(cell, world.now());
            }
            Long since = haltedSince.get(cell);
            if (since != null && !cell.postgres().isStopped()) {
                Long able = agentSince(cell);
                long from = able == null ? world.now() : Math.max(since, able);
                if (world.now() - from > STOP_PATIENCE) {
                    broken("I4", cell.name() + " is halted, knows it, and still runs PostgreSQL", null);
                }
            }
            DoorState door = cell.doorState();
            if (world.weather.doorsWatched && door.held() && acts) {
                long from = Math.max(door.deadline(), canActSince.get(cell));
                if (world.now() - from > World.SECOND) {
                    broken("I8", "the door of " + cell.name() + " is held past its deadline", null);
                }
            }
        }
        ballotMustEnd();
    }

    private void ballotMustEnd() {
        if (ballotSince < 0) {
            return;
        }
        long deadline = ballotSince + world.setup.timing().ballot().toMillis() * World.MILLI;
        ClusterState state = world.ensemble.state();
        for (SimCell cell : world.cells()) {
            Long since = canActSince.get(cell);
            CellId id = cell.id();
            if (since == null || state == null || id == null || !state.isActive(id)) {
                continue;
            }
            if (world.now() - Math.max(deadline, since) > SLACK) {
                broken("I8", "ballot stays open past its deadline, though " + cell.name() + " could end it", null);
            }
        }
    }

    private final Map<SimCell, Long> agentUp = new java.util.LinkedHashMap<>();

    private @Nullable Long agentSince(SimCell cell) {
        if (!cell.agentRuns() || cell.diskHung() || cell.postgres().paused()) {
            agentUp.remove(cell);
            return null;
        }
        agentUp.putIfAbsent(cell, world.now());
        return agentUp.get(cell);
    }

    private boolean canAct(SimCell cell) {
        AgentProcess agent = cell.agent();
        return agent != null
                && agent.running()
                && !agent.stopping()
                && !cell.diskHung()
                && !cell.diskFull()
                && !cell.disk().troubled()
                && agent.coordination().current();
    }
}
