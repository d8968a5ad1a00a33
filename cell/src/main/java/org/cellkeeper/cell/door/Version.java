package org.cellkeeper.cell.door;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Which PgBouncer this is. */
record Version(int major, int minor) {
    /** Older ones were not tried. */
    static final Version OLDEST = new Version(1, 17);

    private static final Pattern WORDS = Pattern.compile("PgBouncer ([0-9]{1,4})\\.([0-9]{1,4})");

    /** Of what the program says of itself; null when that is none. */
    static @Nullable Version in(String words) {
        Matcher matcher = WORDS.matcher(words);
        return matcher.find()
                ? new Version(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)))
                : null;
    }

    boolean isAtLeast(Version other) {
        return major > other.major || (major == other.major && minor >= other.minor);
    }

    @Override
    public String toString() {
        return major + "." + minor;
    }
}
