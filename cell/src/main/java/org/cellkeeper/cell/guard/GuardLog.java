package org.cellkeeper.cell.guard;

import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** What the guard says, in the format that agent and ZooKeeper server log in. It has no library to do so. */
final class GuardLog {
    /** Names the format for all processes of a cell: text, or json. */
    static final String FORMAT = "CELLKEEPER_LOG";

    private static final boolean JSON = "json".equals(System.getenv(FORMAT));

    private GuardLog() {}

    static String line(String message) {
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        return JSON ? json(now, message) : now + " guard: " + message;
    }

    static String json(Instant time, String message) {
        return "{\"time\":\"" + time + "\",\"message\":\"" + escaped(message)
                + "\",\"logger\":\"guard\",\"level\":\"INFO\"}";
    }

    private static String escaped(String text) {
        StringBuilder out = new StringBuilder(text.length() + 8);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append("\\u00").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }
}
