package org.cellkeeper.cell.config;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One thing that can be configured, declared once: reading it, complaining about it and documenting it all start here.
 *
 * @param path in the file, with dots
 * @param fallback what holds when nothing is said
 * @param sentence what it is for
 */
record Key<T>(String path, Kind<T> kind, Fallback fallback, String sentence) {
    /** What holds when nothing is said. */
    sealed interface Fallback {
        /** Something must be said. */
        record Required() implements Fallback {}

        record Value(String text) implements Fallback {}

        /** Found out at start; {@code how} is for the documentation. */
        record Computed(String how) implements Fallback {}
    }

    static <T> Key<T> required(String path, Kind<T> kind, String sentence) {
        return new Key<>(path, kind, new Fallback.Required(), sentence);
    }

    static <T> Key<T> with(String path, Kind<T> kind, String value, String sentence) {
        return new Key<>(path, kind, new Fallback.Value(value), sentence);
    }

    static <T> Key<T> computed(String path, Kind<T> kind, String how, String sentence) {
        return new Key<>(path, kind, new Fallback.Computed(how), sentence);
    }

    /** The environment variable that overrides the file. */
    String variable() {
        return "CELL_" + path.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_');
    }

    @Nullable
    String value() {
        return fallback instanceof Fallback.Value(String text) ? text : null;
    }
}
