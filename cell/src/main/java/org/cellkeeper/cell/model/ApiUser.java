package org.cellkeeper.cell.model;

/** Somebody who may use the API. */
public record ApiUser(String name, Role role, Secret secret) {
    public static final String ROOT = "root";
    public static final String MONITOR = "monitor";

    /** What a user may do. */
    public enum Role {
        /** Everything. */
        ROOT,
        /** Read what changes nothing, and how the cell is. */
        MONITOR
    }

    /** What a user is known by. */
    public sealed interface Secret {
        /** All of it, as only this very user's secret is. */
        String text();

        record Password(String text) implements Secret {
            @Override
            public String toString() {
                return "***";
            }
        }

        /** The text that a salted hash of the password is written as. */
        record Hash(String text) implements Secret {
            @Override
            public String toString() {
                return "***";
            }
        }
    }
}
