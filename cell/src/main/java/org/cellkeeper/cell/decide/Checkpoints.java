package org.cellkeeper.cell.decide;

import java.time.Duration;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.jspecify.annotations.Nullable;

/**
 * The checkpoint before a handover, which makes PostgreSQL's stop short. It may take minutes on a slow disk, so it is only asked
 * for, and its end is a fact: all other rules go on meanwhile. Nothing but the length of a pause depends on it.
 */
public final class Checkpoints {
    /** When it is given up, and with it the switchover. */
    public static final Duration LIMIT = Duration.ofMinutes(5);

    /** How long one that was written serves: hardly more is to be written at a stop than without the wait. */
    private static final Duration SERVES = Duration.ofSeconds(10);

    private static final Duration RETRY = Duration.ofSeconds(1);

    /** A cell that is asked to stop has 9 s for all. */
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(2);

    private Checkpoints() {}

    /** How far a primary is that wants to hand over. */
    static SwitchoverStage before(View view) {
        if (view.memory().timers().stopRequested().lasts(view.now(), STOP_PATIENCE)) {
            return SwitchoverStage.WANTED;
        }
        Memory.Checkpoint last = last(view);
        if (last == null) {
            return SwitchoverStage.CHECKPOINT_DUE;
        }
        if (last.ended().lasts(view.now(), last.failed() ? RETRY : SERVES)) {
            return SwitchoverStage.CHECKPOINT_DUE;
        }
        return last.failed() || !last.ended().isSo() ? SwitchoverStage.CHECKPOINTING : SwitchoverStage.WANTED;
    }

    /** Whether the handover is late for good reason: one is being written, or just was. */
    static boolean excuses(View view) {
        Memory.Checkpoint last = last(view);
        return last != null && !last.failed() && !last.ended().lasts(view.now(), SERVES);
    }

    static boolean hasFailed(View view) {
        Memory.Checkpoint last = last(view);
        return last != null && last.failed();
    }

    /** What was asked of another run of PostgreSQL is over. */
    private static Memory.@Nullable Checkpoint last(View view) {
        Memory.Checkpoint last = view.memory().applied().checkpoint();
        return last == null || last.postmaster() != view.database().postmaster() ? null : last;
    }
}
