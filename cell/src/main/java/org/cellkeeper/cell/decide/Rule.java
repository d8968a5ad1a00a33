package org.cellkeeper.cell.decide;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * One row of the decision table.
 *
 * @param number its place in the table, stable in logs and documents
 * @param sentence what the log, the history and the API say when it applies
 * @param when the facts it applies to, if no rule before it does
 * @param may all that its plan may contain
 * @param plan the plan's actions and particulars
 * @param pace how soon to look again
 * @param audience where it is told that it applies, or was carried out
 */
public record Rule(
        int number,
        Section section,
        String sentence,
        Predicate<Facts> when,
        Set<Action.Kind> may,
        Function<View, Steps> plan,
        Pace pace,
        Audience audience) {
    public Rule {
        may = may.isEmpty() ? Set.of() : Set.copyOf(EnumSet.copyOf(may));
    }

    /** The chapters of the table. */
    public enum Section {
        FENCING(FencingRules.class, "Fencing: a deposed, halted or removed cell runs no PostgreSQL"),
        BIRTH(JoiningRules.class, "Birth, joining and cloning"),
        HANDOVER(SwitchoverRules.class, "Planned switchover"),
        BALLOT(BallotRules.class, "Ballots: sealing, vetoing, electing"),
        PROMOTION(PromotionRules.class, "The winner opens its reign"),
        PRIMARY(PrimaryRules.class, "The primary reigns"),
        STANDBY(StandbyRules.class, "Standbys follow, and watch their primary"),
        REST(CellRules.class, "Nothing to do");

        private final Class<?> rules;
        private final String title;

        Section(Class<?> rules, String title) {
            this.rules = rules;
            this.title = title;
        }

        /** Where its rules and their plans are. */
        public Class<?> rules() {
            return rules;
        }

        public String title() {
            return title;
        }
    }

    /** How soon to look again. */
    public enum Pace {
        NORMAL,
        FAST
    }

    /** Where a rule is told. The history is the cluster's, so each of its entries costs every ZooKeeper server a write. */
    public enum Audience {
        NOWHERE,
        LOG,
        /** In the log as well, and what was done is a change that all should know of, not a step towards one. */
        HISTORY
    }

    /** The actions of a plan with the particulars of the case. */
    public record Steps(List<Action> actions, boolean needsNewSession, String detail) {
        static Steps none(String detail) {
            return new Steps(List.of(), false, detail);
        }

        static Steps of(String detail, Action... actions) {
            return new Steps(List.of(actions), false, detail);
        }

        static Steps closely(String detail, Action... actions) {
            return new Steps(List.of(actions), true, detail);
        }
    }
}
