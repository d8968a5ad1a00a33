package org.cellkeeper.cell.guard;

import org.jspecify.annotations.Nullable;

/**
 * What is to be done about an agent that may be hung, and about a primary that may be without one. It counts only time in
 * which the guard itself ran. Two questions, and the answer to one is none to the other: whether an agent answers for the
 * primary, for which nothing counts but time; and whether an agent that starts is hung, for which a machine that gives it no
 * time is no sign. Owned by the guard's main thread; it only judges, and never signals anything.
 */
final class AgentWatch {
    /** What the guard has to do now. */
    enum Verdict {
        CALM,
        /** The agent does not move. */
        KILL_AGENT,
        /** A primary runs, and for too long no agent has answered for it. */
        STOP_PRIMARY
    }

    /** However starved it is, one that starts and makes no step for so many times its time is taken for hung. */
    private static final int STARVED = 30;

    private final long timeoutNanos;
    private final long startNanos;
    private final long stableNanos;

    /** Since the last beat or step of the present agent. */
    private long sinceSign;
    /** The same, without the time in which it wanted to run and was not let. */
    private long had;

    private long sinceSupervised;
    private long agentAge;
    private boolean hasBeaten;
    private @Nullable Target primary;
    private @Nullable Target postmaster;

    /**
     * @param timeoutNanos how long a heartbeat holds
     * @param startNanos how long a new agent may take for each step to its first one, as far as it is given the time
     */
    AgentWatch(long timeoutNanos, long startNanos) {
        this.timeoutNanos = timeoutNanos;
        this.startNanos = startNanos;
        this.stableNanos = timeoutNanos / 2;
    }

    /**
     * So much time went by, as far as the guard itself was running.
     *
     * @param given what the agent had of it: less than all when it wanted to run, and was not let
     */
    void pass(long nanos, long given) {
        sinceSign += nanos;
        had += given;
        sinceSupervised += nanos;
        agentAge += nanos;
    }

    /** The guard itself stood still, and perhaps the whole machine: the agent, which fences by itself, goes first. */
    void forgive() {
        signOfLife();
        sinceSupervised = 0;
    }

    /** There is a new agent process. What the old one said of the primary stands. */
    void agentStarted() {
        signOfLife();
        agentAge = 0;
        hasBeaten = false;
    }

    /** The agent has come further on its way to its first beat. It answers for nothing yet. */
    void step() {
        if (!hasBeaten) {
            signOfLife();
        }
    }

    /** Whether there is an agent that has yet to beat for the first time. */
    boolean awaitsFirstBeat() {
        return !hasBeaten;
    }

    private void signOfLife() {
        sinceSign = 0;
        had = 0;
    }

    /**
     * The agent wrote a heartbeat.
     *
     * @param seen the postmaster that it names, if it runs
     */
    void beat(Role role, @Nullable Target seen) {
        signOfLife();
        hasBeaten = true;
        if (seen != null) {
            postmaster = seen;
        }
        if (role == Role.PRIMARY && seen != null) {
            primary = seen;
            sinceSupervised = 0;
            return;
        }
        if (role == Role.STANDBY && seen != null && seen.equals(primary)) {
            primary = null;
        }
        // One that starts again and again also beats; only one that lives on answers for what runs.
        if (agentAge >= stableNanos) {
            sinceSupervised = 0;
        }
    }

    Verdict judge(boolean agentAlive) {
        if (sinceSupervised > timeoutNanos && primary() != null) {
            return Verdict.STOP_PRIMARY;
        }
        boolean hung = hasBeaten ? sinceSign > timeoutNanos : had > startNanos || sinceSign > STARVED * startNanos;
        return agentAlive && hung ? Verdict.KILL_AGENT : Verdict.CALM;
    }

    /** The primary's postmaster that was named last, while it runs. */
    @Nullable
    Target primary() {
        if (primary != null && !primary.isAlive()) {
            primary = null;
        }
        return primary;
    }

    /** The postmaster that was named last, in whatever role, while it runs. */
    @Nullable
    Target postmaster() {
        if (postmaster != null && !postmaster.isAlive()) {
            postmaster = null;
        }
        return postmaster;
    }
}
