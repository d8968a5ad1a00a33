package org.cellkeeper.cell.config;

/**
 * One thing that is wrong.
 *
 * @param where the key, or the environment variable that was set
 * @param what what is wrong with it, and what is allowed
 */
public record Problem(String where, String what) {
    @Override
    public String toString() {
        return where + ": " + what;
    }
}
