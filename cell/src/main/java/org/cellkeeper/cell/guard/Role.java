package org.cellkeeper.cell.guard;

import org.jspecify.annotations.Nullable;

/** What the agent takes its PostgreSQL for; the guard must know only whether it may acknowledge commits. */
public enum Role {
    PRIMARY("primary"),
    STANDBY("standby"),
    /** Stopped, or not looked at yet. */
    NONE("none");

    private final String word;

    Role(String word) {
        this.word = word;
    }

    String word() {
        return word;
    }

    static @Nullable Role parse(String word) {
        for (Role role : values()) {
            if (role.word.equals(word)) {
                return role;
            }
        }
        return null;
    }
}
