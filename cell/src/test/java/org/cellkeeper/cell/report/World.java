package org.cellkeeper.cell.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.sim.Records;

/** Some cells, what each says, which of them are gone or paused, and who does not hear whom. */
final class World {
    static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
    static final long NOW = 1_000_000;
    static final CellId A = id("cell-1");
    static final CellId B = id("cell-2");
    static final CellId C = id("cell-3");

    final Map<CellId, PeerView> views = new TreeMap<>();
    private final Map<CellName, Address> addresses = new HashMap<>();
    private final Set<CellId> dead = new TreeSet<>();
    private final Set<CellId> paused = new TreeSet<>();
    private final Set<CellId> unlinked = new TreeSet<>();
    private final Set<List<CellId>> cuts = new java.util.HashSet<>();
    ClusterState state;
    int version = 10;
    private boolean zookeeper = true;
    /** How many of the cells run a ZooKeeper server, the first ones; 0 when others do. */
    int servers;

    private final Map<CellId, Standing> standings = new TreeMap<>();

    /** The first one is primary, all others stream from it. */
    World(int cells, FailoverMode mode) {
        servers = cells;
        TreeMap<CellName, Member> members = new TreeMap<>();
        TreeSet<CellId> voters = new TreeSet<>();
        for (int number = 1; number <= cells; number++) {
            CellId cell = id("cell-" + number);
            Address address = new Address("127.0.0.1" + number, 5432, 5480, 5481);
            addresses.put(cell.name(), address);
            members.put(cell.name(), new Member(cell.incarnation(), address, 100, "default"));
            voters.add(cell);
            boolean primary = number == 1;
            views.put(
                    cell,
                    new PeerView(
                            cell,
                            1,
                            version,
                            primary ? CellState.PRIMARY : CellState.STREAMING,
                            PeerView.Health.OK,
                            1,
                            "All is well.",
                            primary ? null : A,
                            primary ? 0 : 1,
                            Lsn.parse(primary ? "0/3000100" : "0/3000000"),
                            null,
                            1,
                            primary ? 0 : 7,
                            42,
                            true,
                            "",
                            false,
                            Trouble.NONE,
                            null,
                            PeerView.Doors.OPEN));
        }
        state = ClusterState.born(A, members.get(A.name()), "7", mode);
        state = new ClusterState(
                1,
                A,
                voters,
                cells / 2,
                new Phase.Steady(),
                1,
                state.reigns(),
                mode,
                state.halted(),
                members,
                "7",
                null);
    }

    World kill(CellId cell) {
        dead.add(cell);
        return this;
    }

    World alive(CellId cell) {
        dead.remove(cell);
        return this;
    }

    /** No other cell has a link to it: its session in ZooKeeper is all they see. */
    World unlink(CellId cell) {
        unlinked.add(cell);
        return this;
    }

    World pause(CellId cell) {
        paused.add(cell);
        return this;
    }

    /** Neither hears the other any more. */
    World cut(CellId one, CellId other) {
        cuts.add(List.of(one, other));
        cuts.add(List.of(other, one));
        return this;
    }

    World says(CellId cell, UnaryOperator<PeerView> change) {
        views.computeIfPresent(cell, (name, said) -> change.apply(said));
        return this;
    }

    World change(UnaryOperator<ClusterState> change) {
        state = change.apply(state);
        version++;
        views.replaceAll((cell, said) -> version(said, version));
        return this;
    }

    World withoutZooKeeper() {
        zookeeper = false;
        views.replaceAll((cell, said) -> data(cutOff(said), said.readOnly(), said.trouble()));
        return this;
    }

    /** The answer of all living cells, which must be the same. */
    ClusterReport same() {
        List<ClusterReport> all = views.keySet().stream()
                .filter(cell -> !dead.contains(cell) && !paused.contains(cell))
                .map(this::from)
                .toList();
        assertThat(all).isNotEmpty();
        for (ClusterReport report : all) {
            assertThat(report).isEqualTo(all.getFirst());
        }
        return all.getFirst();
    }

    ClusterReport from(CellId asked) {
        Map<CellName, PeerLink> links = new HashMap<>();
        Map<CellName, Presence> present = new HashMap<>();
        views.forEach((cell, said) -> {
            if (!dead.contains(cell)) {
                present.put(
                        cell.name(),
                        new Presence(
                                said.cell(),
                                addresses.get(cell.name()),
                                said.state().name()));
            }
            if (!cell.equals(asked) && !unlinked.contains(cell)) {
                links.put(cell.name(), link(asked, cell, said));
            }
        });
        CoordinationView coordination = new CoordinationView(
                zookeeper, zookeeper, zookeeper && state == null, null, 0, Map.of(), present, false, List.of(), "");
        CellSettings settings = new CellSettings(
                asked.name(),
                addresses.get(asked.name()),
                100,
                "default",
                null,
                FailoverMode.AUTOMATIC,
                CellSettings.IsolationResponse.READ_ONLY,
                1,
                CellSettings.Timing.defaults());
        return Health.report(new Known(
                settings,
                NOW,
                NOON,
                state,
                state == null ? -1 : version,
                coordination,
                zookeeper ? 0 : NOW - 30_000,
                views.get(asked),
                links,
                servers()));
    }

    World server(CellId cell, Standing standing) {
        standings.put(cell, standing);
        return this;
    }

    private List<EnsembleServer> servers() {
        List<EnsembleServer> all = new ArrayList<>();
        for (int number = 1; number <= servers; number++) {
            CellId cell = id("cell-" + number);
            Standing usual = dead.contains(cell) || paused.contains(cell)
                    ? Standing.SILENT
                    : zookeeper ? Standing.SERVING : Standing.WAITING;
            all.add(new EnsembleServer(
                    "server " + number + " (" + cell.name() + ")", cell.name(), standings.getOrDefault(cell, usual)));
        }
        return all;
    }

    private PeerLink link(CellId asked, CellId cell, PeerView said) {
        if (dead.contains(cell)) {
            return new PeerLink(PeerLink.Status.GONE, said, NOW - 9_000);
        }
        boolean silent = paused.contains(cell) || cuts.contains(List.of(asked, cell));
        return new PeerLink(PeerLink.Status.CONNECTED, said, silent ? NOW - 9_000 : NOW - 100);
    }

    // ---- what cells say instead

    static World failedOver(FailoverMode mode) {
        return new World(3, mode)
                .kill(A)
                .change(state -> elected(state, B)
                        .recordReign(new Reign(B, 2, Lsn.parse("0/4000000"), Lsn.parse("0/4000000"), 1))
                        .withVoters(Set.of(B, C), 1))
                .says(B, said -> primaryOf(said, 2))
                .says(C, said -> following(said, B, 2));
    }

    static ClusterState elected(ClusterState state, CellId winner) {
        ClusterState sealing = state.propose(winner, Phase.Kind.AUTOMATIC, NOON);
        Halt halt = new Halt(2, "deposed: cell-2 was elected in ballot 2", NOON, null, null);
        return sealing.elect(winner, 2, Map.of(state.primary().name(), halt));
    }

    static PeerView waiting(PeerView said) {
        return view(said, CellState.CATCHING_UP, said.health(), said.epoch(), null, 0);
    }

    static PeerView with(PeerView said, CellState state) {
        return view(said, state, said.health(), said.epoch(), said.streamsFrom(), said.streamEpoch());
    }

    static PeerView health(PeerView said, PeerView.Health health) {
        return view(said, said.state(), health, said.epoch(), said.streamsFrom(), said.streamEpoch());
    }

    static PeerView primaryOf(PeerView said, long epoch) {
        return view(said, CellState.PRIMARY, PeerView.Health.OK, epoch, null, 0);
    }

    static PeerView following(PeerView said, CellId primary, long epoch) {
        return view(said, CellState.STREAMING, PeerView.Health.OK, epoch, primary, epoch);
    }

    static PeerView view(
            PeerView said, CellState state, PeerView.Health health, long epoch, CellId from, long streamEpoch) {
        return new PeerView(
                said.cell(),
                epoch,
                said.version(),
                state,
                health,
                said.rule(),
                said.sentence(),
                from,
                streamEpoch,
                said.received(),
                said.replayed(),
                (int) epoch,
                said.lagMillis(),
                said.progress(),
                said.zookeeper(),
                said.problem(),
                said.readOnly(),
                said.trouble(),
                said.oldestWal(),
                said.doors());
    }

    static PeerView halted(PeerView said, String end) {
        return new PeerView(
                said.cell(),
                1,
                said.version(),
                CellState.HALTED,
                PeerView.Health.DOWN,
                1,
                "Halted.",
                null,
                0,
                Lsn.parse(end),
                null,
                1,
                -1,
                0,
                true,
                "",
                false,
                Trouble.NONE,
                null,
                said.doors());
    }

    static PeerView data(PeerView said, boolean readOnly, Trouble trouble) {
        return Records.with(Records.with(said, "readOnly", readOnly), "trouble", trouble);
    }

    static PeerView version(PeerView said, int version) {
        return Records.with(said, "version", version);
    }

    static PeerView cutOff(PeerView said) {
        return Records.with(said, "zookeeper", false);
    }

    static CellId id(String name) {
        return new CellId(new CellName(name), Incarnation.of(name.hashCode()));
    }

    static Node node(ClusterReport report, CellId cell) {
        return report.nodes().stream()
                .filter(node -> node.name().equals(cell.name()))
                .findFirst()
                .orElseThrow();
    }
}
