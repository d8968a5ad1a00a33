package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which ZooKeeper a cell takes for its cluster's. */
final class BeliefTest {
    private static final String SERVER = "10.0.0.2:2181";
    private static final CellId A = CellId.parse("a.0000000a");
    private static final CellId B = CellId.parse("b.0000000b");

    private final List<VersionedState> line = line(born("7"), 0);

    private static List<String> servers(int count) {
        return IntStream.rangeClosed(1, count).mapToObj(n -> "10.0.0." + n).toList();
    }

    private static ClusterState born(String systemId) {
        Address address = new Address("10.0.0.1", 5432, 5480, 5481);
        return ClusterState.born(A, new Member(A.incarnation(), address, 100, "x"), systemId, FailoverMode.AUTOMATIC)
                .withEnsemble(Ensemble.first(servers(3)))
                .stamped();
    }

    /** A hundred writes, each on top of the one before. */
    private static List<VersionedState> line(ClusterState first, int version) {
        VersionedState[] all = new VersionedState[101];
        all[0] = new VersionedState(version, first);
        for (int i = 1; i <= 100; i++) {
            all[i] = next(all[i - 1], i % 2 == 0 ? FailoverMode.MANUAL : FailoverMode.AUTOMATIC);
        }
        return List.of(all);
    }

    private static VersionedState next(VersionedState before, FailoverMode mode) {
        return new VersionedState(
                before.version() + 1, before.state().withMode(mode).stamped());
    }

    private static CellSettings settings(List<String> servers) {
        return new CellSettings(
                        A.name(),
                        new Address("10.0.0.1", 5432, 5480, 5481),
                        100,
                        "x",
                        null,
                        FailoverMode.AUTOMATIC,
                        CellSettings.IsolationResponse.READ_ONLY,
                        1,
                        CellSettings.Timing.defaults())
                .withServers(servers, "");
    }

    private static CoordinationView told(@Nullable VersionedState read, boolean synced) {
        return new CoordinationView(
                true, synced, synced && read == null, read, 0, Map.of(), Map.of(), false, List.of(), SERVER);
    }

    private static String objection(@Nullable VersionedState seen, @Nullable VersionedState read, boolean synced) {
        return Belief.objection(seen, told(read, synced), settings(servers(3)));
    }

    @Test
    void whatFollowsFromTheSeenStateIsBelieved() {
        for (int seen = 0; seen <= 100; seen += 10) {
            for (int read = seen; read <= 100; read++) {
                assertThat(objection(line.get(seen), line.get(read), true)).isEmpty();
                assertThat(objection(line.get(seen), line.get(read), false)).isEmpty();
            }
        }
        assertThat(objection(null, line.get(5), true)).isEmpty();
        assertThat(objection(null, null, true)).isEmpty();
    }

    @Test
    void aServerThatLagsIsNotSuspectedAndOneThatHasGoneBackIs() {
        assertThat(objection(line.get(50), line.get(49), false)).isEmpty();
        assertThat(objection(line.get(50), line.get(49), true))
                .contains(SERVER)
                .contains("gone back in time: it holds version 49")
                .contains("has read version 50")
                .contains("zookeeper/data");
    }

    @Test
    void anEnsembleThatHoldsNoClusterIsNotBelievedByWhoKnowsOne() {
        assertThat(objection(line.get(3), null, true))
                .contains("knows no cluster")
                .contains(SERVER);
        // Before a sync nothing is known of it.
        assertThat(objection(line.get(3), null, false)).isEmpty();
    }

    @Test
    void whatWentOnFromACopyIsToldApartAtEveryDistanceOfTheTrail() {
        for (int common = 0; common < 30; common++) {
            List<VersionedState> other = new ArrayList<>(line.subList(0, common + 1));
            for (int i = common + 1; i <= 40; i++) {
                other.add(new VersionedState(
                        i,
                        other.getLast()
                                .state()
                                .withMode(FailoverMode.MANUAL)
                                .withEnsemble(other.getLast().state().ensemble().withServers(servers(3)))
                                .stamped()));
            }
            for (int seen = common + 1; seen <= 40; seen++) {
                for (int read = seen; read <= 40; read++) {
                    assertThat(objection(line.get(seen), other.get(read), true))
                            .as("parted after %d, seen %d, read %d", common, seen, read)
                            .contains("does not follow from version " + seen);
                }
            }
            // Who has seen only what they have in common cannot know, and need not.
            assertThat(objection(line.get(common), other.get(40), true)).isEmpty();
        }
    }

    @Test
    void beyondTheTrailEpochsAndReignsDecide() {
        VersionedState seen = line.getFirst();
        assertThat(objection(seen, line.get(90), true)).isEmpty();

        ClusterState elected = seen.state()
                .propose(B, Phase.Kind.AUTOMATIC, Instant.EPOCH)
                .elect(B, 2, Map.of())
                .recordReign(new Reign(B, 2, Lsn.parse("0/3000000"), Lsn.parse("0/3000000"), 1));
        VersionedState ofB = line(elected, 1).get(10);
        assertThat(objection(ofB, line.get(99), true)).as("the epoch goes back").contains("does not follow");

        ClusterState otherReign =
                elected.recordReign(new Reign(A, 2, Lsn.parse("0/4000000"), Lsn.parse("0/4000000"), 1));
        VersionedState ofA = line(otherReign, 1).get(99);
        assertThat(objection(ofB, ofA, true))
                .as("another reign of the same epoch")
                .contains("does not follow");
        assertThat(objection(ofB, line(elected, 1).get(99), true)).isEmpty();
    }

    @Test
    void anotherClusterIsNamed() {
        assertThat(objection(line.get(3), line(born("8"), 0).get(50), true))
                .contains("another cluster's")
                .contains("system identifier 8")
                .contains("system identifier 7");
    }

    @Test
    void aMarkIsTakenWhenItIsNewAndMissedWhenItIsGone() {
        VersionedState unmarked =
                new VersionedState(4, line.get(3).state().withEnsemble(null).withMode(FailoverMode.MANUAL));
        assertThat(objection(line.get(3), unmarked, true)).contains("bears no mark");

        VersionedState old = new VersionedState(3, line.get(3).state().withEnsemble(null));
        VersionedState marked = new VersionedState(
                4, old.state().withEnsemble(Ensemble.first(servers(3))).stamped());
        assertThat(objection(old, marked, true)).isEmpty();
        assertThat(objection(old, new VersionedState(5, old.state()), true)).isEmpty();
    }

    @Test
    void aCellWithAnotherListDoesNotTakePart() {
        CoordinationView told = told(line.get(5), true);
        for (VersionedState seen : new VersionedState[] {null, line.get(4)}) {
            assertThat(Belief.objection(seen, told, settings(servers(5))))
                    .contains("is not this cell's ensemble")
                    .contains(Ensemble.text(servers(5)))
                    .contains("One server at a time");
            assertThat(Belief.objection(seen, told, settings(servers(4)))).isEmpty();
            assertThat(Belief.objection(seen, told, settings(List.of()))).isEmpty();
        }
        assertThat(Belief.objection(null, told, settings(servers(2))))
                .as("a list that was cut short")
                .contains("left out");
        assertThat(Belief.objection(null, told, settings(List.of("10.0.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.3"))))
                .as("numbers that are shifted")
                .contains("renumbered");
    }

    @Test
    void whatIsNotConnectedIsNotJudged() {
        assertThat(Belief.objection(line.get(3), CoordinationView.nothing(), settings(servers(3))))
                .isEmpty();
    }
}
