package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a restore has to know of the application's database before it loads a dump of it: read from the catalogs alone, in a
 * session that looks into no other schema, so that nothing runs which a user of the database wrote.
 *
 * @param roles all that are made again where they are missing
 * @param names of all roles, the superusers too
 * @param owners who own anything in the database; never the first superuser, the agent's own
 * @param outOfReach what only a superuser can make
 * @param ofSuperusers what superusers own otherwise: others can make it
 * @param torn tables whose parent is another role's, which no session of one owner can make
 */
record Inventory(
        List<Role> roles,
        List<String> names,
        Set<String> owners,
        List<Schema> schemas,
        List<Extension> extensions,
        List<Thing> outOfReach,
        List<Thing> ofSuperusers,
        List<Thing> torn) {

    /** @param privileged a superuser, or one for replication: it comes back without that, and may not log in */
    record Role(
            String name,
            boolean login,
            boolean privileged,
            @Nullable String password) {
        String warning() {
            return "role " + name + " (without SUPERUSER or REPLICATION, and it may not log in)";
        }

        @Override
        public String toString() {
            return "Role[" + name + "]";
        }
    }

    record Schema(String name, String owner) {}

    record Extension(String name, String schema, String owner) {
        private static final String AVAILABLE = "SELECT name FROM pg_available_extensions WHERE name = ?";

        private static final String LIBRARIES = """
                SELECT DISTINCT p.probin FROM pg_proc p, pg_language l, pg_depend d, pg_extension e
                WHERE l.oid = p.prolang AND l.lanname = 'c' AND d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' AND e.extname = ?
                ORDER BY 1""";

        private static final Pattern OWN_LIBRARY = Pattern.compile("(?:\\$libdir/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*");

        /** Of what PostgreSQL says when a file is not there, or cannot be loaded. */
        private static final String SYSTEM_ERROR = "58";

        /** What this machine lacks to make it, each in words. One that wants to be loaded at the server's start is not lacking. */
        List<String> lacking(Connection session) throws SQLException {
            if (names(session, AVAILABLE).isEmpty()) {
                return List.of("extension " + name + " (it is not installed here)");
            }
            List<String> lacking = new ArrayList<>();
            for (String library : names(session, LIBRARIES)) {
                if (!OWN_LIBRARY.matcher(library).matches()) {
                    lacking.add(
                            "extension " + name + " (its library " + library + " is none of this PostgreSQL's own)");
                    continue;
                }
                try (Statement statement = session.createStatement()) {
                    statement.execute("LOAD " + LocalPostgres.literal(library));
                } catch (SQLException e) {
                    if (String.valueOf(e.getSQLState()).startsWith(SYSTEM_ERROR)) {
                        lacking.add("extension " + name + " (" + e.getMessage() + ")");
                    }
                }
            }
            return lacking;
        }

        private List<String> names(Connection session, String question) throws SQLException {
            List<String> names = new ArrayList<>();
            try (PreparedStatement statement = session.prepareStatement(question)) {
                statement.setString(1, name);
                try (ResultSet row = statement.executeQuery()) {
                    while (row.next()) {
                        names.add(row.getString(1));
                    }
                }
            }
            return names;
        }
    }

    /** @param id its class and its object id, as a dump's table of contents has them */
    record Thing(String id, String words, String owner) {
        String leftOut() {
            return words + " (left out: only a superuser can make it)";
        }

        String tearsARestore() {
            return words + " (no restore comes off while its parent is another role's than " + owner
                    + ": ALTER TABLE ... OWNER TO)";
        }

        String becomesTheApplications() {
            return words + " (of " + owner + ": it becomes " + PostgresSettings.APPLICATION + "'s where " + owner
                    + " is a superuser)";
        }
    }

    /** A superuser counts only when the database needs its name; the first one, the agent's own, never does. */
    private static final String ROLES = """
            SELECT r.rolname, r.rolcanlogin, r.rolsuper OR r.rolreplication, r.rolpassword FROM pg_authid r
            WHERE r.rolname !~ '^pg_' AND (NOT (r.rolsuper OR r.rolreplication) OR EXISTS (
              SELECT FROM pg_shdepend s, pg_database d WHERE d.datname = current_database() AND s.dbid = d.oid
              AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid))
            ORDER BY 1""";

    private static final String OWNERS = """
            SELECT DISTINCT r.rolname FROM pg_authid r, pg_shdepend s, pg_database d
            WHERE d.datname = current_database() AND s.dbid = d.oid AND s.deptype = 'o'
            AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid""";

    private static final String NO_MEMBER = """
            NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = c AND m.objid = o AND m.deptype = 'e')""";

    private static final String SCHEMAS = """
            SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace,
              LATERAL (SELECT 'pg_namespace'::regclass AS c, oid AS o) x
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND %s ORDER BY nspname""".formatted(NO_MEMBER);

    private static final String EXTENSIONS = """
            SELECT extname, nspname, pg_get_userbyid(extowner) FROM pg_extension e, pg_namespace n
            WHERE n.oid = e.extnamespace AND e.oid >= 16384 ORDER BY e.oid""";

    /** What takes a superuser to make it, or to fill it, and is no part of an extension. */
    private static final String OUT_OF_REACH = """
            WITH made (c, o) AS (
              SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
              UNION ALL SELECT 'pg_subscription'::regclass, s.oid FROM pg_subscription s, pg_database d
                WHERE d.oid = s.subdbid AND d.datname = current_database()
              UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
              UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
              UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language
              UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass
              UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily
              UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
              UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast WHERE castmethod = 'b'
              UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication WHERE puballtables
              UNION ALL SELECT 'pg_publication_namespace'::regclass, oid FROM pg_publication_namespace
              UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type t
                WHERE typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
              UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p, pg_language l
                WHERE l.oid = p.prolang AND (p.proleakproof OR NOT l.lanpltrusted)
                AND NOT EXISTS (SELECT FROM pg_depend m
                  WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'i'))
            SELECT c::oid || ' ' || o, pg_describe_object(c, o, 0), '' FROM made WHERE o >= 16384 AND %s
            UNION ALL SELECT '0 ' || t.oid, 'rows of ' || pg_describe_object('pg_class'::regclass, t.oid, 0), ''
              FROM pg_extension e, pg_class t, pg_authid r
              WHERE t.oid = ANY (e.extconfig) AND r.oid = t.relowner AND r.rolsuper
            ORDER BY 2""".formatted(NO_MEMBER);

    private static final String OF_SUPERUSERS = """
            WITH owned (c, o, owner) AS (
              SELECT 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
              UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
              UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace WHERE nspname !~ '^pg_'
              UNION ALL SELECT 'pg_type'::regclass, t.oid, typowner FROM pg_type t WHERE typtype IN ('d', 'e', 'r')
                OR (typtype = 'c' AND EXISTS (SELECT FROM pg_class k WHERE k.oid = t.typrelid AND k.relkind = 'c')))
            SELECT c::oid || ' ' || o, pg_describe_object(c, o, 0), r.rolname FROM owned, pg_authid r
            WHERE o >= 16384 AND r.oid = owner AND r.rolsuper AND %s
            AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = c AND i.objid = o AND i.deptype IN ('i', 'a'))
            ORDER BY 2""".formatted(NO_MEMBER);

    /** What superusers own counts as the application's. */
    private static final String TORN = """
            WITH tables (o, owner) AS (
              SELECT t.oid, CASE WHEN r.rolsuper THEN '%s' ELSE r.rolname END FROM pg_class t, pg_authid r
              WHERE r.oid = t.relowner AND t.relkind IN ('r', 'p', 'f'))
            SELECT child.o::text, pg_describe_object('pg_class'::regclass, child.o, 0), child.owner
            FROM pg_inherits i, tables child, tables parent
            WHERE child.o = i.inhrelid AND parent.o = i.inhparent AND child.owner <> parent.owner
            ORDER BY 2""".formatted(PostgresSettings.APPLICATION);

    /** @param session in the database, of a superuser */
    static Inventory read(Connection session) throws SQLException {
        List<Thing> outOfReach = things(session, OUT_OF_REACH);
        Set<String> unreachable = outOfReach.stream().map(Thing::id).collect(Collectors.toSet());
        return new Inventory(
                rows(session, ROLES, 4).stream()
                        .map(row -> new Role(row[0], row[1].equals("t"), row[2].equals("t"), row[3]))
                        .toList(),
                rows(session, "SELECT rolname FROM pg_authid", 1).stream()
                        .map(row -> row[0])
                        .toList(),
                Set.copyOf(rows(session, OWNERS, 1).stream().map(row -> row[0]).toList()),
                rows(session, SCHEMAS, 2).stream()
                        .map(row -> new Schema(row[0], row[1]))
                        .toList(),
                rows(session, EXTENSIONS, 3).stream()
                        .map(row -> new Extension(row[0], row[1], row[2]))
                        .toList(),
                outOfReach,
                things(session, OF_SUPERUSERS).stream()
                        .filter(thing -> !unreachable.contains(thing.id()))
                        .toList(),
                things(session, TORN));
    }

    private static List<Thing> things(Connection session, String question) throws SQLException {
        return rows(session, question, 3).stream()
                .map(row -> new Thing(row[0], row[1], row[2]))
                .toList();
    }

    /** All that a restore may not bring back as it is, each in words. */
    List<String> warnings() {
        return Stream.of(
                        roles.stream().filter(Role::privileged).map(Role::warning),
                        torn.stream().map(Thing::tearsARestore),
                        outOfReach.stream().map(Thing::leftOut),
                        ofSuperusers.stream().map(Thing::becomesTheApplications))
                .flatMap(all -> all)
                .toList();
    }

    private static List<String[]> rows(Connection session, String question, int columns) throws SQLException {
        List<String[]> rows = new ArrayList<>();
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(question)) {
            while (row.next()) {
                String[] values = new String[columns];
                for (int column = 0; column < columns; column++) {
                    values[column] = row.getString(column + 1);
                }
                rows.add(values);
            }
        }
        return rows;
    }
}
