package org.cellkeeper.cell.guard;

import org.jspecify.annotations.Nullable;

/**
 * What is to be done about an agent that may be hung, and about a primary that may be without one. It counts only time in
 * which the guard itself ran. Owned by the guard's main thread; it only judges, and never signals anything.
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

    private final long timeoutNanos;
    private final long startNanos;
    private final long stableNanos;

    private long sinceBeat;
    private long sinceSupervised;
    private long agentAge;
    private boolean hasBeaten;
    private @Nullable Target primary;
    private @Nullable Target postmaster;

    /**
     * @param timeoutNanos how long a heartbeat holds
     * @param startNanos how long a new agent may take for its first one
     */
    AgentWatch(long timeoutNanos, long startNanos) {
        this.timeoutNanos = timeoutNanos;
        this.startNanos = startNanos;
        this.stableNanos = timeoutNanos / 2;
    }

    /** So much time went by, as far as the guard itself was running. */
    void pass(long nanos) {
        sinceBeat += nanos;
        sinceSupervised += nanos;
        agentAge += nanos;
    }

    /** The guard itself stood still, and perhaps the whole machine: the agent, which fences by itself, goes first. */
    void forgive() {
        sinceBeat = 0;
        sinceSupervised = 0;
    }

    /** There is a new agent process. What the old one said of the primary stands. */
    void agentStarted() {
        sinceBeat = 0;
        agentAge = 0;
        hasBeaten = false;
    }

    /**
     * The agent wrote a heartbeat.
     *
     * @param seen the postmaster that it names, if it runs
     */
    void beat(Role role, @Nullable Target seen) {
        sinceBeat = 0;
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
        if (agentAlive && sinceBeat > (hasBeaten ? timeoutNanos : startNanos)) {
            return Verdict.KILL_AGENT;
        }
        return Verdict.CALM;
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
