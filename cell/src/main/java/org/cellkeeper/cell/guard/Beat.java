package org.cellkeeper.cell.guard;

import org.jspecify.annotations.Nullable;

/**
 * What an agent says in its heartbeat file.
 *
 * @param postmaster its process id, 0 when PostgreSQL does not run
 * @param started when the postmaster started, in the kernel's ticks; 0 when not known
 */
record Beat(Role role, long postmaster, long started) {
    static final Beat NONE = new Beat(Role.NONE, 0, 0);

    /** Null for what is no whole heartbeat. */
    static @Nullable Beat parse(String text) {
        if (!text.endsWith("\n")) {
            return null;
        }
        Role role = null;
        long postmaster = -1;
        long started = 0;
        try {
            for (String word : text.strip().split(" ", -1)) {
                int equals = word.indexOf('=');
                if (equals < 0) {
                    return null;
                }
                String value = word.substring(equals + 1);
                switch (word.substring(0, equals)) {
                    case "role" -> role = Role.parse(value);
                    case "postmaster" -> postmaster = Long.parseLong(value);
                    case "started" -> started = Long.parseLong(value);
                    default -> {
                        // A newer agent may say more.
                    }
                }
            }
        } catch (NumberFormatException garbled) {
            return null;
        }
        return role == null || postmaster < 0 ? null : new Beat(role, postmaster, started);
    }

    String text() {
        return "role=" + role.word() + " postmaster=" + postmaster + " started=" + started + '\n';
    }
}
