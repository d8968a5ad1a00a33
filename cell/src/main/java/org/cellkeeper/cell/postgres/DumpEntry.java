package org.cellkeeper.cell.postgres;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a line of a dump's table of contents names, as pg_restore lists it.
 *
 * @param object its class and its own id in the catalogs of the database that was dumped
 * @param words kind, schema, name and owner
 */
record DumpEntry(String id, String object, String words, String owner) {
    private static final Pattern LINE = Pattern.compile("([0-9]+); ([0-9]+ [0-9]+) (.*)");

    /**
     * Null when the line is none that names something.
     *
     * @param roles all that may own something
     */
    static @Nullable DumpEntry parse(String line, List<String> roles) {
        Matcher matcher = LINE.matcher(line);
        if (!matcher.matches()) {
            return null;
        }
        String words = matcher.group(3);
        return new DumpEntry(matcher.group(1), matcher.group(2), words, owner(words, roles));
    }

    /** The last word, or words, of a line; the application's role where it is not clear. */
    private static String owner(String words, List<String> roles) {
        List<String> fits =
                roles.stream().filter(role -> words.endsWith(" " + role)).toList();
        return fits.size() == 1 ? fits.getFirst() : PostgresSettings.APPLICATION;
    }

    DumpEntry of(String newOwner) {
        return new DumpEntry(id, object, words, newOwner);
    }

    boolean is(String kind) {
        return words.startsWith(kind + " ");
    }

    /** The kinds' words could be those of a schema, so where there is an object its class tells. */
    boolean isData() {
        return object.startsWith("0 ") && (is("TABLE DATA") || is("SEQUENCE SET") || is("BLOBS"));
    }

    boolean isGrant() {
        return (object.equals("0 0") && is("ACL")) || object.startsWith("826 ");
    }

    boolean isComment() {
        return object.equals("0 0") && is("COMMENT");
    }

    /** Made already, with what they are commented by. */
    boolean isSchemaOrExtension() {
        return object.startsWith("2615 ") || object.startsWith("3079 ") || is("COMMENT - EXTENSION");
    }

    boolean isEarlyGrant() {
        return is("ACL - FOREIGN DATA WRAPPER") || is("ACL - LANGUAGE");
    }
}
