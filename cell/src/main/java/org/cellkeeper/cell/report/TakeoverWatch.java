package org.cellkeeper.cell.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.cellkeeper.cell.decide.Primaries;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Takeover;
import org.jspecify.annotations.Nullable;

/**
 * Follows ballots and handovers from view to view, and notes when this cell reaches which step on its way to be primary. For the
 * history and the metrics alone: no rule asks it, and an agent that dies on the way forgets it.
 *
 * @param ballot the ballot that is followed, 0 when none is
 * @param from who was primary when it was opened
 * @param reached when each step was reached, in this cell's monotonic milliseconds
 * @param toldBallot the ballot whose end has been told already
 * @param ballots how many ballots this agent has seen
 * @param vetoed how many of these it saw vetoed; {@code vetoedBallot} is the last one
 */
public record TakeoverWatch(
        long ballot,
        Takeover.Kind kind,
        @Nullable CellName from,
        Map<Step, Long> reached,
        long toldBallot,
        long ballots,
        long vetoed,
        long vetoedBallot) {

    /** In the order of their coming; the first three are a failover's, the next two a switchover's. */
    enum Step {
        SUSPECTED,
        PROPOSED,
        SEALED,
        BEGUN,
        STOPPED,
        ELECTED,
        PROMOTED,
        RECORDED,
        ACKNOWLEDGED;

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public TakeoverWatch {
        EnumMap<Step, Long> copy = new EnumMap<>(Step.class);
        copy.putAll(reached);
        reached = Collections.unmodifiableMap(copy);
    }

    public static TakeoverWatch atStart() {
        return new TakeoverWatch(0, Takeover.Kind.FAILOVER, null, new EnumMap<>(Step.class), 0, 0, 0, 0);
    }

    public TakeoverWatch after(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return this;
        }
        return switch (state.phase()) {
            case Phase.Sealing sealing -> sealing(view, state, sealing);
            case Phase.Handover handover -> handover(view, state, handover);
            case Phase.Steady() -> steady(view, state);
        };
    }

    /** The whole way, once it has ended and until it is told. */
    public @Nullable Takeover ended(View view) {
        CellName old = from;
        if (old == null || ballot == toldBallot || !reached.containsKey(Step.ACKNOWLEDGED)) {
            return null;
        }
        long first = Collections.min(reached.values());
        List<HistoryEntry.Step> steps = new ArrayList<>();
        reached.forEach((step, at) -> steps.add(new HistoryEntry.Step(step.word(), at - first)));
        return new Takeover(kind, old, view.settings().name(), ballot, steps);
    }

    public TakeoverWatch told() {
        return new TakeoverWatch(ballot, kind, from, reached, ballot, ballots, vetoed, vetoedBallot);
    }

    private TakeoverWatch sealing(View view, ClusterState state, Phase.Sealing sealing) {
        TakeoverWatch followed = following(sealing.ballot(), Takeover.Kind.FAILOVER, state);
        Long suspected = view.memory().timers().suspected().start();
        EnumMap<Step, Long> steps = followed.steps();
        if (suspected != null) {
            steps.putIfAbsent(Step.SUSPECTED, suspected);
        }
        steps.putIfAbsent(Step.PROPOSED, view.now());
        if (view.local().sealedBallot() == sealing.ballot()) {
            steps.putIfAbsent(Step.SEALED, view.now());
        }
        boolean veto = followed.vetoedBallot != sealing.ballot()
                && view.coordination().votesOf() == sealing.ballot()
                && view.coordination().votes().values().stream().anyMatch(vote -> vote.veto() != null);
        return new TakeoverWatch(
                followed.ballot,
                followed.kind,
                followed.from,
                steps,
                toldBallot,
                followed.ballots,
                veto ? vetoed + 1 : vetoed,
                veto ? sealing.ballot() : vetoedBallot);
    }

    private TakeoverWatch handover(View view, ClusterState state, Phase.Handover handover) {
        TakeoverWatch followed = following(handover.ballot(), Takeover.Kind.SWITCHOVER, state);
        EnumMap<Step, Long> steps = followed.steps();
        steps.putIfAbsent(Step.BEGUN, view.now());
        if (handover.token() != null) {
            steps.putIfAbsent(Step.STOPPED, view.now());
        }
        return followed.with(steps);
    }

    private TakeoverWatch steady(View view, ClusterState state) {
        if (ballot == 0 || reached.containsKey(Step.ACKNOWLEDGED)) {
            return this;
        }
        if (state.epoch() != ballot || !state.primary().equals(view.self())) {
            return new TakeoverWatch(
                    0, kind, null, new EnumMap<>(Step.class), toldBallot, ballots, vetoed, vetoedBallot);
        }
        EnumMap<Step, Long> steps = steps();
        steps.putIfAbsent(Step.ELECTED, view.now());
        if (view.database().isPrimary() && view.local().primaryEpoch() == ballot) {
            steps.putIfAbsent(Step.PROMOTED, view.now());
        }
        Reign reign = state.reign();
        if (reign != null) {
            steps.putIfAbsent(Step.RECORDED, view.now());
        }
        if (reign != null && Primaries.reigns(view) && isAcknowledged(view, reign)) {
            steps.putIfAbsent(Step.ACKNOWLEDGED, view.now());
        }
        return with(steps);
    }

    /** Whether as many of the named cells as a commit needs have flushed WAL of this reign: a commit of it is acknowledged. */
    private static boolean isAcknowledged(View view, Reign reign) {
        SyncSetting rule = view.database().syncOnDisk();
        DatabaseView.Primary primary = view.database().primary();
        if (rule == null || primary == null) {
            return false;
        }
        long flushed = primary.senders().stream()
                .filter(sender -> rule.names().contains(sender.name()))
                .filter(sender -> sender.flushed().compareTo(reign.startLsn()) > 0)
                .map(DatabaseView.WalSender::name)
                .distinct()
                .count();
        return flushed >= rule.acks();
    }

    private TakeoverWatch following(long opened, Takeover.Kind as, ClusterState state) {
        if (opened == ballot) {
            return this;
        }
        return new TakeoverWatch(
                opened,
                as,
                state.primary().name(),
                new EnumMap<>(Step.class),
                toldBallot,
                as == Takeover.Kind.FAILOVER ? ballots + 1 : ballots,
                vetoed,
                vetoedBallot);
    }

    private EnumMap<Step, Long> steps() {
        EnumMap<Step, Long> steps = new EnumMap<>(Step.class);
        steps.putAll(reached);
        return steps;
    }

    private TakeoverWatch with(Map<Step, Long> steps) {
        return new TakeoverWatch(ballot, kind, from, steps, toldBallot, ballots, vetoed, vetoedBallot);
    }
}
