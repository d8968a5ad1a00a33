package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Upstream;

/** How a cluster is founded, and how a cell enters it: with data of its own, or by a clone. */
final class JoiningRules {
    private JoiningRules() {}

    static List<Rule> rules(Supplier<Incarnation> newIncarnation) {
        Chapter chapter = new Chapter(Section.BIRTH);
        chapter.rule(201, "This cell is asked to stop and its PostgreSQL is stopped: done.")
                .when(f ->
                        f.stopping() && f.postgres() == Postgres.STOPPED && f.switchoverStage() == SwitchoverStage.NONE)
                .pace(NORMAL)
                .rest();
        chapter.rule(202, "This cell is asked to stop: stop PostgreSQL.")
                .when(f -> f.stopping()
                        && (f.standing() != Standing.PRIMARY || f.switchoverStage() == SwitchoverStage.NONE))
                .may(Kind.STOP_FAST)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopFast()));
        chapter.rule(
                        203,
                        "The data on this disk belong to another cluster: an operator must remove them, or point the cell elsewhere.")
                .when(f -> f.data() == Data.FOREIGN && f.postgres() == Postgres.STOPPED)
                .pace(NORMAL)
                .rest();
        chapter.rule(204, "The data on this disk belong to another cluster: do not run them.")
                .when(f -> f.data() == Data.FOREIGN)
                .may(Kind.STOP_IMMEDIATE)
                .pace(NORMAL)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        chapter.rule(205, "The data are to be replaced, but PostgreSQL runs on them: stop it.")
                .when(f -> f.data() == Data.BROKEN && f.postgres() != Postgres.STOPPED)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        chapter.rule(211, "There is no cluster yet and this cell has initialised its data: create the cluster.")
                .when(f -> f.coordination() == Coordination.UNBORN_AND_LOCKED && f.data() == Data.FOUNDED)
                .may(Kind.CREATE_STATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(JoiningRules::found);
        chapter.rule(212, "There is no cluster yet and this cell holds the birth lock: initialise the data.")
                .when(f -> f.coordination() == Coordination.UNBORN_AND_LOCKED && f.data() == Data.EMPTY)
                .may(Kind.PERSIST, Kind.INIT_DB)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.Persist("founder", s -> s.withFounder(true)), new Action.InitDb()));
        chapter.rule(213, "An initdb of this cell was cut off: begin it again.")
                .when(f -> f.coordination() == Coordination.UNBORN_AND_LOCKED && f.data() == Data.BROKEN)
                .may(Kind.WIPE, Kind.PERSIST)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.Wipe(), Plans.newLife(newIncarnation.get(), false)));
        chapter.rule(214, "There is no cluster yet: try to be the one that founds it.")
                .when(f -> f.coordination() == Coordination.UNBORN_AND_MINE_TO_ASK
                        && (f.data() == Data.EMPTY || f.data() == Data.FOUNDED || f.data() == Data.BROKEN))
                .may(Kind.TAKE_BIRTH_LOCK)
                .pace(NORMAL)
                .told(NOWHERE)
                .plan(v -> Steps.of("", new Action.TakeBirthLock()));
        chapter.rule(
                        215,
                        "There is no cluster in ZooKeeper, but there are data on this disk: ZooKeeper's data were lost. Restore them; a new"
                                + " cluster is never founded over data.")
                .when(f -> isUnborn(f) && f.data() == Data.OWN)
                .pace(NORMAL)
                .rest();
        chapter.rule(216, "There is no cluster yet: wait for the cell that founds it.")
                .when(JoiningRules::isUnborn)
                .pace(NORMAL)
                .rest();
        chapter.rule(217, "Nothing is known of the cluster yet: wait for ZooKeeper.")
                .when(f -> f.standing() == Standing.UNKNOWN)
                .pace(NORMAL)
                .rest();
        chapter.rule(218, "Another cell founded the cluster: throw this cell's own initdb away.")
                .when(f -> f.data() == Data.FOUNDED
                        && f.postgres() == Postgres.STOPPED
                        && f.coordination() == Coordination.KNOWN)
                .may(Kind.PERSIST, Kind.WIPE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.Wipe(), Plans.newLife(newIncarnation.get(), false)));
        chapter.rule(
                        219,
                        "This cell's name belongs to another incarnation that is alive, is primary, or still votes: wait.")
                .when(f -> f.standing() == Standing.TAKEN)
                .pace(NORMAL)
                .rest();
        chapter.rule(220, "This cell's name is free: join the cluster.")
                .when(f -> f.standing() == Standing.STRANGER
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> enter(v, "join as " + v.self()));
        chapter.rule(221, "This cell is not a member: wait until the cluster is calm and can be asked.")
                .when(f -> f.standing() == Standing.STRANGER)
                .pace(NORMAL)
                .rest();
        chapter.rule(222, "This cell has seen itself among the members: note it.")
                .when(f -> f.pendingSave() == Facts.PendingSave.MEMBERSHIP)
                .may(Kind.PERSIST)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Steps.of("", new Action.Persist("joined", LocalState::withJoined)));
        chapter.rule(223, "This cell has no usable data: clone the primary.")
                .when(f -> f.standing() == Standing.ACTIVE
                        && hasNoData(f)
                        && f.postgres() == Postgres.STOPPED
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY)
                .may(Kind.PERSIST, Kind.CLONE)
                .pace(NORMAL)
                .told(HISTORY)
                .plan(JoiningRules::cloneThePrimary);
        chapter.rule(224, "This cell has no usable data: wait for a primary to clone.")
                .when(f -> f.standing() == Standing.ACTIVE && hasNoData(f) && f.ballotRole() != BallotRole.LOST)
                .pace(NORMAL)
                .rest();
        chapter.rule(
                        225,
                        "This cell's address, priority or fault domain was configured anew: change its entry in the cluster.")
                .when(f -> f.entryDue()
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY
                        && f.failureSuspicion() == Facts.FailureSuspicion.NONE
                        && f.switchoverStage() == SwitchoverStage.NONE)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> enter(v, describeEntry(v)));
        return chapter.rules();
    }

    private static boolean isUnborn(Facts f) {
        return f.coordination() == Coordination.UNBORN
                || f.coordination() == Coordination.UNBORN_AND_MINE_TO_ASK
                || f.coordination() == Coordination.UNBORN_AND_LOCKED;
    }

    private static boolean hasNoData(Facts f) {
        return f.data() == Data.EMPTY || f.data() == Data.BROKEN;
    }

    /** Writes this cell's entry in the cluster as it is configured. */
    private static Steps enter(View v, String what) {
        Member entry = v.settings().entry(v.local().incarnation());
        return Plans.cas(v, state -> state.withMember(v.settings().name(), entry), what);
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
            changes.add("address " + before.address().words() + " becomes "
                    + now.address().words());
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
}
