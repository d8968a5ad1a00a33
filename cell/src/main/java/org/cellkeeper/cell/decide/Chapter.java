package org.cellkeeper.cell.decide;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import org.cellkeeper.cell.decide.Rule.Audience;
import org.cellkeeper.cell.decide.Rule.Pace;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.jspecify.annotations.Nullable;

/** The rules of one chapter of the table, written one below the other: number and sentence, when, what it may, how soon, who is told. */
final class Chapter {
    private final Section section;
    private final List<Rule> rules = new ArrayList<>();

    Chapter(Section section) {
        this.section = section;
    }

    List<Rule> rules() {
        return List.copyOf(rules);
    }

    Row rule(int number, String sentence) {
        return new Row(number, sentence);
    }

    /** A rule that is being written. */
    final class Row {
        private final int number;
        private final String sentence;
        private @Nullable Predicate<Facts> when;
        private Set<Action.Kind> may = Set.of();
        private @Nullable Pace pace;
        private Audience told = Audience.LOG;

        private Row(int number, String sentence) {
            this.number = number;
            this.sentence = sentence;
        }

        Row when(Predicate<Facts> condition) {
            when = condition;
            return this;
        }

        /** All that its plan may contain. */
        Row may(Action.Kind... kinds) {
            may = Set.of(kinds);
            return this;
        }

        Row pace(Pace howSoon) {
            pace = howSoon;
            return this;
        }

        Row told(Audience audience) {
            told = audience;
            return this;
        }

        void plan(Function<View, Steps> plan) {
            rules.add(new Rule(number, section, sentence, requireNonNull(when), may, plan, requireNonNull(pace), told));
        }

        /** Nothing is done; that it applies is told in the log. */
        void rest() {
            plan(v -> Steps.none(""));
        }
    }
}
