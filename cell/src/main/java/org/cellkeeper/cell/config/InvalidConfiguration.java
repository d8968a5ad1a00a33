package org.cellkeeper.cell.config;

import java.util.List;
import java.util.stream.Collectors;

/** The configuration cannot be used; it says everything that is wrong, and never a secret. */
public final class InvalidConfiguration extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient List<Problem> problems;

    InvalidConfiguration(List<Problem> problems) {
        super(problems.stream()
                .map(Problem::toString)
                .collect(Collectors.joining("\n  ", "the configuration is wrong:\n  ", "")));
        this.problems = List.copyOf(problems);
    }

    public List<Problem> problems() {
        return problems;
    }
}
