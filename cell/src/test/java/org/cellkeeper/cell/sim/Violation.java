package org.cellkeeper.cell.sim;

/** An invariant of the protocol does not hold in a run of the simulator; the message is all that is needed to look into it. */
final class Violation extends AssertionError {
    private static final long serialVersionUID = 1L;

    private final String invariant;
    private final String headline;

    Violation(String invariant, String headline, String report, Throwable cause) {
        super(invariant + ": " + headline + "\n" + report, cause);
        this.invariant = invariant;
        this.headline = headline;
    }

    /** I1 to I8; S4, S5 or S8 for what that section of the protocol says of every instant; CRASH when the core threw. */
    String invariant() {
        return invariant;
    }

    String headline() {
        return headline;
    }
}
