package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerView;
import org.jspecify.annotations.Nullable;

/** Whether what an operator asks for can be done now: each precondition by name, with what to do when it does not hold. */
public final class Preflight {
    /** How long after a change of primary a standby that does not stream yet is expected to. */
    private static final Duration SETTLING = Duration.ofSeconds(10);

    private Preflight() {}

    /** One precondition; {@code code} is stable for programs. */
    public record Check(String code, boolean ok, String detail) {}

    public static List<Check> promote(View view, CellName target, boolean acceptDataLoss) {
        List<Check> checks = new ArrayList<>();
        ClusterState state = view.state();
        if (state == null) {
            return checks;
        }
        CellId cell = member(state, target);
        boolean serves = Tasks.primaryServes(view) || Primaries.reigns(view);
        checks.add(new Check(
                "no-active-primary",
                !serves,
                serves
                        ? state.primary().name() + " serves as primary: use switchover to change a healthy primary"
                        : "no primary serves"));
        checks.add(notHalted(state, target));
        checks.add(new Check(
                "target-is-standby",
                cell != null && !cell.equals(state.primary()),
                cell != null && cell.equals(state.primary())
                        ? target
                                + " is registered as the primary; it comes back by itself when it can, or promote another cell"
                        : membership(cell, target)));
        checks.add(alive(view, cell, target));
        boolean electable = Election.somebodyMayReign(view, state);
        checks.add(new Check(
                "electable",
                electable,
                electable ? "a cell that lives has a priority above 0" : Election.NOBODY_MAY_REIGN));
        long alive = state.standbyVoters().stream().filter(view::seemsAlive).count();
        boolean quorum = alive >= CommitQuorum.of(state).seals();
        checks.add(new Check(
                "seal-quorum",
                quorum || acceptDataLoss,
                quorum
                        ? alive + " of the voters are alive, "
                                + CommitQuorum.of(state).seals() + " are needed"
                        : "only " + alive + " of the voters " + state.standbyVoters() + " are alive, "
                                + CommitQuorum.of(state).seals()
                                + " are needed to be sure that no commit is lost; bring one back, or promote with"
                                + " acceptDataLoss"));
        return checks;
    }

    /** What a backup or a restore asks of the cluster: a primary that serves, to carry it out. */
    public static Check primaryServes(View view, ClusterState state) {
        boolean serves = state.isSteady()
                && (state.primary().equals(view.self()) ? Primaries.reigns(view) : Tasks.primaryServes(view));
        return new Check(
                "primary-serves",
                serves,
                state.primary().name()
                        + (serves ? " serves" : " does not serve: wait for a failover, or promote a standby"));
    }

    public static List<Check> switchover(View view, CellName target) {
        List<Check> checks = new ArrayList<>();
        ClusterState state = view.state();
        if (state == null) {
            return checks;
        }
        CellId cell = member(state, target);
        PeerView primary = view.fresh(state.primary());
        boolean primaryWell = state.primary().equals(view.self())
                ? SelfReport.health(view, Facts.of(view)) == PeerView.Health.OK
                : primary != null && primary.health() == PeerView.Health.OK;
        checks.add(new Check(
                "primary-serves",
                primaryWell,
                primaryWell
                        ? state.primary().name() + " serves"
                        : state.primary().name() + " does not serve: use promote when it is lost"));
        checks.add(new Check(
                "steady",
                state.isSteady(),
                state.isSteady()
                        ? "no change of primary is under way"
                        : "a change of primary is under way; try again"));
        checks.add(notHalted(state, target));
        boolean self = state.primary().name().equals(target);
        checks.add(new Check(
                "target-is-standby",
                cell != null && !self,
                self ? target + " is the primary already" : membership(cell, target)));
        checks.addAll(stream(view, state, cell, target));
        Member member = state.members().get(target);
        boolean eligible = member != null && member.priority() > 0;
        checks.add(new Check(
                "target-priority",
                eligible,
                eligible ? "its priority allows it" : "a priority of 0 means: never primary"));
        long others = Standbys.siblings(view).stream()
                        .filter(other -> !other.name().equals(target))
                        .filter(other -> view.fresh(other) != null)
                        .count()
                + (view.settings().name().equals(target) ? 0 : 1);
        boolean remains = others >= 1;
        checks.add(new Check(
                "standby-remains",
                remains,
                remains
                        ? "a standby remains to acknowledge"
                        : "no standby would remain to acknowledge " + target + "'s writes"));
        return checks;
    }

    /** Whether the target of a switchover has, or will have in a moment, all that the primary has. */
    private static List<Check> stream(View view, ClusterState state, @Nullable CellId cell, CellName target) {
        List<Check> checks = new ArrayList<>();
        boolean streams = cell != null && state(view, cell) == CellState.STREAMING;
        boolean comes = !streams && cell != null && isAboutToStream(view, cell);
        checks.add(new Check(
                "target-streams",
                streams || comes,
                streams
                        ? target + " streams"
                        : comes
                                ? target + " is about to follow the new primary; the switchover waits for it"
                                : target + " does not stream from the primary; see its state"));
        long behind = streams && cell != null ? behind(view, state, cell) : 0;
        boolean close = behind <= Primaries.CAUGHT_UP_BYTES;
        checks.add(new Check(
                "target-caught-up",
                close,
                close
                        ? target + " lags by no more than a switchover waits for"
                        : target + " is " + (behind >> 20) + " MiB of WAL behind; wait until it has caught up"));
        String standstill = cell == null ? "" : standstill(view, cell);
        checks.add(new Check(
                "target-replays",
                standstill.isEmpty(),
                standstill.isEmpty() ? target + " replays what it receives" : target + ": " + standstill));
        boolean votes = cell != null && state.voters().contains(cell);
        boolean joinsVoters = streams || comes;
        checks.add(new Check(
                "target-is-voter",
                votes || joinsVoters,
                votes
                        ? target + " is a voter"
                        : target
                                + (joinsVoters
                                        ? " is being made a voter; the switchover waits for it"
                                        : " is no voter; see its state")));
        return checks;
    }

    public static List<Check> remove(View view, CellName target, boolean force) {
        List<Check> checks = new ArrayList<>();
        ClusterState state = view.state();
        if (state == null) {
            return checks;
        }
        boolean primary =
                state.primary().name().equals(target) && !state.halted().containsKey(target);
        checks.add(new Check(
                "not-primary",
                !primary,
                primary
                        ? target + " is the primary: switch over or promote another cell first"
                        : target + " is not the primary"));
        CellId cell = member(state, target);
        boolean running = cell != null && !state.halted().containsKey(target) && isRunning(view, cell);
        checks.add(new Check(
                "not-running",
                force || !running,
                running && !force
                        ? target
                                + " is a running standby: stop it first, or force it (cellctl remove --force, ?force=true over the API)"
                        : target + " may be removed"));
        boolean votes = state.voters().stream().anyMatch(voter -> voter.name().equals(target));
        PeerView said = view.fresh(state.primary());
        boolean canDrop = !votes
                || Primaries.reigns(view)
                || (said != null && !said.health().isLost());
        checks.add(new Check(
                "primary-can-drop-it",
                canDrop || primary,
                canDrop
                        ? "the voters can be changed"
                        : target + " is a voter and only a serving primary can drop it: promote first"));
        boolean remains = !running
                || state.members().entrySet().stream()
                        .map(entry ->
                                new CellId(entry.getKey(), entry.getValue().incarnation()))
                        .anyMatch(other ->
                                !other.equals(cell) && !other.equals(state.primary()) && isRunning(view, other));
        checks.add(new Check(
                "standby-remains",
                force || remains,
                remains
                        ? "another standby remains, or this one does not run"
                        : target + " is the last standby: without it writes are turned away"));
        return checks;
    }

    public static List<Check> deploy(View view, CellName target) {
        List<Check> checks = new ArrayList<>();
        ClusterState state = view.state();
        boolean member = state != null
                && (state.members().containsKey(target) || state.halted().containsKey(target));
        checks.add(new Check(
                "removed",
                !member,
                member ? target + " is a member: remove it first (DELETE)" : target + " is not a member"));
        boolean present = view.coordination().present().containsKey(target);
        checks.add(new Check(
                "agent-runs",
                present,
                present ? "its agent runs" : "no agent of the name " + target + " has a session: start it first"));
        return checks;
    }

    private static String membership(@Nullable CellId cell, CellName target) {
        return target + (cell == null ? " is no member of the cluster: deploy it first" : " is a member");
    }

    static @Nullable CellId member(ClusterState state, CellName name) {
        Member member = state.members().get(name);
        return member == null ? null : new CellId(name, member.incarnation());
    }

    private static @Nullable CellState state(View view, CellId cell) {
        if (cell.equals(view.self())) {
            return SelfReport.state(view, Facts.of(view));
        }
        PeerView said = view.fresh(cell);
        return said == null ? null : said.state();
    }

    /** What keeps a cell from replaying; empty when nothing does. */
    private static String standstill(View view, CellId cell) {
        if (cell.equals(view.self())) {
            return Standbys.standstill(view);
        }
        PeerView said = view.fresh(cell);
        return said != null && said.trouble() == PeerView.Trouble.REPLAY_STANDS ? said.problem() : "";
    }

    /** Shortly after a change of primary the others are on their way to it: no obstacle, but something to wait for. */
    private static boolean isAboutToStream(View view, CellId cell) {
        boolean young = !view.epochLasts(SETTLING);
        CellState state = state(view, cell);
        return young && (state == CellState.CATCHING_UP || state == CellState.STARTING || state == CellState.SEALED);
    }

    /** By how many bytes of WAL a standby is behind, as far as is known. */
    private static long behind(View view, ClusterState state, CellId cell) {
        Lsn end = received(view, state.primary());
        Lsn has = received(view, cell);
        return end == null || has == null ? 0 : end.minus(has);
    }

    private static @Nullable Lsn received(View view, CellId cell) {
        if (!cell.equals(view.self())) {
            PeerView said = view.fresh(cell);
            return said == null ? null : said.received();
        }
        DatabaseView.Primary primary = view.database().primary();
        DatabaseView.Standby standby = view.database().standby();
        return primary != null ? primary.flushed() : standby == null ? null : standby.received();
    }

    private static Check notHalted(ClusterState state, CellName target) {
        boolean halted = state.halted().containsKey(target);
        return new Check(
                "target-not-halted",
                !halted,
                halted ? target + " is halted: remove it and deploy it anew" : target + " is not halted");
    }

    private static Check alive(View view, @Nullable CellId cell, CellName target) {
        boolean alive = cell != null && (cell.equals(view.self()) || view.seemsAlive(cell));
        return new Check("target-alive", alive, target + (alive ? " is alive" : " is not heard of: start it first"));
    }

    private static boolean isRunning(View view, CellId cell) {
        if (cell.equals(view.self())) {
            return !view.database().isStopped();
        }
        PeerView said = view.fresh(cell);
        return said != null && said.state() != CellState.DOWN;
    }
}
