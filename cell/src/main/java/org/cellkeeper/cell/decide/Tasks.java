package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.util.List;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Task.Operation;
import org.cellkeeper.cell.model.Task.Status;
import org.jspecify.annotations.Nullable;

/** What operators' tasks ask of this cell, and when they are done. */
public final class Tasks {
    private static final Duration PROMOTE_PATIENCE = Duration.ofSeconds(30);
    private static final Duration SWITCHOVER_PATIENCE = Duration.ofSeconds(15);
    private static final Duration REMOVE_PATIENCE = Duration.ofSeconds(90);
    private static final Duration DEPLOY_PATIENCE = Duration.ofSeconds(60);

    /** The entry of an agent that has just started may not have been read yet. */
    private static final Duration PRESENCE_PATIENCE = Duration.ofSeconds(5);

    private Tasks() {}

    static List<Task> mine(View view) {
        return view.coordination().tasks().stream()
                .filter(task -> task.isOpen() && isMine(view, task))
                .toList();
    }

    /**
     * Who carries a task out. The primary strikes off halted cells, whoever was asked: that one may be halted, or gone, by now.
     * Another primary's removal of a cell that serves is not gone on with: that cell may be the last one that acknowledges.
     */
    private static boolean isMine(View view, Task task) {
        ClusterState state = view.state();
        boolean serves = state != null
                && state.members().containsKey(task.target())
                && !state.halted().containsKey(task.target());
        return task.executor().equals(view.settings().name())
                || (task.operation() == Operation.REMOVE && !serves && Primaries.reigns(view));
    }

    /** Whether an operator asked this primary to let a cell go. */
    static boolean removalAsked(View view, CellName name) {
        return mine(view).stream()
                .anyMatch(task ->
                        task.operation() == Operation.REMOVE && task.target().equals(name));
    }

    static @Nullable Task mine(View view, Operation operation) {
        return mine(view).stream()
                .filter(task -> task.operation() == operation)
                .findFirst()
                .orElse(null);
    }

    static Facts.TaskStep step(View view, Facts.Standing standing) {
        if (!view.coordinationKnown()) {
            return Facts.TaskStep.NONE;
        }
        if (settled(view) != null) {
            return Facts.TaskStep.SETTLE;
        }
        if (standing == Facts.Standing.REMOVED && mine(view, Operation.DEPLOY) != null) {
            return Facts.TaskStep.DEPLOY;
        }
        if (leaver(view) != null) {
            return Facts.TaskStep.LEAVE;
        }
        boolean promote = standing == Facts.Standing.ACTIVE
                && mine(view, Operation.PROMOTE) != null
                && Suspicion.phaseAllowsBallot(view)
                && view.now() >= view.memory().ballots().backoffUntil()
                && !primaryServes(view);
        return promote ? Facts.TaskStep.BALLOT : Facts.TaskStep.NONE;
    }

    /** Whether a primary is heard of that says it is well, or is streamed from. */
    static boolean primaryServes(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return false;
        }
        PeerView said = view.fresh(state.primary());
        boolean well = said != null && !said.health().isLost() && said.health() != PeerView.Health.STARTING;
        return well || Standbys.streamsLive(view) || Suspicion.anotherSpeaksUp(view);
    }

    static Phase.Kind kind(Task promote) {
        return promote.acceptDataLoss() ? Phase.Kind.FORCED : Phase.Kind.OPERATOR;
    }

    /** The member that an operator's removal may now strike off: it is no voter (any more) and not the primary. */
    static @Nullable CellName leaver(View view) {
        ClusterState state = view.state();
        if (state == null || !state.isSteady()) {
            return null;
        }
        for (Task task : mine(view)) {
            CellName name = task.target();
            boolean known = state.members().containsKey(name) || state.halted().containsKey(name);
            boolean votes =
                    state.voters().stream().anyMatch(voter -> voter.name().equals(name));
            if (task.operation() == Operation.REMOVE
                    && known
                    && !votes
                    && !state.primary().name().equals(name)) {
                return name;
            }
        }
        return null;
    }

    /** Whether this primary is to hand over: an operator asked for it, or it is asked to stop in AUTOMATIC mode. */
    static boolean wantsHandover(View view) {
        ClusterState state = view.state();
        return state != null
                && state.isSteady()
                && view.coordinationKnown()
                && Primaries.reigns(view)
                && heir(view) != null;
    }

    static @Nullable CellId heir(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return null;
        }
        if (view.stopRequested()) {
            boolean tried = state.lastBallot() > state.epoch()
                    && view.memory().ballots().burnt() > 0
                    && view.memory().timers().stopRequested().isSo();
            return state.failoverMode() == FailoverMode.AUTOMATIC && !tried ? Primaries.bestTarget(view) : null;
        }
        Task task = mine(view, Operation.SWITCHOVER);
        if (task == null || task.ballot() != 0 || ended(view, state, task) != null) {
            return null;
        }
        CellId heir = Preflight.member(state, task.target());
        return heir != null && Primaries.canTakeOver(view, heir) ? heir : null;
    }

    private static String whyNot(View view, ClusterState state, Task task) {
        CellId heir = Preflight.member(state, task.target());
        String obstacle = heir == null ? "it is no member" : Primaries.obstacle(view, heir);
        if (obstacle != null) {
            return obstacle;
        }
        return state.primary().name()
                + (Checkpoints.hasFailed(view) ? " could not write a checkpoint first" : " did not come to it");
    }

    /** The first task whose end has come, ended; null when there is none. */
    static @Nullable Task settled(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return null;
        }
        for (Task task : view.coordination().tasks()) {
            if (!task.isOpen()) {
                continue;
            }
            Task ended = isMine(view, task) ? ended(view, state, task) : null;
            boolean iAmTheHeir = task.operation() == Operation.SWITCHOVER
                    && task.target().equals(view.settings().name())
                    && Primaries.reigns(view);
            if (iAmTheHeir) {
                ended = task.ended(
                        Status.SUCCESS, view.wall(), task.target() + " is primary in epoch " + state.epoch());
            }
            if (ended == null) {
                ended = orphaned(view, state, task);
            }
            if (ended != null) {
                return ended;
            }
        }
        return null;
    }

    /** Whether the change of primary that was asked for has taken place: it does not stand in the way of the next one. */
    public static boolean isOver(ClusterState state, Task task) {
        return state.isSteady() && state.reign() != null && task.ballot() != 0 && state.epoch() >= task.ballot();
    }

    private static String notReached(View view, ClusterState state, Task task) {
        if (!Election.somebodyMayReign(view, state)) {
            return Election.NOBODY_MAY_REIGN;
        }
        String missing = "bring a voter of " + state.standbyVoters() + " back";
        return task.acceptDataLoss()
                ? "no ballot came to its end: the cells that live did not seal in time, or a voter vetoed it; see their details"
                : "the seal quorum of " + CommitQuorum.of(state).seals() + " voters was not reached; " + missing
                        + ", or promote with acceptDataLoss";
    }

    /** For how long this cell has known of it. The clock that its start was read from is another machine's. */
    public static Duration age(View view, Task task) {
        return Duration.ofMillis(view.now() - view.memory().tasksSince().getOrDefault(task.id(), view.now()));
    }

    /**
     * What its executor cannot end any more is ended by the primary, and while there is none by any other cell: it would run for
     * ever, or bar the next change.
     */
    private static @Nullable Task orphaned(View view, ClusterState state, Task task) {
        Duration age = age(view, task);
        boolean gone = !task.executor().equals(view.settings().name())
                && !view.coordination().present().containsKey(task.executor());
        boolean goneForGood = gone && age.compareTo(PRESENCE_PATIENCE) > 0;
        boolean overdue = switch (task.operation()) {
            case SWITCHOVER ->
                goneForGood || (age.compareTo(SWITCHOVER_PATIENCE.multipliedBy(2)) > 0 && !Checkpoints.excuses(view));
            case PROMOTE -> goneForGood || age.compareTo(PROMOTE_PATIENCE.multipliedBy(2)) > 0;
            // A clone may take hours, but not without its agent.
            case DEPLOY -> gone && age.compareTo(DEPLOY_PATIENCE) > 0;
            case REMOVE -> age.compareTo(REMOVE_PATIENCE.multipliedBy(2)) > 0;
            // Its executor ends it itself, late or as failed, as long as it lives.
            case BACKUP, BACKUP_AND_CHECK, CHECK_BACKUP, RESTORE, DELETE_BACKUP -> goneForGood;
            case MODE -> false;
        };
        boolean reigns = Primaries.reigns(view);
        boolean mayEnd = reigns || (goneForGood && !primaryServes(view));
        return overdue && state.isSteady() && mayEnd
                ? task.ended(
                        Status.ERROR,
                        view.wall(),
                        task.executor() + " did not carry it out; "
                                + (reigns ? state.primary().name() + " is primary" : "no primary serves"))
                : null;
    }

    private static @Nullable Task ended(View view, ClusterState state, Task task) {
        return switch (task.operation()) {
            case MODE, BACKUP, BACKUP_AND_CHECK, CHECK_BACKUP, RESTORE, DELETE_BACKUP -> null;
            case PROMOTE -> promoteEnded(view, state, task);
            case SWITCHOVER -> switchoverEnded(view, state, task);
            case REMOVE -> {
                boolean gone = !state.members().containsKey(task.target())
                        && !state.halted().containsKey(task.target());
                if (gone) {
                    yield well(view, task, task.target() + " is removed");
                }
                yield age(view, task).compareTo(REMOVE_PATIENCE) > 0
                        ? badly(
                                view,
                                task,
                                task.target()
                                        + " is still a voter: the primary needs an acknowledging standby to go on without it")
                        : null;
            }
            case DEPLOY ->
                state.isActive(view.self()) && Standbys.streamsLive(view)
                        ? well(view, task, task.target() + " streams as a standby")
                        : null;
        };
    }

    private static Task well(View view, Task task, String message) {
        return task.ended(Status.SUCCESS, view.wall(), message);
    }

    private static Task badly(View view, Task task, String message) {
        return task.ended(Status.ERROR, view.wall(), message);
    }

    private static @Nullable Task promoteEnded(View view, ClusterState state, Task task) {
        if (Primaries.reigns(view)) {
            return well(view, task, task.target() + " is primary in epoch " + state.epoch());
        }
        if (state.primary().equals(view.self()) || !state.isSteady()) {
            return null;
        }
        if (task.ballot() != 0 && state.epoch() >= task.ballot()) {
            return badly(view, task, state.primary().name() + " holds more of the WAL and was promoted in its place");
        }
        if (primaryServes(view)) {
            return badly(
                    view,
                    task,
                    state.primary().name() + " serves as primary: use switchover to change a healthy primary");
        }
        return age(view, task).compareTo(PROMOTE_PATIENCE) > 0
                ? badly(view, task, notReached(view, state, task))
                : null;
    }

    private static @Nullable Task switchoverEnded(View view, ClusterState state, Task task) {
        if (!state.isSteady()) {
            return null;
        }
        if (task.ballot() == 0) {
            return age(view, task).compareTo(SWITCHOVER_PATIENCE) > 0 && !Checkpoints.excuses(view)
                    ? badly(
                            view,
                            task,
                            task.target() + " was not ready to take over in time: " + whyNot(view, state, task))
                    : null;
        }
        if (state.epoch() >= task.ballot()) {
            if (!state.primary().name().equals(task.target())) {
                return badly(view, task, state.primary().name() + " became primary in its place");
            }
            return state.reign() == null
                    ? null
                    : well(view, task, task.target() + " is primary in epoch " + state.epoch());
        }
        return state.lastBallot() >= task.ballot()
                ? badly(
                        view,
                        task,
                        "called off: " + task.message() + "; " + state.primary().name() + " stays primary")
                : null;
    }
}
