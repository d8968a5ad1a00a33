package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What others write into PostgreSQL's files that is the cell's to write, or that PostgreSQL would not start with, is put right while
 * PostgreSQL runs, and told. Else a failover would be the first to find it. Safe for any thread.
 */
final class ForeignEdits {
    private static final Logger LOG = LoggerFactory.getLogger(ForeignEdits.class);

    private final SettingsFile file;
    private final Programs programs;
    private final Postmaster postmaster;
    private final Notices notices;
    private volatile boolean adopted;

    ForeignEdits(SettingsFile file, Programs programs, Postmaster postmaster, Notices notices) {
        this.file = file;
        this.programs = programs;
        this.postmaster = postmaster;
        this.notices = notices;
    }

    /** From now on what is not as this agent is configured is somebody else's, and no earlier agent's. */
    void adopted() {
        adopted = true;
    }

    /** Costs nothing while nobody has changed a file. Says what cannot be put right. */
    List<String> putRight(Postmaster.Run run) {
        if (!adopted) {
            return List.of();
        }
        List<String> problems = new ArrayList<>();
        try {
            tell(run, file.auto().strikeOwned());
        } catch (IOException | RuntimeException e) {
            problems.add("what ALTER SYSTEM has set cannot be put right: " + e.getMessage());
        }
        try {
            List<String> changed = file.putRight();
            if (!changed.isEmpty()) {
                tell(
                        run,
                        List.of(String.join(", ", changed)
                                + " had been changed, which the cell alone writes: that is undone. Settings belong into the"
                                + " cell's configuration"));
            }
        } catch (IOException | RuntimeException e) {
            problems.add("PostgreSQL's files cannot be put right: " + e.getMessage());
        }
        return problems;
    }

    /** Has PostgreSQL judge what ALTER SYSTEM has set since the last time. */
    void judge(Postmaster.Run run) throws IOException {
        tell(run, file.auto().strikeRefused(programs.folder()));
    }

    /** The same before a start, which it would keep from coming about. */
    void judgeAtRest() {
        try {
            file.auto().strikeRefused(programs.folder()).forEach(notices::tell);
        } catch (IOException | RuntimeException e) {
            LOG.warn("What ALTER SYSTEM has set cannot be judged: {}", e.getMessage());
        }
    }

    private void tell(Postmaster.Run run, List<String> putRight) {
        if (!putRight.isEmpty()) {
            postmaster.reload(run);
            putRight.forEach(notices::tell);
        }
    }
}
