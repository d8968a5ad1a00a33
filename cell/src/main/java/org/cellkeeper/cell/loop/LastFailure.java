package org.cellkeeper.cell.loop;

import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** What a rule fails to do again and again, for the status: a rule alone says what is tried, and not why it does not come about. */
final class LastFailure {
    /** One failure alone is what happens while cells are lost. */
    private static final int TOLD_FROM = 2;

    private int rule;
    private int times;
    private String words = "";
    private Instant since = Instant.EPOCH;

    void failed(int failedRule, String why, Instant now) {
        if (failedRule != rule || times == 0) {
            rule = failedRule;
            times = 0;
            since = now;
        }
        times++;
        words = why;
    }

    void succeeded(int doneRule) {
        if (doneRule == rule) {
            times = 0;
        }
    }

    /** All is done, by whatever rule. */
    void forget() {
        times = 0;
    }

    /** Whether this failure is worth a line in the log: the first ones, and then less and less often. */
    boolean isToBeLogged() {
        return Integer.bitCount(times) == 1;
    }

    /** Empty while nothing keeps failing. */
    String told() {
        return times < TOLD_FROM
                ? ""
                : "tried " + times + " times since " + since.truncatedTo(ChronoUnit.SECONDS) + ": " + words;
    }
}
