package org.cellkeeper.cell.decide;

import java.util.Set;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/** One effect, as data. Only the executor carries it out. */
public sealed interface Action {
    /** Changes the cell's state file. */
    record Persist(String what, UnaryOperator<LocalState> change) implements Action {}

    /** A compare-and-set of the shared state. */
    record Cas(int version, ClusterState next, String what) implements Action {}

    record CreateState(ClusterState first) implements Action {}

    record TakeBirthLock() implements Action {}

    record PublishVote(Vote vote) implements Action {}

    record DeleteVotes(long upToBallot) implements Action {}

    record PutTask(Task task) implements Action {}

    record InitDb() implements Action {}

    record CloneFrom(Upstream source) implements Action {}

    record StartPrimary() implements Action {}

    record StartStandby(@Nullable Upstream upstream) implements Action {}

    record StopFast() implements Action {}

    record StopImmediate() implements Action {}

    record Follow(Upstream upstream) implements Action {}

    record Unfollow() implements Action {}

    record Promote(int higherThan) implements Action {}

    record PromoteAtRest(SyncSetting setting, int higherThan) implements Action {}

    record ReadEnd() implements Action {}

    record ApplySync(SyncSetting setting) implements Action {}

    record TerminateOldSenders() implements Action {}

    record SetReadOnly(boolean readOnly) implements Action {}

    record Checkpoint() implements Action {}

    record KeepSlots(Set<CellId> siblings) implements Action {}

    record Wipe() implements Action {}

    /** Only asked for: that nothing is in flight any more is a fact, and no rule waits for it. */
    record HoldDoor(CellId caller, long call, long drainMillis, long holdMillis) implements Action {}

    record OpenDoor(Upstream primary) implements Action {}

    /** What a rule may do: declared beside its sentence, so that the whole table can be checked without running it. */
    enum Kind {
        PERSIST(Persist.class),
        CAS(Cas.class),
        CREATE_STATE(CreateState.class),
        TAKE_BIRTH_LOCK(TakeBirthLock.class),
        PUBLISH_VOTE(PublishVote.class),
        DELETE_VOTES(DeleteVotes.class),
        PUT_TASK(PutTask.class),
        INIT_DB(InitDb.class),
        CLONE(CloneFrom.class),
        START_PRIMARY(StartPrimary.class),
        START_STANDBY(StartStandby.class),
        STOP_FAST(StopFast.class),
        STOP_IMMEDIATE(StopImmediate.class),
        FOLLOW(Follow.class),
        UNFOLLOW(Unfollow.class),
        PROMOTE(Promote.class),
        PROMOTE_AT_REST(PromoteAtRest.class),
        READ_END(ReadEnd.class),
        APPLY_SYNC(ApplySync.class),
        TERMINATE_OLD_SENDERS(TerminateOldSenders.class),
        SET_READ_ONLY(SetReadOnly.class),
        CHECKPOINT(Checkpoint.class),
        KEEP_SLOTS(KeepSlots.class),
        WIPE(Wipe.class),
        HOLD_DOOR(HoldDoor.class),
        OPEN_DOOR(OpenDoor.class);

        private final Class<? extends Action> type;

        Kind(Class<? extends Action> type) {
            this.type = type;
        }

        static Kind of(Action action) {
            for (Kind kind : values()) {
                if (kind.type.isInstance(action)) {
                    return kind;
                }
            }
            throw new IllegalStateException("no kind for " + action);
        }
    }

    default Kind kind() {
        return Kind.of(this);
    }
}
