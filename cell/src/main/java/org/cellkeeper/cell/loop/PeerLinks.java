package org.cellkeeper.cell.loop;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers;

/** What the other agents have said last, and how the links to them are. */
final class PeerLinks {
    private final Map<CellName, PeerLink> links = new HashMap<>();

    /** What an event calls for: to look at PostgreSQL, and to decide anew. */
    record News(boolean observe, boolean decide) {}

    Map<CellName, PeerLink> links() {
        return links;
    }

    void keepOnly(Collection<CellName> others) {
        links.keySet().retainAll(others);
    }

    News heard(Peers.Event event, CellId self, long now) {
        return switch (event) {
            case Peers.Event.Heard(PeerView view) -> {
                PeerLink before = links.put(view.cell().name(), new PeerLink(PeerLink.Status.CONNECTED, view, now));
                PeerView known = before == null ? null : before.view();
                boolean news = known == null
                        || before == null
                        || before.status() != PeerLink.Status.CONNECTED
                        || known.state() != view.state()
                        || known.health() != view.health()
                        || !Objects.equals(known.streamsFrom(), view.streamsFrom());
                boolean doors = known != null && !Objects.equals(known.doors(), view.doors());
                // An acknowledger, perhaps the first: look at once.
                yield new News(news && self.equals(view.streamsFrom()), news || doors);
            }
            case Peers.Event.Gone(CellName cell) -> {
                lost(cell, PeerLink.Status.GONE);
                // The cause may have taken the WAL stream too: look at once.
                yield new News(true, true);
            }
            case Peers.Event.Doubtful(CellName cell) -> {
                lost(cell, PeerLink.Status.UNKNOWN);
                yield new News(true, true);
            }
        };
    }

    private void lost(CellName cell, PeerLink.Status status) {
        PeerLink before = links.getOrDefault(cell, PeerLink.unknown());
        links.put(cell, new PeerLink(status, before.view(), before.heardMillis()));
    }
}
