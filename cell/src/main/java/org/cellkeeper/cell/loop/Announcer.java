package org.cellkeeper.cell.loop;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.Rule;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;

/** Tells the others of this cell after each decision: the agents how it is, ZooKeeper that it is there and whether it reigns. */
final class Announcer {
    private static final String EMPTY_SERVER =
            "this cell's ZooKeeper server holds no data and votes for nobody until it has them from a leader: when a majority"
                    + " of the servers is so, stop them and copy zookeeper/data of a cell that has them";

    private final Ports ports;
    private final PeerLinks peers;

    private @Nullable List<String> runsWith;
    private boolean serverIsEmpty;
    private String serverProblem = "";

    private @Nullable PeerView published;
    private long publishedAt;
    private @Nullable Presence presence;
    private Map<CellName, Address> connected = Map.of();
    private long announcedEpoch;

    /** @param servers the hosts of the ZooKeeper servers that this cell's own is to run with */
    Announcer(Ports ports, PeerLinks peers, List<String> servers) {
        this.ports = ports;
        this.peers = peers;
        this.runsWith = servers;
    }

    void ownServer(@Nullable List<String> servers, boolean empty, String problem) {
        runsWith = servers;
        serverIsEmpty = empty;
        serverProblem = problem;
    }

    /** What this cell says of itself, with all that is wrong with it. */
    PeerView inWords(View view, PeerView mine, String lastFailure) {
        boolean lacksAll = serverIsEmpty && !view.coordinationKnown() && view.state() != null;
        String server = !serverProblem.isEmpty() || !lacksAll ? serverProblem : EMPTY_SERVER;
        String shut = ports.door().status().problem();
        String door = shut.isEmpty() ? "" : "the door is down: " + shut;
        return withProblem(withProblem(withProblem(mine, server), lastFailure), door);
    }

    private static PeerView withProblem(PeerView mine, String words) {
        return words.isEmpty()
                ? mine
                : mine.withWords(mine.sentence(), mine.problem().isEmpty() ? words : mine.problem() + "; " + words);
    }

    void tell(Plan plan, View view, PeerView mine, @Nullable VersionedState seen) {
        tellPeers(view, mine);
        tellPresence(plan, view, mine, seen);
        connect(view);
        announce(view);
    }

    private void tellPeers(View view, PeerView mine) {
        PeerView before = published;
        boolean changed = before == null
                || before.state() != mine.state()
                || before.health() != mine.health()
                || !before.cell().equals(mine.cell())
                || !Objects.equals(before.streamsFrom(), mine.streamsFrom())
                || !Objects.equals(before.doors(), mine.doors());
        if (changed
                || view.now() - publishedAt >= view.settings().timing().tick().toMillis()) {
            published = mine;
            publishedAt = view.now();
            ports.peers().publish(mine);
        }
    }

    /** Who this cell is, at once. How it is, when it is calm: nobody decides by that, and it costs every ZooKeeper server a write. */
    private void tellPresence(Plan plan, View view, PeerView mine, @Nullable VersionedState seen) {
        String cluster = seen == null ? null : seen.state().systemId();
        Presence now = new Presence(
                mine.cell(), view.settings().address(), mine.state().name(), cluster, runsWith);
        Presence told = presence;
        boolean another = told == null || !told.cell().equals(now.cell());
        if (another || (plan.rule().pace() == Rule.Pace.NORMAL && !now.equals(told))) {
            presence = now;
            var ignored = ports.coordination().publishPresence(now);
        }
    }

    private void connect(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return;
        }
        TreeMap<CellName, Address> others = new TreeMap<>();
        state.members().forEach((name, member) -> {
            if (!name.equals(view.settings().name())) {
                others.put(name, member.address());
            }
        });
        if (!others.equals(connected)) {
            connected = Map.copyOf(others);
            peers.keepOnly(others.keySet());
            ports.peers().connectTo(others);
        }
    }

    private void announce(View view) {
        ClusterState state = view.state();
        boolean reigns = state != null
                && state.primary().equals(view.self())
                && state.reign() != null
                && view.database().isPrimary();
        long epoch = reigns && state != null ? state.epoch() : 0;
        if (epoch != announcedEpoch) {
            announcedEpoch = epoch;
            var ignored = epoch == 0
                    ? ports.coordination().resignLeader()
                    : ports.coordination().announceLeader(view.self(), epoch);
        }
    }
}
