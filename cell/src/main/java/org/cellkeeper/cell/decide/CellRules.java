package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Phase;

/**
 * The decision table of a cell, by chapters: ordered, the first rule that matches is followed. Each rule does one small thing and is
 * found again, one step further, in the next view: a cell may die between any two steps and goes on where it was.
 */
public final class CellRules {
    private final List<Rule> rules;

    public CellRules(Supplier<Incarnation> newIncarnation) {
        rules = Stream.of(
                        FencingRules.rules(newIncarnation),
                        JoiningRules.rules(newIncarnation),
                        SwitchoverRules.rules(),
                        BallotRules.rules(),
                        PromotionRules.rules(),
                        PrimaryRules.rules(),
                        StandbyRules.rules(newIncarnation),
                        rest())
                .flatMap(List::stream)
                .toList();
    }

    public List<Rule> rules() {
        return rules;
    }

    /** The first rule that applies. The last one always does. */
    public Rule match(Facts facts) {
        for (Rule rule : rules) {
            if (rule.when().test(facts)) {
                return rule;
            }
        }
        throw new IllegalStateException("the table has a gap: " + facts);
    }

    public Plan decide(View view) {
        Rule rule = match(Facts.of(view));
        Steps steps = rule.plan().apply(view);
        for (Action action : steps.actions()) {
            if (!rule.may().contains(action.kind())) {
                throw new IllegalStateException("rule " + rule.number() + " may not " + action.kind());
            }
        }
        return new Plan(rule, steps.actions(), steps.needsNewSession(), steps.detail());
    }

    private static List<Rule> rest() {
        Chapter chapter = new Chapter(Section.REST);
        chapter.rule(901, "Wait until PostgreSQL answers.")
                .when(f -> f.postgres() != Postgres.STOPPED)
                .pace(FAST)
                .rest();
        chapter.rule(902, "Wait.").when(f -> true).pace(NORMAL).rest();
        return chapter.rules();
    }

    /** Whether a stopping cell is done: PostgreSQL is down and no handover of it is under way. */
    public static boolean mayExit(View v) {
        ClusterState state = v.state();
        boolean handing = state != null
                && state.primary().equals(v.self())
                && state.phase() instanceof Phase.Handover
                && state.failoverMode() == FailoverMode.AUTOMATIC;
        return v.database().isStopped() && !handing;
    }
}
