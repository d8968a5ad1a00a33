package org.cellkeeper.cell.port;

import java.util.Map;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.PeerView;

/** The authenticated links between the agents. */
public interface Peers {
    /** What a link tells; delivered on any thread. */
    sealed interface Event {
        /** A view came. */
        record Heard(PeerView view) implements Event {}

        /** The connection was lost, and one quick retry was refused too. */
        record Gone(CellName cell) implements Event {}

        /** The connection was lost, but the quick retry was accepted: nothing is known until a view comes. */
        record Doubtful(CellName cell) implements Event {}
    }

    void listen(Consumer<Event> listener);

    /** Sends this view to all at once, and again at every heartbeat until the next call. */
    void publish(PeerView view);

    /** Whom to be linked with; replaces the previous answer. */
    void connectTo(Map<CellName, Address> others);
}
