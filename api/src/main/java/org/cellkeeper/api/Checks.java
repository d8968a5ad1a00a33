package org.cellkeeper.api;

import java.util.List;

/** The answer to a dry run: what was looked at beforehand. {@code ok} when every check is. */
public record Checks(boolean ok, List<Check> checks) {
    /** One precondition. */
    public record Check(String name, boolean ok, String detail) {}

    public static Checks of(List<Check> checks) {
        return new Checks(checks.stream().allMatch(Check::ok), List.copyOf(checks));
    }
}
