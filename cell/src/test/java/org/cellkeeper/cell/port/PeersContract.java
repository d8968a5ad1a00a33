package org.cellkeeper.cell.port;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers.Event;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the core relies on, whether the links are real or simulated. */
public abstract class PeersContract {
    protected static final CellName A = new CellName("cell-a");
    protected static final CellName B = new CellName("cell-b");
    protected static final CellName C = new CellName("cell-c");

    private static final Duration SOON = Duration.ofSeconds(5);
    private static final Duration A_FEW_HEARTBEATS = Duration.ofMillis(700);

    private final Map<CellName, List<Event>> events = new HashMap<>();
    private final Map<CellName, Peers> agents = new HashMap<>();

    /** Starts an agent that listens on its {@link #address} and dials nobody yet. */
    protected abstract Peers start(CellName cell) throws Exception;

    /** Ends an agent the hard way: its connections are reset, and new ones refused. */
    protected abstract void kill(CellName cell) throws Exception;

    /** The same for an agent across restarts. */
    protected abstract Address address(CellName cell);

    /** Lets time pass until it holds, or the limit is reached; tells whether it holds. */
    protected abstract boolean passesWithin(Duration limit, BooleanSupplier condition) throws Exception;

    @BeforeEach
    final void startThree() throws Exception {
        for (CellName cell : List.of(A, B, C)) {
            run(cell);
        }
    }

    @AfterEach
    final void killAll() throws Exception {
        for (CellName cell : List.copyOf(agents.keySet())) {
            kill(cell);
        }
    }

    protected final Peers agent(CellName cell) {
        return agents.get(cell);
    }

    protected final void run(CellName cell) throws Exception {
        Peers peers = start(cell);
        List<Event> heard = new CopyOnWriteArrayList<>();
        events.put(cell, heard);
        agents.put(cell, peers);
        peers.listen(heard::add);
    }

    protected final void end(CellName cell) throws Exception {
        kill(cell);
        agents.remove(cell);
    }

    /** All agents that run are linked with all three, and have published a view with this epoch. */
    protected final void linkAll(long epoch) {
        agents.forEach((cell, peers) -> {
            peers.connectTo(everyone());
            peers.publish(view(cell, epoch));
        });
    }

    protected final Map<CellName, Address> everyone() {
        return Map.of(A, address(A), B, address(B), C, address(C));
    }

    protected final List<Event> events(CellName cell) {
        return events.get(cell);
    }

    protected final boolean heard(CellName by, PeerView view) {
        return events.get(by).contains(new Event.Heard(view));
    }

    protected final void awaitHeard(CellName by, PeerView view) throws Exception {
        assertThat(passesWithin(SOON, () -> heard(by, view)))
                .as("%s hears epoch %s of %s", by, view.epoch(), view.cell())
                .isTrue();
    }

    protected final void awaitEvent(CellName by, Event event) throws Exception {
        assertThat(passesWithin(SOON, () -> events.get(by).contains(event)))
                .as("%s is told %s", by, event)
                .isTrue();
    }

    protected final void letPass(Duration time) throws Exception {
        passesWithin(time, () -> false);
    }

    protected static PeerView view(CellName cell, long epoch) {
        return view(cell, epoch, "streams");
    }

    protected static PeerView view(CellName cell, long epoch, String sentence) {
        return new PeerView(
                new CellId(cell, new Incarnation("0123abcd")),
                epoch,
                3,
                CellState.STREAMING,
                PeerView.Health.OK,
                12,
                sentence,
                new CellId(A, new Incarnation("0123abcd")),
                epoch,
                Lsn.parse("0/3000060"),
                null,
                1,
                -1,
                100,
                true,
                "",
                false,
                PeerView.Trouble.WAL_GONE,
                Lsn.parse("0/2000000"),
                PeerView.Doors.OPEN);
    }

    @Test
    void everyAgentHearsEveryOtherAndNobodyHearsItself() throws Exception {
        linkAll(1);
        for (CellName by : List.of(A, B, C)) {
            for (CellName of : List.of(A, B, C)) {
                if (!by.equals(of)) {
                    awaitHeard(by, view(of, 1));
                }
            }
            assertThat(heard(by, view(by, 1))).isFalse();
        }
    }

    @Test
    void aViewIsRepeatedAtEveryHeartbeat() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        events(B).clear();
        letPass(A_FEW_HEARTBEATS);
        assertThat(events(B).stream()
                        .filter(new Event.Heard(view(A, 1))::equals)
                        .count())
                .isBetween(2L, 5L);
    }

    @Test
    void theNewestViewIsHeardInTheEnd() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        for (int epoch = 2; epoch <= 500; epoch++) {
            agent(A).publish(view(A, epoch));
        }
        awaitHeard(B, view(A, 500));
        awaitHeard(C, view(A, 500));
        List<Long> epochs = new ArrayList<>();
        for (Event event : events(B)) {
            if (event instanceof Event.Heard(PeerView view)
                    && view.cell().name().equals(A)) {
                epochs.add(view.epoch());
            }
        }
        assertThat(epochs).isSorted();
    }

    @Test
    void aKilledAgentIsGoneForTheOthersAndHeardAgainAfterItsRestart() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        awaitHeard(C, view(A, 1));
        end(A);
        awaitEvent(B, new Event.Gone(A));
        awaitEvent(C, new Event.Gone(A));
        assertThat(events(B)).doesNotContain(new Event.Gone(C));

        run(A);
        agent(A).connectTo(everyone());
        agent(A).publish(view(A, 2));
        awaitHeard(B, view(A, 2));
        awaitHeard(C, view(A, 2));
        awaitHeard(A, view(B, 1));
        events(B).clear();
        letPass(A_FEW_HEARTBEATS);
        assertThat(events(B)).doesNotContain(new Event.Gone(A), new Event.Doubtful(A));
    }

    @Test
    void anAgentThatWasNeverThereIsNotGone() throws Exception {
        end(C);
        linkAll(1);
        awaitHeard(B, view(A, 1));
        letPass(A_FEW_HEARTBEATS);
        assertThat(events(B)).noneMatch(event -> event instanceof Event.Gone || event instanceof Event.Doubtful);
    }

    @Test
    void onlyThoseWhomItIsToBeLinkedWithAreHeard() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        awaitHeard(B, view(C, 1));
        agent(B).connectTo(Map.of(A, address(A)));
        letPass(Duration.ofMillis(100));
        events(B).clear();
        end(C);
        letPass(A_FEW_HEARTBEATS);
        assertThat(events(B)).isNotEmpty().allMatch(new Event.Heard(view(A, 1))::equals);
    }

    @Test
    void beingToldTheSameAgainChangesNothing() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        awaitHeard(A, view(B, 1));
        for (CellName cell : List.of(A, B, C)) {
            events(cell).clear();
        }
        for (int i = 0; i < 50; i++) {
            agent(B).connectTo(everyone());
        }
        letPass(A_FEW_HEARTBEATS);
        for (CellName cell : List.of(A, B, C)) {
            assertThat(events(cell)).isNotEmpty().allMatch(Event.Heard.class::isInstance);
        }
    }
}
