package org.cellkeeper.cell.app;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Member;

/**
 * What the app sees of the cluster, at one moment.
 *
 * @param calm whether no change of primary is under way, and the primary is heard, takes writes, and has whom to ask for
 *     acknowledgement
 * @param localCurrent whether this cell's PostgreSQL is the primary, or a standby with a live stream
 */
public record AppContext(
        CellId self,
        long epoch,
        CellId primary,
        boolean calm,
        boolean localCurrent,
        SortedMap<CellName, Member> members) {
    public AppContext {
        members = Collections.unmodifiableSortedMap(new TreeMap<>(members));
    }

    boolean isPrimary() {
        return primary.equals(self);
    }

    /** This very incarnation: a cell that was removed, or that waits to be let in, is none. */
    boolean isMember() {
        Member member = members.get(self.name());
        return member != null && member.incarnation().equals(self.incarnation());
    }
}
