package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/** What one cell of three sees, made up part by part. Cell a is primary of epoch 1; at first PostgreSQL is stopped cleanly. */
final class Scene {
    static final CellId A = CellId.parse("a.0000000a");
    static final CellId B = CellId.parse("b.0000000b");
    static final CellId C = CellId.parse("c.0000000c");
    static final Lsn END = Lsn.parse("1/50000000");
    static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
    static final CellSettings.Timing TIMING = CellSettings.Timing.defaults();
    private static final int RUN = 815;

    private final CellId self;
    final Map<CellName, Vote> votes = new HashMap<>();
    long now = 1_000_000;
    ClusterState state = ClusterState.born(A, member(A), "7", FailoverMode.AUTOMATIC)
            .withMember(B.name(), member(B))
            .withMember(C.name(), member(C))
            .withVoters(Set.of(A, B, C), 1);

    /** What was read and is not durable here yet; null when that is the same. */
    @Nullable
    ClusterState read;

    LocalState local;
    boolean connected = true;
    Memory memory = Memory.atStart(now);
    DatabaseView.Instance instance = new DatabaseView.Stopped(null);
    DatabaseView.@Nullable Control control = shutDown(END);
    boolean startsAsStandby;

    @Nullable
    Upstream upstreamOnDisk;

    SyncSetting syncOnDisk = SyncSetting.NOBODY;
    SyncSetting syncInForce = SyncSetting.NOBODY;
    boolean readOnly;

    Scene(CellId self) {
        this.self = self;
        startsAsStandby = !self.equals(A);
        local = LocalState.fresh(self.incarnation()).withJoined().withWalEpoch(1);
    }

    static Member member(CellId cell) {
        return new Member(cell.incarnation(), address(cell), 100, "default");
    }

    private static Address address(CellId cell) {
        return new Address("host-" + cell.name(), 5432, 5480, 5481);
    }

    static Upstream upstream(CellId primary, long epoch) {
        return new Upstream(primary, epoch, address(primary).host(), 5432);
    }

    static DatabaseView.Control shutDown(Lsn end) {
        return new DatabaseView.Control(true, 1, end, 1, false);
    }

    static Vote vote(CellId voter, long ballot, Lsn end) {
        return new Vote(ballot, voter, null, 1, 1, end, 100);
    }

    void runsAsStandby(DatabaseView.Receiver receiver, boolean endKnown) {
        instance = new DatabaseView.Standby(RUN, receiver, 0, endKnown, END, END, 1, 0, "");
    }

    void runsAsPrimary(int timeline, CellId... standbys) {
        List<DatabaseView.WalSender> senders = List.of(standbys).stream()
                .map(cell -> new DatabaseView.WalSender(new StreamName(cell, state.epoch()), true, END, 1, false, 4711))
                .toList();
        instance = new DatabaseView.Primary(RUN, timeline, Lsn.ZERO, END, senders, 0, Lsn.ZERO);
    }

    /** It begins, and is done. */
    void did(Action action) {
        memory = memory.begun(action, database(), now).done(action, database(), now);
    }

    /** The cell looks, and time passes. */
    void pass(Duration time) {
        memory = memory.after(view());
        now += time.toMillis();
    }

    Facts facts() {
        return Facts.of(view());
    }

    View view() {
        VersionedState seen = new VersionedState(7, state);
        VersionedState newest = read == null ? seen : new VersionedState(8, read);
        return new View(
                now,
                NOON.plusMillis(now),
                new CellSettings(
                        self.name(),
                        address(self),
                        100,
                        "default",
                        null,
                        FailoverMode.AUTOMATIC,
                        CellSettings.IsolationResponse.STOP,
                        1,
                        TIMING),
                local.withSeen(seen),
                false,
                new CoordinationView(
                        connected, true, false, newest, state.lastBallot(), votes, Map.of(), false, List.of(), ""),
                database(),
                Map.of(),
                memory,
                false);
    }

    private DatabaseView database() {
        return new DatabaseView(
                DatabaseView.Data.PRESENT,
                "7",
                control,
                startsAsStandby,
                instance,
                upstreamOnDisk,
                syncOnDisk,
                instance instanceof DatabaseView.Stopped ? null : syncInForce,
                readOnly,
                Set.of(),
                DatabaseView.Writes.OK,
                false,
                "");
    }
}
