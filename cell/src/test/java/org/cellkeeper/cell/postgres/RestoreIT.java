package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a backup of a real PostgreSQL brings back, and with whose rights what its users wrote runs meanwhile. */
final class RestoreIT {
    private static final long EPOCH = 3;

    /** Holds some 1300 locks, and more in what is left of its shared memory: too few for a lock on each of these. */
    private static final Map<String, String> FEW_LOCKS = Map.of("max_locks_per_transaction", "10");

    private static final int MANY_TABLES = 1500;

    private static PostgresBench bench;
    private static Path share;
    private static PostgresArchive archive;
    private static int copies;

    @BeforeAll
    static void start() throws IOException {
        bench = new PostgresBench(FEW_LOCKS);
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        SyncSetting setting = SyncSetting.of(Set.of(bench.id("b")), 1, EPOCH);
        bench.get(bench.database("a").applySync(setting));
        share = bench.dataDir("a").resolveSibling("share");
        new OwnedFiles(PostgresBench.osUser()).makeFolder(share, "rwxr-xr-x");
        archive = new PostgresArchive(bench.settings("a"));
    }

    @AfterAll
    static void stop() {
        bench.close();
    }

    @BeforeEach
    @AfterEach
    void anEmptyDatabase() throws SQLException, IOException {
        // The superuser's own look at a tenant's tables runs what the tenant wrote.
        for (String file : list("a", "SELECT f FROM pg_ls_dir('" + share + "') f WHERE f ~ '^gained'")) {
            Files.delete(share.resolve(file));
        }
        try (Connection session = bench.agent("a", "postgres");
                Statement statement = session.createStatement()) {
            statement.execute("ALTER ROLE vcloud NOSUPERUSER");
            for (String database : list("a", "SELECT datname FROM pg_database WHERE datname ~ '^vcloud'")) {
                statement.execute("DROP DATABASE " + database + " WITH (FORCE)");
            }
            statement.execute("CREATE DATABASE vcloud OWNER vcloud TEMPLATE template0");
            for (String role : list(
                    "a",
                    "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname !~ '^(pg_|cellkeeper$|vcloud$|replicator$|cellkeeper_app$)'")) {
                statement.execute("DROP ROLE " + role);
            }
        }
    }

    private static List<String> list(String name, String sql) throws SQLException {
        return list(name, "postgres", sql);
    }

    private static List<String> list(String name, String database, String sql) throws SQLException {
        List<String> found = new ArrayList<>();
        try (Connection session = bench.agent(name, database);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            while (row.next()) {
                found.add(row.getString(1));
            }
        }
        return found;
    }

    private static List<String> rows(String sql) throws SQLException {
        return list("a", "vcloud", sql);
    }

    private static void asTenant(String... statements) throws SQLException {
        try (Connection session = bench.client("a");
                Statement statement = session.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    private static void asSuperuser(String... statements) throws SQLException {
        for (String sql : statements) {
            bench.execute("a", sql);
        }
    }

    private record Copy(Path folder, DatabaseArchive.Origin origin) {
        private DatabaseArchive.Copy files() {
            return FolderCopy.of(folder, origin.unpackedBytes());
        }

        private String restore() {
            return archive.restore(files(), origin.databaseBytes(), percent -> {});
        }
    }

    private static Copy backUp() {
        Path folder = share.resolve("copy-" + ++copies);
        return new Copy(folder, FolderCopy.make(archive, folder));
    }

    private static void loseTheDatabase() throws SQLException {
        try (Connection session = bench.agent("a", "postgres");
                Statement statement = session.createStatement()) {
            statement.execute("DROP DATABASE vcloud WITH (FORCE)");
        }
    }

    // ---- whose rights

    /**
     * Tries by all means to do what takes more than the application's role may: on the live primary a role of the case's name tells,
     * and a file does wherever it was, on the scratch instance too.
     */
    private static final String STEAL = """
            CREATE FUNCTION public.steal(what text) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; EXCEPTION WHEN OTHERS THEN NULL; END;
              BEGIN EXECUTE 'RESET ROLE'; EXCEPTION WHEN OTHERS THEN NULL; END;
              BEGIN
                EXECUTE format('COPY (SELECT 1) TO %L', 'FOLDER/gained_by_' || what);
              EXCEPTION WHEN OTHERS THEN NULL;
              END;
              BEGIN
                EXECUTE format('CREATE ROLE %I', 'gained_by_' || what);
                EXECUTE 'ALTER ROLE vcloud SUPERUSER';
              EXCEPTION WHEN insufficient_privilege THEN NULL; WHEN duplicate_object THEN NULL;
              END;
            END $$""";

    private static String steal() {
        return STEAL.replace("FOLDER", share.toString());
    }

    private static List<String> gained() throws SQLException {
        List<String> gained = new ArrayList<>(list("a", "SELECT rolname FROM pg_roles WHERE rolname ~ '^gained'"));
        gained.addAll(list("a", "SELECT f FROM pg_ls_dir('" + share + "') f WHERE f ~ '^gained'"));
        return gained;
    }

    /** Says that it is immutable, so that an index, a generated column and a planner's folding take it. */
    private static String function(String what) {
        return "CREATE FUNCTION public." + what + "(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
                + "$$ BEGIN PERFORM public.steal('" + what + "'); RETURN n; END $$";
    }

    /** A place where a tenant's function can be written, by its name. */
    private static final Map<String, String> PLACES = Map.ofEntries(
            Map.entry("in_check", "CREATE TABLE t1 (n int CHECK (in_check(n) = n)); INSERT INTO t1 VALUES (1)"),
            Map.entry(
                    "in_domain",
                    "CREATE DOMAIN d2 AS int CHECK (in_domain(VALUE) = VALUE); CREATE TABLE t2 (n d2);"
                            + " INSERT INTO t2 VALUES (1)"),
            Map.entry(
                    "in_generated_column",
                    "CREATE TABLE t3 (n int, m int GENERATED ALWAYS AS (in_generated_column(n)) STORED);"
                            + " INSERT INTO t3 VALUES (1)"),
            Map.entry(
                    "in_partition_key",
                    "CREATE TABLE t4 (n int) PARTITION BY RANGE ((n + in_partition_key(1)));"
                            + " CREATE TABLE t4a PARTITION OF t4 FOR VALUES FROM (0) TO (9); INSERT INTO t4 VALUES (1)"),
            Map.entry(
                    "in_partition_bound",
                    "CREATE DOMAIN d5 AS int CHECK (in_partition_bound(VALUE) = VALUE);"
                            + " CREATE TABLE t5 (n d5) PARTITION BY LIST (n);"
                            + " CREATE TABLE t5a PARTITION OF t5 FOR VALUES IN (1); INSERT INTO t5 VALUES (1)"),
            Map.entry(
                    "in_composite",
                    "CREATE DOMAIN d6 AS int CHECK (in_composite(VALUE) = VALUE); CREATE TYPE c6 AS (n d6);"
                            + " CREATE TABLE t6 (n c6); INSERT INTO t6 VALUES (ROW(1))"),
            Map.entry(
                    "in_range",
                    "CREATE DOMAIN d7 AS int CHECK (in_range(VALUE) = VALUE); CREATE TYPE r7 AS RANGE (subtype = d7);"
                            + " CREATE TABLE t7 (n r7); INSERT INTO t7 VALUES ('[1,2)')"),
            Map.entry(
                    "in_index", "CREATE TABLE t8 (n int); INSERT INTO t8 VALUES (1); CREATE INDEX ON t8 (in_index(n))"),
            Map.entry(
                    "in_index_predicate",
                    "CREATE TABLE t9 (n int); INSERT INTO t9 VALUES (1);"
                            + " CREATE INDEX ON t9 (n) WHERE in_index_predicate(n) = in_index_predicate(1)"),
            Map.entry(
                    "in_exclusion",
                    "CREATE TABLE t10 (n int); INSERT INTO t10 VALUES (1);"
                            + " ALTER TABLE t10 ADD EXCLUDE (in_exclusion(n) WITH =)"),
            Map.entry("in_materialized_view", "CREATE MATERIALIZED VIEW m11 AS SELECT in_materialized_view(1) AS n"),
            Map.entry(
                    "in_view",
                    "CREATE VIEW v12 AS SELECT in_view(1) AS n; CREATE MATERIALIZED VIEW m12 AS SELECT n FROM v12"),
            Map.entry("in_default", "CREATE TABLE t13 (n int DEFAULT in_default(1)); INSERT INTO t13 DEFAULT VALUES"),
            Map.entry(
                    "in_not_valid_check",
                    "CREATE TABLE t14 (n int); INSERT INTO t14 VALUES (1);"
                            + " ALTER TABLE t14 ADD CHECK (in_not_valid_check(n) = n) NOT VALID"),
            Map.entry(
                    "in_statistics",
                    "CREATE TABLE t15 (n int, m int); INSERT INTO t15 VALUES (1, 1);"
                            + " CREATE STATISTICS s15 ON (in_statistics(n)), m FROM t15; ANALYZE t15"),
            Map.entry(
                    "in_policy",
                    "CREATE TABLE t16 (n int); INSERT INTO t16 VALUES (1);"
                            + " CREATE POLICY p16 ON t16 USING (in_policy(n) = n);"
                            + " ALTER TABLE t16 ENABLE ROW LEVEL SECURITY; ALTER TABLE t16 FORCE ROW LEVEL SECURITY"),
            Map.entry(
                    "in_cast",
                    "CREATE TYPE c17 AS (n int); CREATE FUNCTION cast17(int) RETURNS c17 IMMUTABLE LANGUAGE sql AS"
                            + " 'SELECT ROW(public.in_cast($1))::public.c17';"
                            + " CREATE CAST (int AS c17) WITH FUNCTION cast17(int) AS IMPLICIT;"
                            + " CREATE TABLE t17 (n int CHECK ((n::c17) IS NOT NULL)); INSERT INTO t17 VALUES (1)"),
            Map.entry(
                    "in_operator",
                    "CREATE FUNCTION same18(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS"
                            + " 'SELECT public.in_operator($1) = $2';"
                            + " CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same18);"
                            + " CREATE TABLE t18 (n int CHECK (n === 1)); INSERT INTO t18 VALUES (1)"));

    @Test
    void nothingThatATenantWroteRunsWithMoreThanItsRights() throws Exception {
        asTenant(steal());
        for (Map.Entry<String, String> place : PLACES.entrySet()) {
            asTenant(function(place.getKey()), place.getValue());
        }
        asTenant(
                "CREATE TABLE t20 (n int)",
                "CREATE FUNCTION on_row() RETURNS trigger LANGUAGE plpgsql AS"
                        + " $$ BEGIN PERFORM public.steal('on_row'); RETURN NEW; END $$",
                "CREATE TRIGGER fires BEFORE INSERT ON t20 FOR EACH ROW EXECUTE FUNCTION on_row()",
                "ALTER TABLE t20 ENABLE ALWAYS TRIGGER fires",
                "INSERT INTO t20 VALUES (1)",
                "CREATE TABLE t21 (n int)",
                "CREATE RULE also AS ON INSERT TO t21 DO ALSO SELECT public.steal('rule')",
                "INSERT INTO t21 VALUES (1)");
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolname ~ '^gained'"))
                .isEmpty();
        Copy copy = backUp();

        copy.restore();

        assertThat(gained()).as("made by a tenant's code").isEmpty();
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolsuper")).containsExactly("cellkeeper");
        for (int table = 1; table <= 21; table++) {
            if (!Set.of(11, 12, 19).contains(table)) {
                assertThat(rows("SELECT count(*) FROM t" + table))
                        .as("t" + table)
                        .containsExactly("1");
            }
        }
        assertThat(rows("SELECT n FROM m11 UNION ALL SELECT n FROM m12")).containsExactly("1", "1");
        assertThat(rows("SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE oid >= 16384 AND relkind <> 't'"))
                .containsExactly("vcloud");
        assertThat(rows("SELECT datdba::regrole::text FROM pg_database WHERE datname = 'vcloud'"))
                .containsExactly("vcloud");
    }

    /** Its function looks who runs it: anybody else's session would break the restore off. */
    private static final String ONLY_REPORTER = """
            CREATE FUNCTION reports.only_reporter() RETURNS boolean LANGUAGE plpgsql AS $$
            BEGIN
              IF current_database() <> 'vcloud'
                AND (current_user <> 'reporter' OR pg_has_role(session_user, 'vcloud', 'MEMBER')) THEN
                RAISE EXCEPTION 'run by % as %', session_user, current_user;
              END IF;
              RETURN true;
            END $$""";

    /** All that has an owner, or rights that were granted, in words. */
    private static final String RIGHTS = """
            SELECT relname || ' of ' || relowner::regrole || ': ' || coalesce(relacl::text, '') FROM pg_class
              WHERE oid >= 16384 AND relkind IN ('r', 'v', 'S') AND relname !~ '^pg_'
            UNION ALL SELECT nspname || ' of ' || nspowner::regrole || ': '
              || array(SELECT a::text FROM unnest(nspacl) a ORDER BY a::text)::text
              FROM pg_namespace WHERE nspname IN ('reports', 'public')
            UNION ALL SELECT proname || ' of ' || proowner::regrole || ': ' || coalesce(proacl::text, '')
              FROM pg_proc WHERE pronamespace = 'reports'::regnamespace
            UNION ALL SELECT 'blob ' || lomowner::regrole || ' ' || convert_from(lo_get(oid), 'UTF8')
              FROM pg_largeobject_metadata
            UNION ALL SELECT description FROM pg_description
              WHERE objoid IN ('items'::regclass, 'public'::regnamespace)
            UNION ALL SELECT extname || ' of ' || extowner::regrole FROM pg_extension
            UNION ALL SELECT defaclrole::regrole || ': ' || defaclacl::text FROM pg_default_acl
            UNION ALL SELECT conname || ' ' || convalidated FROM pg_constraint WHERE conrelid >= 16384
            UNION ALL SELECT array(SELECT a::text FROM unnest(coalesce(datacl, acldefault('d', datdba))) a ORDER BY a::text)::text
              FROM pg_database WHERE datname = 'vcloud'
            ORDER BY 1""";

    @Test
    void eachOwnersPartComesBackByItsOwnHandWithItsGrants() throws Exception {
        asTenant(
                "CREATE TABLE items (id int PRIMARY KEY, what text)",
                "INSERT INTO items VALUES (1, 'one')",
                "COMMENT ON TABLE items IS 'what there is'",
                "COMMENT ON SCHEMA public IS 'ours'",
                "CREATE EXTENSION hstore",
                "SELECT lo_from_bytea(0, 'mine')",
                "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC");
        asSuperuser(
                "CREATE ROLE reporter",
                "CREATE ROLE \"odd name\"",
                "CREATE SCHEMA reports AUTHORIZATION reporter",
                "GRANT USAGE, CREATE ON SCHEMA public TO \"odd name\"",
                "GRANT USAGE ON SCHEMA reports TO vcloud",
                "GRANT SELECT, REFERENCES ON items TO reporter WITH GRANT OPTION",
                "CREATE EXTENSION pg_stat_statements SCHEMA reports",
                "SET ROLE reporter; " + ONLY_REPORTER,
                "SET ROLE reporter; CREATE TABLE reports.monthly (id int REFERENCES public.items,"
                        + " CHECK (reports.only_reporter())); INSERT INTO reports.monthly VALUES (1);"
                        + " CREATE VIEW reports.items AS SELECT * FROM public.items;"
                        + " GRANT SELECT ON public.items TO \"odd name\"; SELECT lo_from_bytea(0, 'theirs');"
                        + " REVOKE ALL ON FUNCTION reports.only_reporter() FROM PUBLIC",
                "SET ROLE \"odd name\"; CREATE TABLE public.odd (n serial); INSERT INTO public.odd DEFAULT VALUES");
        List<String> before = rows(RIGHTS);
        Copy copy = backUp();
        assertThat(copy.origin().warnings()).isEmpty();
        loseTheDatabase();
        anEmptyDatabase();

        String told = copy.restore();

        assertThat(rows(RIGHTS)).isEqualTo(before);
        assertThat(rows("SELECT id FROM reports.monthly UNION ALL SELECT n FROM odd"))
                .containsExactly("1", "1");
        assertThat(rows("SELECT nextval('odd_n_seq')")).containsExactly("2");
        assertThat(told).doesNotContain(";").endsWith("is kept as " + kept());
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolname ~ 'restoring'"))
                .isEmpty();
    }

    private static String kept() throws SQLException {
        return list("a", "SELECT datname FROM pg_database WHERE datname ~ '^vcloud_before'")
                .getFirst();
    }

    // ---- roles that a restore does not give all their rights back

    @Test
    void rolesThatOwnOrWereGrantedSomethingComeBackWithoutASuperusersRightsAndItIsSaid() throws Exception {
        asSuperuser(
                "CREATE ROLE dba SUPERUSER LOGIN PASSWORD 'x'",
                "CREATE ROLE streamer REPLICATION LOGIN PASSWORD 'x'",
                "CREATE ROLE stranger SUPERUSER",
                "CREATE TABLE audit (what text); INSERT INTO audit VALUES ('seen'); ALTER TABLE audit OWNER TO dba",
                "CREATE TABLE ours (n int)",
                "GRANT SELECT ON ours TO streamer, vcloud");
        asTenant("CREATE TABLE items (n int)", "GRANT SELECT ON items TO dba, streamer");
        Copy copy = backUp();
        assertThat(String.join("; ", copy.origin().warnings()))
                .contains("role dba")
                .contains("role streamer")
                .contains("table public.ours")
                .doesNotContain("stranger");
        loseTheDatabase();
        anEmptyDatabase();

        String told = copy.restore();

        assertThat(told).contains("role dba").contains("table public.ours");
        assertThat(rows("SELECT rolname || rolsuper || rolcanlogin || rolreplication || (rolpassword IS NULL)"
                        + " FROM pg_authid WHERE rolname IN ('dba', 'streamer', 'stranger') ORDER BY 1"))
                .containsExactly("dbafalsefalsefalsetrue", "streamerfalsefalsefalsetrue");
        assertThat(rows("SELECT what FROM audit")).containsExactly("seen");
        assertThat(rows("SELECT relname || ' ' || relowner::regrole FROM pg_class"
                        + " WHERE relname IN ('audit', 'ours', 'items') ORDER BY 1"))
                .containsExactly("audit dba", "items vcloud", "ours vcloud");
        assertThat(rows("SELECT has_table_privilege('dba', 'items', 'SELECT')"
                        + " AND has_table_privilege('streamer', 'ours', 'SELECT')"))
                .containsExactly("t");
    }

    /** Code that runs in a hand's session can make things that are the hand's own: the superuser hands them over later. */
    @Test
    void whatCodeLeavesInAHandsOwnNameDoesNotRunWhenItIsHandedOver() throws Exception {
        asTenant(
                steal(),
                function("in_left"),
                "CREATE FUNCTION public.leave(n int) RETURNS int LANGUAGE plpgsql AS $$ DECLARE what text; BEGIN"
                        + " IF current_database() <> 'vcloud_restoring' THEN RETURN n; END IF;"
                        + " FOREACH what IN ARRAY ARRAY["
                        + "'CREATE TABLE public.left_1 (n int) PARTITION BY RANGE ((n + public.in_left(1)))', "
                        + "'CREATE TABLE public.left_2 PARTITION OF public.left_1 DEFAULT', "
                        + "'CREATE TABLE public.left_3 (n int DEFAULT public.in_left(1) CHECK (public.in_left(n) = n))', "
                        + "'CREATE INDEX ON public.left_3 (n) WHERE public.in_left(n) = public.in_left(1)', "
                        + "'CREATE INDEX ON public.left_3 (public.in_left(n))', "
                        + "'CREATE STATISTICS public.left_4 ON (public.in_left(n)), n FROM public.left_3', "
                        + "'CREATE MATERIALIZED VIEW public.left_5 AS SELECT public.in_left(1) AS n', "
                        + "'CREATE DOMAIN public.left_6 AS int DEFAULT public.in_left(1) CHECK (public.in_left(VALUE) = VALUE)', "
                        + "'GRANT ALL ON public.left_3 TO PUBLIC', "
                        + "'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC'"
                        + ", format('ALTER ROLE %I PASSWORD %L', session_user, 'known')"
                        + ", format('ALTER ROLE %I SET search_path = public', session_user)] LOOP"
                        + " SET ROLE NONE; EXECUTE what; END LOOP; RETURN n; END $$",
                "CREATE TABLE t1 (n int CHECK (leave(n) = n))",
                "INSERT INTO t1 VALUES (1)");
        Copy copy = backUp();
        assertThat(gained()).isEmpty();

        copy.restore();

        assertThat(gained()).isEmpty();
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolsuper")).containsExactly("cellkeeper");
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolname ~ 'restoring'"))
                .isEmpty();
        assertThat(rows("SELECT DISTINCT relowner::regrole FROM pg_class WHERE relname ~ '^left'"))
                .containsExactly("vcloud");
        assertThat(rows("SELECT count(*) FROM pg_class WHERE relname ~ '^left_[0-9]$'"))
                .containsExactly("4");
    }

    /** It owns its database, and so says what sessions there begin with: the agent's and its programs' do not. */
    @Test
    void whatATenantSetsForItsDatabaseIsNotForTheAgentsSessions() throws Exception {
        asTenant(
                "CREATE TABLE items (n int)",
                "INSERT INTO items VALUES (1)",
                "CREATE SCHEMA mine",
                "CREATE FUNCTION mine.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT (1/0)::text'",
                // One that is not there: to try to load it ends the session.
                "ALTER DATABASE vcloud SET local_preload_libraries = 'absent'",
                "ALTER DATABASE vcloud SET search_path = mine, pg_catalog",
                "ALTER DATABASE vcloud SET role = 'vcloud'",
                "ALTER DATABASE vcloud SET default_transaction_read_only = on",
                "ALTER DATABASE vcloud SET statement_timeout = 1",
                "ALTER DATABASE vcloud SET exit_on_error = on");
        Copy copy = backUp();
        assertThat(copy.origin().warnings()).isEmpty();
        assertThat(archive.check(copy.files(), percent -> {})).isEmpty();
        copy.restore();
        assertThat(rows("SELECT n FROM items")).containsExactly("1");
    }

    /** As a name's words would be SQL where it is written without quotes, or into a comment. */
    @Test
    void whatATenantGivesForANameIsNoStatement() throws Exception {
        String gain = "\nALTER ROLE vcloud SUPERUSER;\nCREATE ROLE gained_by_name;\n\\! touch "
                + share.resolve("gained_by_name") + "\n--'; $$";
        for (String end : List.of("", "\r" + gain, "\";" + gain)) {
            String name = "x" + end + gain;
            String quoted = "\"" + name.replace("\"", "\"\"") + "\"";
            String short_ = "\"y" + end.replace("\"", "\"\"") + "\nALTER ROLE vcloud SUPERUSER; --\"";
            String schema = "\"s" + end.length() + "\nALTER ROLE vcloud SUPERUSER; --\"";
            asTenant(
                    "CREATE SCHEMA " + schema,
                    "GRANT USAGE ON SCHEMA " + schema + " TO PUBLIC",
                    "COMMENT ON SCHEMA " + schema + " IS 'c" + gain.replace("'", "''") + "'",
                    "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA " + schema,
                    "CREATE TABLE " + schema + "." + short_ + " (" + short_ + " int, n int)",
                    "GRANT SELECT ON " + schema + "." + short_ + " TO PUBLIC",
                    "GRANT UPDATE (" + short_ + ") ON " + schema + "." + short_ + " TO PUBLIC",
                    "COMMENT ON TABLE " + schema + "." + short_ + " IS 'c" + gain.replace("'", "''") + "'",
                    "CREATE INDEX ON " + schema + "." + short_ + " (n)",
                    "INSERT INTO " + schema + "." + short_ + " VALUES (1, 1)",
                    "CREATE SEQUENCE " + schema + ".q" + end.length(),
                    "CREATE TYPE " + schema + ".\"t" + gain.substring(0, 40)
                            + "\" AS ENUM ('e\nALTER ROLE vcloud SUPERUSER;')",
                    "GRANT USAGE ON TYPE " + schema + ".\"t" + gain.substring(0, 40) + "\" TO PUBLIC",
                    "CREATE FUNCTION " + schema + "." + short_ + "(" + schema + ".\"t" + gain.substring(0, 40)
                            + "\") RETURNS int LANGUAGE sql AS 'SELECT 1'",
                    "GRANT EXECUTE ON FUNCTION " + schema + "." + short_ + " TO PUBLIC",
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema + " GRANT SELECT ON TABLES TO PUBLIC",
                    "SELECT lo_create(0)");
            // Longer than a name may be, it is cut.
            asTenant("CREATE TABLE " + quoted + " (n int)", "GRANT SELECT ON " + quoted + " TO PUBLIC");
        }
        Copy copy = backUp();
        assertThat(archive.check(copy.files(), percent -> {})).isEmpty();
        assertThat(gained()).isEmpty();

        assertThat(copy.restore()).startsWith("the database of before is kept");

        assertThat(gained()).isEmpty();
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolsuper")).containsExactly("cellkeeper");
        assertThat(rows("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ 'ALTER ROLE vcloud'"))
                .containsExactly("6");
    }

    @Test
    void whatASuperuserOwnsHereIsNotMadeByItsHand() throws Exception {
        asTenant(steal(), function("in_check"));
        asSuperuser(
                "CREATE ROLE dba SUPERUSER",
                "CREATE TABLE audit (n int CHECK (in_check(n) = n)); ALTER TABLE audit OWNER TO dba",
                "GRANT INSERT ON audit TO vcloud");
        asTenant("INSERT INTO audit VALUES (1)");
        Copy copy = backUp();
        String told = copy.restore();
        assertThat(told).contains("table public.audit");
        assertThat(rows("SELECT relowner::regrole FROM pg_class WHERE relname = 'audit'"))
                .containsExactly("vcloud");
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolname ~ '^gained'"))
                .isEmpty();
    }

    @Test
    void whatOnlyASuperuserCanMakeIsLeftOutAndTheRestComesBack() throws Exception {
        asSuperuser(
                "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
                "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl()",
                "COMMENT ON EVENT TRIGGER watch IS 'watches'",
                "CREATE FUNCTION c_code(cstring) RETURNS int LANGUAGE internal AS 'int4in'",
                "REVOKE ALL ON FUNCTION c_code(cstring) FROM PUBLIC",
                "CREATE PUBLICATION everything FOR ALL TABLES");
        asTenant("CREATE TABLE items (n int)", "INSERT INTO items VALUES (1)");
        Copy copy = backUp();
        String told = copy.restore();
        for (String words : List.of(String.join("; ", copy.origin().warnings()), told)) {
            assertThat(words)
                    .contains("event trigger watch")
                    .contains("function public.c_code(cstring)")
                    .contains("publication everything");
        }
        assertThat(rows("SELECT n FROM items")).containsExactly("1");
        assertThat(rows("SELECT count(*) FROM pg_event_trigger")).containsExactly("0");
    }

    @Test
    void aPartitionOfAnotherRolesTableIsNamedBeforeItIsNeeded() throws Exception {
        asTenant(
                "CREATE TABLE items (n int) PARTITION BY LIST (n)",
                "CREATE TABLE ones PARTITION OF items FOR VALUES IN (1)");
        asSuperuser("CREATE ROLE reporter", "ALTER TABLE ones OWNER TO reporter");
        Copy copy = backUp();
        assertThat(copy.origin().warnings()).singleElement().asString().startsWith("table public.ones (no restore");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(copy::restore)
                .withMessageContaining("must be owner of table items")
                .withMessageContaining("nothing was changed");
        asSuperuser("ALTER TABLE ones OWNER TO cellkeeper", "GRANT SELECT ON items TO reporter");
        Copy mended = backUp();
        mended.restore();
        assertThat(rows("SELECT relowner::regrole FROM pg_class WHERE relname = 'ones'"))
                .containsExactly("vcloud");
    }

    @Test
    void aDatabaseThatItsOwnerClosedIsBackedUpAndComesBackOpen() throws Exception {
        asTenant("CREATE TABLE items (n int)", "INSERT INTO items VALUES (1)");
        try (Connection session = bench.agent("a", "postgres");
                Statement statement = session.createStatement()) {
            statement.execute("SET ROLE vcloud; ALTER DATABASE vcloud ALLOW_CONNECTIONS false");
        }
        Copy copy = backUp();
        assertThat(copy.origin().warnings()).singleElement().asString().contains("could not be looked into");
        copy.restore();
        assertThat(rows("SELECT n FROM items")).containsExactly("1");
    }

    // ---- many

    @Test
    void aDatabaseWithMoreTablesThanLocksComesBack() throws Exception {
        asTenant("CREATE PROCEDURE many(first int, last int) LANGUAGE plpgsql AS $$ BEGIN FOR i IN first..last LOOP"
                + " EXECUTE format('CREATE TABLE many_%s (n text PRIMARY KEY)', i);"
                + " IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$");
        asTenant(
                "SET synchronous_commit = off", "CALL many(1, " + MANY_TABLES + ")", "INSERT INTO many_7 VALUES ('7')");
        Copy copy = backUp();
        copy.restore();
        assertThat(rows("SELECT count(*) FROM pg_class WHERE relname ~ '^many_' AND relkind = 'r'"))
                .containsExactly(String.valueOf(MANY_TABLES));
        assertThat(rows("SELECT n FROM many_7")).containsExactly("7");
    }

    // ---- what is left behind

    @Test
    void aRestoreThatFailsChangesNothingAndLeavesNothing() throws Exception {
        asTenant(
                "CREATE TABLE items (n int)",
                "INSERT INTO items VALUES (1)",
                "CREATE FUNCTION fits(n int) RETURNS boolean LANGUAGE sql AS"
                        + " 'SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname ~ ''restoring'')'",
                "CREATE TABLE broken (n int CHECK (fits(n)))",
                "INSERT INTO broken VALUES (1)");
        Copy copy = backUp();
        asTenant("UPDATE items SET n = 2");
        asSuperuser("CREATE ROLE vcloud_restoring_0123abcd_1");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(copy::restore)
                .withMessageContaining("broken")
                .withMessageContaining("check constraint");
        assertThat(rows("SELECT n FROM items")).containsExactly("2");
        assertThat(list("a", "SELECT datname FROM pg_database WHERE datname ~ '^vcloud'"))
                .containsExactly("vcloud");
        assertThat(list("a", "SELECT rolname FROM pg_roles WHERE rolname ~ 'restoring'"))
                .isEmpty();
        assertThat(Files.exists(bench.dataDir("a").resolveSibling("restore"))).isFalse();
    }

    // ---- rehearsed

    /** What a restore, or anything else, could have changed at either cell. */
    private static List<String> cluster() throws SQLException {
        List<String> all = new ArrayList<>();
        for (String cell : List.of("a", "b")) {
            all.addAll(list(
                    cell,
                    "SELECT datname || datdba || datallowconn FROM pg_database"
                            + " UNION ALL SELECT rolname || coalesce(rolpassword, '') FROM pg_authid"
                            + " UNION ALL SELECT name || setting FROM pg_file_settings ORDER BY 1"));
        }
        all.addAll(rows("SELECT n || xmin::text FROM items"));
        return all;
    }

    private static Path scratch(String cell) {
        return bench.dataDir(cell).resolveSibling("restore");
    }

    private static PostgresArchive archiveOf(String cell) {
        return new PostgresArchive(bench.settings(cell));
    }

    @Test
    void aCheckSaysWhatWouldNotComeBackAndChangesNothingAtPrimaryOrStandby() throws Exception {
        asTenant("CREATE TABLE items (n int)", "INSERT INTO items VALUES (1)", "CREATE EXTENSION hstore");
        asSuperuser("CREATE ROLE dba SUPERUSER", "CREATE TABLE ours (n int)", "ALTER TABLE ours OWNER TO dba");
        Copy copy = backUp();
        // The standby shows it, and so all that was before.
        asTenant("SET synchronous_commit = remote_apply", "CREATE TABLE last (n int)");
        List<String> before = cluster();
        for (String cell : List.of("a", "b")) {
            List<Integer> told = new ArrayList<>();
            assertThat(archiveOf(cell).check(copy.files(), told::add))
                    .as(cell)
                    .isEqualTo(copy.origin().warnings())
                    .hasSize(2);
            assertThat(told).isSorted().endsWith(99);
            assertThat(scratch(cell)).doesNotExist();
        }
        assertThat(cluster()).isEqualTo(before);
    }

    private static BackupFailure refusal(Copy copy) {
        BackupFailure failure =
                catchThrowableOfType(BackupFailure.class, () -> archive.check(copy.files(), percent -> {}));
        assertThat(failure).isNotNull();
        assertThat(scratch("a")).doesNotExist();
        return failure;
    }

    @Test
    void aCheckFailsWhereARestoreWould() throws Exception {
        asTenant(
                "CREATE TABLE items (n int) PARTITION BY LIST (n)",
                "CREATE TABLE ones PARTITION OF items FOR VALUES IN (1)");
        asSuperuser("CREATE ROLE reporter", "ALTER TABLE ones OWNER TO reporter");
        assertThat(refusal(backUp())).hasMessageContaining("a restore would fail: table public.ones (no restore");
    }

    /** As if its library had been there once. */
    private static String loses(String function) {
        return "UPDATE pg_proc SET probin = '$libdir/absent', prosrc = proname,"
                + " prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') WHERE proname = '" + function + "'";
    }

    @Test
    void anExtensionThatThisMachineCannotMakeIsNamedWithItsLibrary() throws Exception {
        asSuperuser("CREATE EXTENSION hstore", "CREATE EXTENSION citext");
        asSuperuser(loses("hstore_in"), "UPDATE pg_extension SET extname = 'not_here' WHERE extname = 'citext'");
        assertThat(refusal(backUp()))
                .hasMessageContaining("extension hstore (")
                .hasMessageContaining("could not access file \"$libdir/absent\"")
                .hasMessageContaining("extension not_here (it is not installed here)");
    }

    @Test
    void aLibraryThatTheRowsNeedIsNamed() throws Exception {
        asSuperuser(
                "CREATE TYPE odd",
                "CREATE FUNCTION odd_in(cstring) RETURNS odd IMMUTABLE STRICT LANGUAGE internal AS 'int4in'",
                "CREATE FUNCTION odd_out(odd) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'int4out'",
                "CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = int4)",
                "CREATE TABLE items (n odd)",
                "INSERT INTO items VALUES ('1')",
                loses("odd_out"));
        assertThat(refusal(backUp()))
                .hasMessageContaining("pg_dump")
                .hasMessageContaining("could not access file \"$libdir/absent\"");
    }

    @Test
    void aDamagedCopyIsNamed() throws Exception {
        Copy copy = backUp();
        Path base = copy.folder().resolve("base.tar.gz");
        byte[] whole = Files.readAllBytes(base);
        Files.write(base, Arrays.copyOf(whole, whole.length / 2));
        assertThat(refusal(copy)).hasMessageContaining("base.tar.gz cannot be unpacked: tar: ");
        Files.write(base, whole);
        for (Path segment : segments(copy.folder())) {
            Files.delete(segment);
        }
        assertThat(refusal(copy)).hasMessageContaining("pg_verifybackup");
    }

    private static List<Path> segments(Path folder) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(file -> file.getFileName().toString().matches("[0-9A-F]{24}\\.gz"))
                    .toList();
        }
    }

    @Test
    void aCopyHoldsAllWalOfItsTimeAndNothingOfItIsLeftBehind() throws Exception {
        asTenant("CREATE TABLE items (n int)", "INSERT INTO items VALUES (1)");
        Path folder = share.resolve("copy-" + ++copies);
        Files.createDirectory(folder);
        DatabaseArchive.Origin origin = archive.backUp(
                name -> new FilterOutputStream(Files.newOutputStream(folder.resolve(name))) {
                    private long bytes = name.equals("base.tar.gz") ? 0 : Long.MIN_VALUE;

                    @Override
                    public void write(byte[] chunk, int from, int length) throws IOException {
                        out.write(chunk, from, length);
                        bytes += length;
                        if (bytes > 100_000) {
                            bytes = Long.MIN_VALUE;
                            // More WAL than is kept for nobody.
                            bench.loseSlots("a");
                            bench.loseSlots("a");
                        }
                    }
                },
                percent -> {});
        Copy copy = new Copy(folder, origin);
        assertThat(segments(folder)).hasSizeGreaterThanOrEqualTo(16);
        noCopyIsLeft();
        copy.restore();
        assertThat(rows("SELECT n FROM items")).containsExactly("1");
    }

    @Test
    void aCopyThatIsInterruptedEndsAndLeavesNothing() throws Exception {
        AtomicReference<Throwable> end = new AtomicReference<>();
        CountDownLatch begun = new CountDownLatch(1);
        Thread copy = Thread.ofPlatform().start(() -> {
            try {
                archive.backUp(
                        name -> new OutputStream() {
                            private long bytes;

                            @Override
                            public void write(int b) throws IOException {
                                write(new byte[] {(byte) b}, 0, 1);
                            }

                            @Override
                            public void write(byte[] chunk, int from, int length) throws IOException {
                                bytes += length;
                                if (bytes > 100_000) {
                                    begun.countDown();
                                    LockSupport.parkNanos(1_000_000_000);
                                }
                            }
                        },
                        percent -> {});
            } catch (RuntimeException e) {
                end.set(e);
            }
        });
        assertThat(begun.await(1, TimeUnit.MINUTES)).isTrue();
        copy.interrupt();
        assertThat(copy.join(Duration.ofMinutes(1))).isTrue();
        assertThat(end.get()).isNotNull();
        noCopyIsLeft();
    }

    /** An agent that is killed leaves its programs behind, and what they hold. */
    @Test
    void theNextAgentEndsACopyThatAKilledOneHadBegun() throws Exception {
        PostgresSettings settings = bench.settings("a");
        Path folder = bench.dataDir("a").resolveSibling("copying");
        new OwnedFiles(settings.osUser()).makeFolder(folder, "rwx------");
        asSuperuser("SELECT pg_create_physical_replication_slot('cellkeeper_copying', true)");
        ProcessBuilder receiver = new Programs(settings)
                .builder(
                        List.of(),
                        "pg_receivewal",
                        List.of(
                                "--directory=" + folder,
                                "--slot=cellkeeper_copying",
                                "--no-loop",
                                "--host=" + settings.listenHost(),
                                "--port=" + settings.port(),
                                "--username=" + PostgresSettings.REPLICATION_ROLE));
        receiver.environment().putAll(asReplicator(settings));
        receiver.environment().put("PGAPPNAME", "cellkeeper-copying");
        Process running = receiver.inheritIO().start();
        try {
            bench.awaitTrue(
                    Duration.ofSeconds(20),
                    () -> {
                        try {
                            return !list(
                                            "a",
                                            "SELECT 1 FROM pg_replication_slots WHERE slot_name ~ 'copying' AND active")
                                    .isEmpty();
                        } catch (SQLException e) {
                            return false;
                        }
                    },
                    "WAL is received");
            archiveOf("a").tidy();
            assertThat(running.waitFor(10, TimeUnit.SECONDS)).isTrue();
        } finally {
            running.destroyForcibly().waitFor();
        }
        noCopyIsLeft();
    }

    /** How a program comes in. */
    private static Map<String, String> asReplicator(PostgresSettings settings) {
        return new TlsFiles(settings).environment(new Programs(settings).version());
    }

    private static void noCopyIsLeft() throws Exception {
        assertThat(list("a", "SELECT slot_name FROM pg_replication_slots WHERE slot_name ~ 'copying'"))
                .isEmpty();
        assertThat(list("a", "SELECT application_name FROM pg_stat_replication WHERE application_name ~ 'copying'"))
                .isEmpty();
        Path folder = bench.dataDir("a").resolveSibling("copying");
        assertThat(folder).doesNotExist();
        assertThat(ProcessHandle.allProcesses()
                        .map(process -> process.info().commandLine().orElse(""))
                        .filter(line -> line.contains(folder.toString())))
                .isEmpty();
    }

    @Test
    void aCopyThatCannotBeKeptEndsAndLeavesNothing() throws Exception {
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> archive.backUp(
                        name -> new OutputStream() {
                            private long room = 1 << 20;

                            @Override
                            public void write(int b) throws IOException {
                                if (--room < 0) {
                                    throw new IOException("No space left on device");
                                }
                            }
                        },
                        percent -> {}))
                .withMessageContaining("No space left on device");
        noCopyIsLeft();
    }

    @Test
    void withoutRoomNothingIsUnpacked() throws Exception {
        Copy copy = backUp();
        DatabaseArchive.Room room = archive.roomToCheck(copy.files());
        assertThat(room.neededBytes()).isBetween(copy.origin().databaseBytes(), 4L << 30);
        assertThat(room.isEnough()).isTrue();
        List<Integer> told = new ArrayList<>();
        DatabaseArchive.Copy huge = FolderCopy.of(copy.folder(), 1_000_000_000_000_000L);
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> archive.check(huge, told::add))
                .withMessageContaining("MB free")
                .withMessageContaining("nothing was changed, make room");
        assertThat(told).isEmpty();
    }

    /** As pg_basebackup writes one by itself, and as backups were until the agent wrote their files. */
    @Test
    void aCopyOfBeforeComesBack() throws Exception {
        asTenant("CREATE TABLE items (n int)", "INSERT INTO items VALUES (1)");
        Path folder = share.resolve("copy-" + ++copies);
        PostgresSettings settings = bench.settings("a");
        new OwnedFiles(settings.osUser()).makeFolder(folder, "rwx------");
        new Programs(settings)
                .complete(
                        "pg_basebackup",
                        List.of(
                                "--pgdata=" + folder,
                                "--format=tar",
                                "--compress=client-gzip:1",
                                "--wal-method=stream",
                                "--checkpoint=fast",
                                "--manifest-checksums=SHA256",
                                "--host=" + settings.listenHost(),
                                "--port=" + settings.port(),
                                "--username=" + PostgresSettings.REPLICATION_ROLE),
                        asReplicator(settings),
                        line -> {});
        DatabaseArchive.Copy copy = FolderCopy.of(folder, 0);
        assertThat(archive.roomToCheck(copy).neededBytes()).isBetween(20L << 20, 4L << 30);
        assertThat(archive.check(copy, percent -> {})).isEmpty();
        archive.restore(copy, 0, percent -> {});
        assertThat(rows("SELECT n FROM items")).containsExactly("1");
        Path list = folder.resolve("backup_manifest");
        String told = Files.readString(list);
        Files.writeString(list, told.replaceFirst("PG_VERSION\", \"Size\": [0-9]+", "PG_VERSION\", \"Size\": 77"));
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> archive.check(copy, percent -> {}))
                .withMessageContaining("manifest checksum mismatch");
        Files.writeString(list, "no list");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> archive.check(copy, percent -> {}))
                .withMessageContaining("backup_manifest is no list");
    }

    @Test
    void aCheckThatIsInterruptedLeavesNothing() throws Exception {
        Copy copy = backUp();
        AtomicReference<Throwable> end = new AtomicReference<>();
        Thread check = Thread.ofPlatform().start(() -> {
            try {
                archive.check(copy.files(), percent -> {
                    if (percent > 50) {
                        Thread.currentThread().interrupt();
                    }
                });
            } catch (RuntimeException e) {
                end.set(e);
            }
        });
        assertThat(check.join(Duration.ofMinutes(1))).isTrue();
        assertThat(end.get()).isNotNull();
        nothingIsLeft();
    }

    private static void nothingIsLeft() {
        assertThat(scratch("a")).doesNotExist();
        assertThat(ProcessHandle.allProcesses()
                        .map(process -> process.info().commandLine().orElse(""))
                        .filter(line -> line.contains(scratch("a").toString())))
                .isEmpty();
    }

    /** An agent that is killed leaves its programs, and PostgreSQL, behind. */
    @Test
    void theNextAgentEndsAndRemovesWhatAKilledOneLeft() throws Exception {
        PostgresSettings settings = bench.settings("a");
        new Scratch(settings, new Programs(settings), new OwnedFiles(settings.osUser()))
                .start(backUp().files(), percent -> {});
        Path pipe = share.resolve("pipe");
        PostgresBench.run("mkfifo", pipe.toString());
        Process tar = new ProcessBuilder(
                        "/usr/bin/tar",
                        "--extract",
                        "--file=" + pipe,
                        "--directory=" + scratch("a").resolve("data"))
                .start();
        Process editor = new ProcessBuilder(
                        "/usr/bin/tail", "--follow", scratch("a").resolve("log").toString())
                .start();
        try {
            archiveOf("a").tidy();
            assertThat(tar.waitFor(5, TimeUnit.SECONDS)).isTrue();
            assertThat(editor.isAlive()).isTrue();
        } finally {
            tar.destroyForcibly();
            editor.destroyForcibly().waitFor();
            Files.delete(pipe);
        }
        nothingIsLeft();
    }
}
