package org.cellkeeper.cell.cli;

/** Colours, or none. */
enum Ansi {
    PLAIN(0),
    GOOD(32),
    WORSE(33),
    BAD(31),
    FAINT(2),
    LOUD(1);

    private final int code;

    Ansi(int code) {
        this.code = code;
    }

    String on(String text, boolean colours) {
        return !colours || this == PLAIN ? text : "\033[" + code + "m" + text + "\033[0m";
    }
}
