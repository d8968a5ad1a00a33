package org.cellkeeper.cell.decide.quorum;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.decide.quorum.Ballots.PRIMARY;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.cellkeeper.cell.decide.quorum.VoterChange.Drain;
import org.cellkeeper.cell.decide.quorum.VoterChange.Rule;
import org.cellkeeper.cell.decide.quorum.VoterChange.Step;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView.WalSender;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every change of voters, with the agent dying after each of its steps, once and twice, and a write that it had under way landing at
 * each later point or never. After each step: whatever PostgreSQL may acknowledge with meets whatever may seal, and every commit that
 * was acknowledged is held by one of any that may seal.
 */
final class VoterChangeTest {
    private static final long EPOCH = 3;
    private static final int LONGEST = 60;
    private static final int NEVER = LONGEST + 1;

    /** Who streams and may be a voter; which of the voters are to go, and whose walsenders there are, of these too or not. */
    record Circumstances(SortedSet<CellId> streaming, Set<CellId> leaving, SortedSet<CellId> connected) {}

    /** From these voters and the k that is theirs; and how it is at first, and once the first agent has died. */
    record Change(SortedSet<CellId> voters, Circumstances first, Circumstances then) {
        int acks() {
            return acksOf(voters);
        }

        @Override
        public String toString() {
            return voters + ", " + first + ", then " + then;
        }
    }

    private static int acksOf(SortedSet<CellId> standbys) {
        return standbys.isEmpty() ? 0 : Math.max(1, CommitQuorum.defaultAcks(standbys.size() + 1));
    }

    static List<Change> changes() {
        List<Change> changes = new ArrayList<>();
        for (int n = 1; n <= 4; n++) {
            SortedSet<CellId> all = Ballots.standbys(n);
            Circumstances fine = new Circumstances(all, Set.of(), all);
            for (int before = 0; before <= n; before++) {
                changes.add(new Change(Ballots.standbys(before), fine, fine));
            }
            for (int go = 1; go <= n; go++) {
                SortedSet<CellId> leaving = Ballots.standbys(go);
                TreeSet<CellId> stay = new TreeSet<>(all);
                stay.removeAll(leaving);
                Circumstances gone = new Circumstances(stay, leaving, stay);
                Circumstances removed = new Circumstances(stay, leaving, all);
                for (Circumstances fewer : List.of(gone, removed)) {
                    changes.add(new Change(all, fewer, fewer));
                    changes.add(new Change(all, fewer, fine));
                    changes.add(new Change(all, fine, fewer));
                    changes.add(new Change(new TreeSet<>(), fine, fewer));
                }
            }
        }
        return changes;
    }

    @ParameterizedTest
    @MethodSource("changes")
    void noAcknowledgedCommitIsEverOutOfReachOfASeal(Change change) {
        for (int first = 0; first <= 10; first++) {
            for (int second : List.of(first + 1, first + 3, NEVER)) {
                for (int lands : List.of(first, first + 1, first + 2, first + 4, NEVER)) {
                    new World(change).run(first, second, lands);
                }
            }
        }
    }

    /** A primary's PostgreSQL, its standbys, the shared state, and one agent after the other. */
    private static final class World {
        private final Change change;
        private final List<String> told = new ArrayList<>();

        private CommitQuorum state;
        private int version;
        private SyncSetting onDisk;
        private @Nullable SyncSetting written;
        private @Nullable Drain drain;
        private boolean confirmed;
        private Step.@Nullable Change underWay;
        private int underWayVersion;

        private long flushed = 1;
        private final SortedMap<CellId, Long> held = new TreeMap<>();
        /** Each walsender goes by its own copy of the rule until it has reloaded. */
        private final SortedMap<CellId, SyncSetting> copies = new TreeMap<>();

        private Circumstances now;
        private int turn;

        World(Change change) {
            this.change = change;
            this.state = new CommitQuorum(change.voters, change.acks());
            this.onDisk = SyncSetting.of(change.voters, Math.max(1, change.acks()), EPOCH);
            change.voters.forEach(cell -> held.put(cell, flushed));
            this.now = change.first;
            connect();
        }

        /** Those that come back hold what they held when they went. */
        private void connect() {
            copies.keySet().retainAll(now.connected);
            now.connected.forEach(cell -> {
                held.putIfAbsent(cell, 0L);
                copies.putIfAbsent(cell, onDisk);
            });
        }

        void run(int firstDeath, int secondDeath, int lands) {
            for (int at = 0; at < LONGEST; at++) {
                commit();
                check();
                Step step = next();
                told.add(step.toString());
                boolean dies = at == firstDeath || at == secondDeath;
                carryOut(step, dies);
                if (dies) {
                    written = null;
                    drain = null;
                    confirmed = false;
                    now = change.then;
                    connect();
                    told.add("the agent dies; now " + now);
                }
                if (at >= lands && underWay != null) {
                    if (underWayVersion == version) {
                        told.add("what was under way lands");
                        apply(underWay);
                    }
                    underWay = null;
                }
                check();
                if (step instanceof Step.Nothing && at > 16) {
                    break;
                }
            }
            assertThat(next()).as(this::story).isEqualTo(new Step.Nothing());
            assertThat(state.standbyVoters()).as(this::story).isEqualTo(now.streaming);
            assertThat(state.acks()).as(this::story).isEqualTo(acksOf(now.streaming));
        }

        private Step next() {
            List<WalSender> senders = new ArrayList<>();
            copies.forEach((cell, copy) -> senders.add(new WalSender(
                    new StreamName(cell, EPOCH),
                    true,
                    new Lsn(held.get(cell)),
                    copy.names(cell) ? 1 : 0,
                    !copy.equals(onDisk),
                    0)));
            Rule rule = new Rule(onDisk, onDisk, written, drain, senders);
            drain = written == null ? null : VoterChange.drain(written, state.acks(), rule, new Lsn(flushed));
            return new VoterChange(
                            PRIMARY,
                            EPOCH,
                            state,
                            confirmed,
                            new Rule(onDisk, onDisk, written, drain, senders),
                            new TreeSet<>(now.streaming),
                            now.leaving,
                            Set.of(),
                            Set.of())
                    .next();
        }

        private void carryOut(Step step, boolean dies) {
            switch (step) {
                case Step.Nothing() -> {}
                case Step.Confirm() ->
                    write(new Step.Change(withPrimary(state.standbyVoters()), state.acks(), ""), dies);
                case Step.Change next -> write(next, dies);
                case Step.Write(SyncSetting setting, String ignored) -> {
                    onDisk = setting;
                    written = setting;
                }
                case Step.TerminateOldSenders() -> {
                    copies.clear();
                    connect();
                }
                case Step.Await ignored -> pass();
            }
        }

        /** Time passes: one walsender reloads, or if all have, one standby catches up. */
        private void pass() {
            for (CellId cell : copies.keySet()) {
                if (!copies.get(cell).equals(onDisk)) {
                    copies.put(cell, onDisk);
                    return;
                }
            }
            for (CellId cell : copies.keySet()) {
                if (held.get(cell) < flushed) {
                    held.put(cell, flushed);
                    return;
                }
            }
        }

        private void write(Step.Change next, boolean dies) {
            confirmed = false;
            if (dies) {
                underWay = next;
                underWayVersion = version;
            } else {
                apply(next);
                confirmed = true;
            }
        }

        private void apply(Step.Change next) {
            TreeSet<CellId> standbys = new TreeSet<>(next.voters());
            standbys.remove(PRIMARY);
            state = new CommitQuorum(standbys, next.acks());
            version++;
        }

        /** A commit that the fewest acknowledge with which it can be: others of them at each turn. */
        private void commit() {
            List<SortedSet<CellId>> enough = acknowledging();
            enough.removeIf(group -> enough.stream().anyMatch(other -> other != group && group.containsAll(other)));
            if (!enough.isEmpty()) {
                SortedSet<CellId> group = enough.get(turn++ % enough.size());
                flushed++;
                group.forEach(cell -> held.put(cell, flushed));
            }
        }

        /** Who may acknowledge a commit together: a walsender releases it by its own k, and counts those that count themselves. */
        private List<SortedSet<CellId>> acknowledging() {
            TreeSet<CellId> counting = new TreeSet<>(copies.keySet());
            counting.removeIf(cell -> !copies.get(cell).names(cell));
            List<SortedSet<CellId>> groups = new ArrayList<>(Ballots.groups(counting));
            groups.removeIf(group -> group.stream()
                    .noneMatch(cell -> group.size() >= copies.get(cell).acks()));
            return groups;
        }

        private void check() {
            for (SortedSet<CellId> group : acknowledging()) {
                assertThat(isSealedWithout(group))
                        .as(() -> group + " acknowledge, and all others may seal\n" + story())
                        .isFalse();
            }
            if (acknowledgedOnce()) {
                TreeSet<CellId> holders = new TreeSet<>(held.keySet());
                holders.removeIf(cell -> held.get(cell) < flushed);
                assertThat(isSealedWithout(holders))
                        .as(() -> "only " + holders + " hold what was acknowledged last\n" + story())
                        .isFalse();
            }
        }

        private boolean acknowledgedOnce() {
            return turn > 0;
        }

        private boolean isSealedWithout(Set<CellId> cells) {
            TreeSet<CellId> others = new TreeSet<>(state.standbyVoters());
            others.removeAll(cells);
            return !state.standbyVoters().isEmpty() && state.isSealedBy(others);
        }

        private static SortedSet<CellId> withPrimary(SortedSet<CellId> standbys) {
            TreeSet<CellId> voters = new TreeSet<>(standbys);
            voters.add(PRIMARY);
            return voters;
        }

        private String story() {
            return change + "\n" + String.join("\n", told) + "\nstate " + state + ", on disk " + onDisk + ", held "
                    + held;
        }
    }
}
