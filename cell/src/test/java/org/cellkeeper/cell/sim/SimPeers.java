package org.cellkeeper.cell.sim;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers;
import org.jspecify.annotations.Nullable;

/**
 * The links of one run of an agent. What is sent arrives in order or not at all; a dead process is noticed by the reset
 * of its connection, a dead machine or a cut path by nothing.
 */
final class SimPeers implements Peers {
    private static final long HEARTBEAT = 200 * World.MILLI;
    /** What TCP sends again after a short cut: the newest few messages. */
    private static final long RETRANSMITTED = 1_500 * World.MILLI;

    /** One direction of a link, as its sender sees it. */
    private static final class Line {
        final CellName name;
        final SimCell to;
        long lastArrival;

        @Nullable
        PeerView heldBack;

        long heldSince;

        Line(CellName name, SimCell to) {
            this.name = name;
            this.to = to;
        }
    }

    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private final TreeMap<CellName, Line> lines = new TreeMap<>();
    private @Nullable Consumer<Event> listener;
    private @Nullable PeerView view;
    private long beats;

    SimPeers(World world, SimCell cell, AgentProcess agent) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
    }

    @Override
    public void listen(Consumer<Event> newListener) {
        listener = newListener;
    }

    @Override
    public void connectTo(Map<CellName, Address> others) {
        lines.keySet().retainAll(others.keySet());
        new TreeMap<>(others).forEach((name, address) -> {
            SimCell to = world.at(address.host());
            Line old = lines.get(name);
            if (to == null || to == cell || (old != null && old.to == to)) {
                return;
            }
            lines.put(name, new Line(name, to));
        });
    }

    @Override
    public void publish(PeerView newView) {
        view = newView;
        beat(++beats);
    }

    private void beat(long mine) {
        PeerView current = view;
        if (mine != beats || current == null) {
            return;
        }
        for (Line line : lines.values()) {
            send(line, current);
        }
        agent.post(HEARTBEAT, () -> beat(mine));
    }

    private void send(Line line, PeerView message) {
        AgentProcess receiver = line.to.agent();
        if (receiver == null || !receiver.peers().isLinkedWith(cell)) {
            return;
        }
        if (!world.network.flows(SimNetwork.Kind.LINKS, cell, line.to)) {
            if (line.heldBack == null) {
                line.heldSince = world.now();
            }
            line.heldBack = message;
            return;
        }
        PeerView late = line.heldBack;
        line.heldBack = null;
        if (late != null && world.now() - line.heldSince < RETRANSMITTED) {
            deliver(line, receiver, late);
        }
        deliver(line, receiver, message);
    }

    private void deliver(Line line, AgentProcess receiver, PeerView message) {
        long extra = world.network.latency(SimNetwork.Kind.LINKS, cell, line.to);
        line.lastArrival = Math.max(line.lastArrival, world.now() + extra + world.delay(150, 3 * World.MILLI));
        world.post(
                receiver, line.lastArrival - world.now(), () -> receiver.peers().heard(message));
    }

    private @Nullable Line lineTo(SimCell other) {
        for (Line line : lines.values()) {
            if (line.to == other) {
                return line;
            }
        }
        return null;
    }

    private boolean isLinkedWith(SimCell other) {
        return lineTo(other) != null;
    }

    private void heard(PeerView message) {
        tell(new Event.Heard(message));
    }

    private void tell(Event event) {
        Consumer<Event> current = listener;
        if (current != null) {
            current.accept(event);
        }
    }

    /** The connection to a cell broke, or could not be made: one quick retry tells more. */
    private void lost(SimCell other) {
        if (!reachable(other) || other.agent() != null) {
            return;
        }
        agent.post(world.delay(500, 10 * World.MILLI), () -> {
            Line line = lineTo(other);
            if (line != null && reachable(other)) {
                boolean back = other.agent() != null;
                world.note(cell.label(), back ? "link doubtful" : "link gone", other.name(), null);
                tell(back ? new Event.Doubtful(line.name) : new Event.Gone(line.name));
            }
        });
    }

    private boolean reachable(SimCell other) {
        return other.on() && world.network.openBothWays(SimNetwork.Kind.LINKS, cell, other);
    }

    /** Breaks the connection to a living peer, as a router or a full buffer does. */
    void breakLink(SimCell other) {
        agent.post(world.delay(500, 10 * World.MILLI), () -> {
            Line line = lineTo(other);
            if (line != null && reachable(other)) {
                tell(other.agent() != null ? new Event.Doubtful(line.name) : new Event.Gone(line.name));
            }
        });
    }

    void agentDied(boolean reset) {
        if (!reset) {
            return;
        }
        for (SimCell other : world.cells()) {
            AgentProcess there = other.agent();
            if (other != cell && there != null && there.peers().isLinkedWith(cell)) {
                there.post(
                        world.delay(200, 5 * World.MILLI), () -> there.peers().lost(cell));
            }
        }
    }
}
