package org.cellkeeper.cell.postgres;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Ends streams that bear a cell's name and are not that cell's, and tells of them. PostgreSQL itself counts acknowledgements by the name
 * alone. Observer's thread only.
 */
final class Impostors {
    private final Postmaster postmaster;
    private final Notices notices;
    /** Who held no slot of that cell at the last look: one that has just ended looks the same. */
    private Set<Observation.Impostor> suspects = Set.of();

    Impostors(Postmaster postmaster, Notices notices) {
        this.postmaster = postmaster;
        this.notices = notices;
    }

    void end(Postmaster.Run run, List<Observation.Impostor> seen) {
        if (seen.isEmpty()) {
            suspects = Set.of();
            return;
        }
        List<Long> pids = new ArrayList<>();
        for (Observation.Impostor impostor : seen) {
            if (impostor.certificate() != null || suspects.contains(impostor)) {
                pids.add((long) impostor.pid());
                notices.tell(words(impostor));
            }
        }
        suspects = new HashSet<>(seen);
        if (!pids.isEmpty() && run.equals(postmaster.find())) {
            postmaster.signal("TERM", pids);
        }
    }

    private static String words(Observation.Impostor impostor) {
        String certificate = impostor.certificate();
        String what = certificate == null
                ? "that does not hold its slot"
                : certificate.isEmpty() ? "without its certificate" : "with the certificate " + certificate;
        return "a stream under the name of " + impostor.name().cell().name() + " " + what
                + " was ended: somebody may have copied data, or acknowledged commits for that cell";
    }
}
