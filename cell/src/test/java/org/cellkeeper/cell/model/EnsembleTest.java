package org.cellkeeper.cell.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which lists of servers may run beside each other, and what the trail of the state's writes tells. */
final class EnsembleTest {
    private static final CellId ONE = CellId.parse("cell-1.0000000a");
    private static final Address ADDRESS = new Address("10.0.0.1", 5432, 5480, 5481);
    private static final ClusterState BORN = ClusterState.born(
                    ONE, new Member(ONE.incarnation(), ADDRESS, 100, "rack-1"), "7", FailoverMode.AUTOMATIC)
            .withEnsemble(Ensemble.first(servers(3)))
            .stamped();

    private static List<String> servers(int count) {
        return IntStream.rangeClosed(1, count).mapToObj(n -> "10.0.0." + n).toList();
    }

    /** Every pair of a majority of the one and a majority of the other has a server in common. */
    private static boolean allMajoritiesMeet(int one, int other) {
        for (int first = 0; first < 1 << one; first++) {
            for (int second = 0; second < 1 << other; second++) {
                boolean majorities = Integer.bitCount(first) > one / 2 && Integer.bitCount(second) > other / 2;
                if (majorities && (first & second) == 0) {
                    return false;
                }
            }
        }
        return true;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7})
    void appendingOneServerIsSafeForEverySizeAndAppendingMoreIsNot(int size) {
        assertThat(allMajoritiesMeet(size, size + 1)).isTrue();
        assertThat(Ensemble.areOne(servers(size), servers(size + 1))).isTrue();
        assertThat(Ensemble.refusal(servers(size), servers(size + 1))).isEmpty();
        assertThat(Ensemble.refusal(servers(size), servers(size + 2))).isNotEmpty();
        for (int more = 1; more <= 9 - size; more++) {
            assertThat(Ensemble.areOne(servers(size), servers(size + more)))
                    .as("%d and %d servers", size, size + more)
                    .isEqualTo(allMajoritiesMeet(size, size + more));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7})
    void aServerThatIsAppendedMayVoteThoughItIsEmpty(int size) {
        // A write that the old list has taken is known to a server of every majority of the new one that is not the new
        // server.
        for (int old = 0; old < 1 << size; old++) {
            for (int next = 0; next < 1 << (size + 1); next++) {
                if (Integer.bitCount(old) > size / 2 && Integer.bitCount(next) > (size + 1) / 2) {
                    assertThat(old & next & ((1 << size) - 1)).isNotZero();
                }
            }
        }
    }

    @Test
    void theListOnRecordAndOneServerMoreAreTaken() {
        assertThat(Ensemble.refusal(servers(3), servers(3))).isEmpty();
        assertThat(Ensemble.refusal(servers(3), servers(4))).isEmpty();
        // A cell that runs no server, and names an ensemble by zookeeper.connect.
        assertThat(Ensemble.refusal(servers(3), List.of())).isEmpty();
    }

    @Test
    void twoServersAtOnceAreRefusedAndTheOrderIsSaid() {
        assertThat(Ensemble.refusal(servers(3), servers(5)))
                .contains("1=10.0.0.1, 2=10.0.0.2, 3=10.0.0.3, 4=10.0.0.4, 5=10.0.0.5")
                .contains("ensemble is 1=10.0.0.1, 2=10.0.0.2, 3=10.0.0.3.")
                .contains("Set the list 1=10.0.0.1, 2=10.0.0.2, 3=10.0.0.3, 4=10.0.0.4 on every cell")
                .contains("restart one after the other");
    }

    @Test
    void aServerThatIsMovedRenumberedOrLeftOutIsRefused() {
        List<String> moved = List.of("10.0.0.1", "10.0.0.9", "10.0.0.3");
        List<String> shifted = List.of("10.0.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.3");
        List<String> swapped = List.of("10.0.0.1", "10.0.0.3", "10.0.0.2");
        for (List<String> other : List.of(moved, shifted, swapped, servers(2), servers(1))) {
            assertThat(Ensemble.refusal(servers(3), other))
                    .as("%s", other)
                    .contains("No server can be moved, renumbered or left out")
                    .contains(Ensemble.text(other))
                    .contains("Set the list 1=10.0.0.1, 2=10.0.0.2, 3=10.0.0.3 again");
        }
        assertThat(Ensemble.areOne(servers(3), shifted)).isFalse();
    }

    @Test
    void aClusterOnAnEnsembleOfItsOperatorsStaysThere() {
        assertThat(Ensemble.refusal(List.of(), servers(3))).contains("zookeeper.connect");
    }

    @Test
    void everyWriteLeavesItsDigestAndTheOldestAreForgotten() {
        ClusterState state = BORN;
        List<String> all = new ArrayList<>(BORN.ensemble().trail());
        for (int write = 0; write < 2 * Ensemble.TRAIL; write++) {
            ClusterState next = state.stamped();
            assertThat(next.ensemble().ago(1)).isEqualTo(state.ensemble().ago(0));
            all.add(next.ensemble().ago(0));
            state = next;
        }
        assertThat(all).doesNotHaveDuplicates();
        assertThat(state.ensemble().trail())
                .hasSize(Ensemble.TRAIL)
                .isEqualTo(all.subList(all.size() - Ensemble.TRAIL, all.size()));
        assertThat(state.ensemble().ago(Ensemble.TRAIL)).isNull();
    }

    @Test
    void twoWritesOnTheSameStateLeaveDifferentDigests() {
        ClusterState one = BORN.withMode(FailoverMode.MANUAL).stamped();
        ClusterState other = BORN.steadyAgain().stamped();
        assertThat(one.ensemble().ago(1)).isEqualTo(other.ensemble().ago(1));
        assertThat(one.ensemble().ago(0)).isNotEqualTo(other.ensemble().ago(0));
        // And those that are made on top of them, even when they write the same.
        assertThat(one.withMode(FailoverMode.AUTOMATIC).stamped().ensemble().ago(0))
                .isNotEqualTo(other.stamped().ensemble().ago(0));
    }

    @Test
    void aStateWithoutAMarkIsWrittenAsItIs() {
        ClusterState unmarked = BORN.withEnsemble(null);
        assertThat(unmarked.stamped()).isSameAs(unmarked);
    }
}
