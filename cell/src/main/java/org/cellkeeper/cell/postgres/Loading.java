package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntConsumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.port.BackupFailure;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads a dump into a new database of the live primary. What users of the database wrote runs meanwhile: functions in checks,
 * domains, generated columns and partition bounds, and more with each version of PostgreSQL. So the superuser loads nothing of
 * it. For each owner a role is made, its <em>hand</em>, which logs in, is a member of that owner alone, and makes what is the
 * owner's: there is no right in such a session that code could take. The superuser makes schemas and extensions while nothing of
 * a user is there yet, and carries out GRANT and REVOKE, which run no code.
 */
final class Loading {
    private static final Logger LOG = LoggerFactory.getLogger(Loading.class);

    static final String NAME = PostgresSettings.APPLICATION + "_restoring";

    private static final String HANDS = "^" + NAME + "_[0-9a-f]{8}_[0-9]+$";
    private static final Duration LOGIN = Duration.ofSeconds(10);
    private static final Duration STATEMENT = Duration.ofMinutes(10);
    private static final Pattern WORDS =
            Pattern.compile("pg_restore: (?:error: |from TOC entry [0-9]+; [0-9]+ [0-9]+ )");
    private static final int WORDS_TOLD = 6;

    private final PostgresSettings settings;
    private final Programs programs;
    private final OwnedFiles files;
    private final Sessions live;
    private final Path folder;
    private final Path dump;
    private final Inventory inventory;

    private final Map<String, String> hands = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();

    /** @param folder for files of this loading; removed by the caller, who keeps others out of it */
    Loading(
            PostgresSettings settings,
            Programs programs,
            OwnedFiles files,
            Path folder,
            Path dump,
            Inventory inventory) {
        this.settings = settings;
        this.programs = programs;
        this.files = files;
        this.live = new Sessions(settings);
        this.folder = folder;
        this.dump = dump;
        this.inventory = inventory;
    }

    /**
     * Makes the database, with all that belongs in it.
     *
     * @param session of the superuser, in another database
     * @return what did not come back as it was, each in words
     */
    List<String> load(Connection session, IntConsumer percent) throws SQLException, IOException {
        makeRoles(session);
        clear(session);
        Sessions.execute(
                session,
                "CREATE DATABASE " + NAME + " TEMPLATE template0 ALLOW_CONNECTIONS false",
                "REVOKE ALL ON DATABASE " + NAME + " FROM PUBLIC",
                "ALTER DATABASE " + NAME + " ALLOW_CONNECTIONS true");
        makeHands(session);
        List<DumpEntry> entries = contents();
        try (Connection inside = live.open("restore", NAME, LOGIN, STATEMENT)) {
            for (String owner : hands.keySet()) {
                Sessions.execute(inside, "GRANT CREATE, TEMPORARY ON DATABASE " + NAME + " TO " + quoted(owner));
            }
            makeSchemas(inside);
            makeExtensions(inside);
        }
        grant(entries, DumpEntry::isEarlyGrant);

        // Clients may not connect before the end: from here on the hands alone run what is in it.
        int lastData = 0;
        for (int i = 0; i < entries.size(); i++) {
            lastData = entries.get(i).isData() ? i + 1 : lastData;
        }
        Predicate<DumpEntry> ownersPart = entry -> !entry.isGrant() && !entry.isComment() && !entry.is("BLOBS");
        List<DumpEntry> first = entries.subList(0, lastData);
        makeByHands(
                first.stream().filter(ownersPart.and(entry -> !entry.isData())).toList());
        handOver();
        percent.accept(65);
        for (String owner : hands.keySet()) {
            makeByHands(first.stream()
                    .filter(ownersPart
                            .and(DumpEntry::isData)
                            .and(entry -> entry.owner().equals(owner)))
                    .toList());
        }
        handOver();
        percent.accept(80);
        // Before the rest: a foreign key may need the right to refer to another owner's table.
        grant(entries, entry -> entry.isData() || !(entry.is("ACL - SCHEMA") || entry.isEarlyGrant()));
        makeByHands(entries.subList(lastData, entries.size()).stream()
                .filter(ownersPart)
                .toList());
        percent.accept(90);

        takeBack();
        grant(entries, entry -> entry.is("ACL - SCHEMA"));
        // It owns the schema public thereby, and may comment on it.
        Sessions.execute(session, "ALTER DATABASE " + NAME + " OWNER TO " + PostgresSettings.APPLICATION);
        for (String owner : hands.keySet()) {
            restore(
                    entries.stream()
                            .filter(entry -> entry.isComment() && entry.owner().equals(owner))
                            .toList(),
                    owner,
                    false);
        }
        dropHands(session);
        Sessions.execute(session, "GRANT CONNECT, TEMPORARY ON DATABASE " + NAME + " TO PUBLIC");
        inventory.outOfReach().forEach(thing -> notes.add(thing.leftOut()));
        inventory.ofSuperusers().stream()
                .filter(thing -> !hands.containsKey(thing.owner()))
                .forEach(thing -> notes.add(thing.becomesTheApplications()));
        return List.copyOf(notes);
    }

    /** Removes what a restore that failed, here or on an earlier primary, has left. */
    static void clear(Connection session) throws SQLException {
        Sessions.execute(session, "DROP DATABASE IF EXISTS " + NAME + " WITH (FORCE)");
        for (String hand : names(session, "SELECT rolname FROM pg_roles WHERE rolname ~ '" + HANDS + "'")) {
            try {
                Sessions.execute(session, "DROP ROLE " + quoted(hand));
            } catch (SQLException e) {
                LOG.warn("The role {} of an earlier restore is left: {}", hand, e.getMessage());
            }
        }
    }

    // ---- what is there first

    private void makeRoles(Connection session) throws SQLException {
        List<String> there = names(session, "SELECT rolname FROM pg_roles");
        for (Inventory.Role role : inventory.roles()) {
            if (there.contains(role.name())) {
                continue;
            }
            String password = role.password();
            boolean login = role.login() && !role.privileged();
            Sessions.execute(
                    session,
                    "CREATE ROLE " + quoted(role.name()) + (login ? " LOGIN" : " NOLOGIN")
                            + (password == null || role.privileged()
                                    ? ""
                                    : " PASSWORD " + LocalPostgres.literal(password)));
            if (role.privileged()) {
                notes.add(role.warning());
            }
        }
    }

    /** An owner that is a superuser here has none: its part becomes the application's. */
    private void makeHands(Connection session) throws SQLException, IOException {
        Set<String> owners = new TreeSet<>(inventory.owners());
        owners.add(PostgresSettings.APPLICATION);
        owners.retainAll(names(session, "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_'"));
        if (!owners.contains(PostgresSettings.APPLICATION)) {
            throw new BackupFailure("the role " + PostgresSettings.APPLICATION
                    + " is a superuser, and so would be all that a restore runs; nothing was changed. Take that away: ALTER ROLE "
                    + PostgresSettings.APPLICATION + " NOSUPERUSER");
        }
        byte[] random = new byte[24];
        new SecureRandom().nextBytes(random);
        String password = HexFormat.of().formatHex(random, 4, 24);
        String prefix = NAME + "_" + HexFormat.of().formatHex(random, 0, 4) + "_";
        files.write(folder.resolve("pgpass"), "*:*:*:*:" + password + "\n");
        for (String owner : owners) {
            String hand = prefix + (hands.size() + 1);
            hands.put(owner, hand);
            Sessions.execute(
                    session,
                    "CREATE ROLE " + hand + " LOGIN PASSWORD '" + password + "' IN ROLE " + quoted(owner),
                    "GRANT CONNECT ON DATABASE " + NAME + " TO " + hand);
        }
    }

    /** Who makes what this role owned. */
    private String maker(String owner) {
        return hands.containsKey(owner) ? owner : PostgresSettings.APPLICATION;
    }

    private void makeSchemas(Connection inside) throws SQLException {
        List<String> there = names(inside, "SELECT nspname FROM pg_namespace");
        for (Inventory.Schema schema : inventory.schemas()) {
            String name = quoted(schema.name());
            if (!there.contains(schema.name())) {
                Sessions.execute(inside, "CREATE SCHEMA " + name + " AUTHORIZATION " + quoted(maker(schema.owner())));
            } else if (!ofTheDatabasesOwner(schema)) {
                Sessions.execute(inside, "ALTER SCHEMA " + name + " OWNER TO " + quoted(maker(schema.owner())));
            }
            // An owner may have made something there with a right that it does not have any more.
            for (String owner : guests(schema)) {
                Sessions.execute(inside, "GRANT ALL ON SCHEMA " + name + " TO " + quoted(owner));
            }
        }
    }

    /** As PostgreSQL makes the schema public. */
    private static boolean ofTheDatabasesOwner(Inventory.Schema schema) {
        return schema.owner().equals("pg_database_owner");
    }

    private List<String> guests(Inventory.Schema schema) {
        return hands.keySet().stream()
                .filter(owner -> ofTheDatabasesOwner(schema) || !owner.equals(maker(schema.owner())))
                .toList();
    }

    private void makeExtensions(Connection inside) throws SQLException {
        for (Inventory.Extension extension : inventory.extensions()) {
            String make = "CREATE EXTENSION IF NOT EXISTS " + quoted(extension.name()) + " SCHEMA "
                    + quoted(extension.schema());
            if (hands.containsKey(extension.owner())) {
                try {
                    Sessions.execute(inside, "SET ROLE " + quoted(extension.owner()), make);
                    continue;
                } catch (SQLException e) {
                    LOG.info(
                            "{} cannot make the extension {}: {}", extension.owner(), extension.name(), e.getMessage());
                } finally {
                    Sessions.execute(inside, "RESET ROLE");
                }
            }
            Sessions.execute(inside, make);
        }
    }

    private void takeBack() throws SQLException {
        try (Connection inside = live.open("restore", NAME, LOGIN, STATEMENT)) {
            for (Inventory.Schema schema : inventory.schemas()) {
                for (String owner : guests(schema)) {
                    Sessions.execute(
                            inside, "REVOKE ALL ON SCHEMA " + quoted(schema.name()) + " FROM " + quoted(owner));
                }
            }
            for (String owner : hands.keySet()) {
                Sessions.execute(inside, "REVOKE ALL ON DATABASE " + NAME + " FROM " + quoted(owner));
            }
        }
    }

    /** What code that reset the session's role has made in a hand's own name. */
    private void handOver() throws SQLException {
        try (Connection inside = live.open("restore", NAME, LOGIN, STATEMENT)) {
            for (Map.Entry<String, String> entry : hands.entrySet()) {
                Sessions.execute(inside, "REASSIGN OWNED BY " + entry.getValue() + " TO " + quoted(entry.getKey()));
            }
        }
    }

    private void dropHands(Connection session) throws SQLException {
        handOver();
        try (Connection inside = live.open("restore", NAME, LOGIN, STATEMENT)) {
            for (String hand : hands.values()) {
                Sessions.execute(inside, "DROP OWNED BY " + hand);
            }
        }
        for (String hand : hands.values()) {
            Sessions.execute(session, "DROP ROLE " + hand);
        }
    }

    // ---- the dump

    private List<DumpEntry> contents() {
        List<DumpEntry> entries = new ArrayList<>();
        List<String> odd = new ArrayList<>();
        Programs.Result result = programs.run(
                new Cancellation(),
                Programs.LONG,
                "pg_restore",
                List.of("--list", dump.toString()),
                Map.of(),
                null,
                line -> {
                    DumpEntry entry = DumpEntry.parse(line, inventory.names());
                    if (entry != null) {
                        entries.add(entry);
                    } else if (!line.isBlank() && !line.startsWith(";")) {
                        odd.add(line);
                    }
                },
                line -> {});
        if (result.exit() != 0 || !odd.isEmpty()) {
            throw new BackupFailure("the dump's table of contents cannot be read: " + result.lastWords() + odd);
        }
        Set<String> outOfReach =
                inventory.outOfReach().stream().map(Inventory.Thing::id).collect(Collectors.toSet());
        return entries.stream()
                .filter(entry -> !entry.isSchemaOrExtension() && !outOfReach.contains(entry.object()))
                .map(entry -> entry.of(maker(entry.owner())))
                .toList();
    }

    /** In their order, each run of one owner's by its hand. */
    private void makeByHands(List<DumpEntry> entries) throws IOException {
        int from = 0;
        for (int i = 1; i <= entries.size(); i++) {
            String owner = entries.get(from).owner();
            if (i == entries.size() || !entries.get(i).owner().equals(owner)) {
                restore(entries.subList(from, i), owner, true);
                from = i;
            }
        }
    }

    /** Large objects are bytes to the server: to write them runs no code either. */
    private void grant(List<DumpEntry> entries, Predicate<DumpEntry> which) throws IOException {
        restore(
                entries.stream()
                        .filter(entry -> entry.isGrant() || (entry.isData() && entry.is("BLOBS")))
                        .filter(which)
                        .toList(),
                null,
                false);
    }

    /**
     * @param owner null for the superuser
     * @param strict whether it ends with the first error, as a failure; else errors become notes
     */
    private void restore(List<DumpEntry> entries, @Nullable String owner, boolean strict) throws IOException {
        if (entries.isEmpty()) {
            return;
        }
        StringBuilder list = new StringBuilder();
        entries.forEach(entry -> list.append(entry.id()).append(";\n"));
        Path listFile = folder.resolve("list");
        files.write(listFile, list.toString());
        List<String> arguments = new ArrayList<>(List.of(
                "--host=" + settings.runDir(),
                "--port=" + live.port(),
                "--dbname=" + NAME,
                "--use-list=" + listFile,
                "--no-password"));
        if (strict) {
            arguments.add("--exit-on-error");
        }
        if (owner == null) {
            arguments.add("--username=" + PostgresSettings.SUPERUSER);
        } else {
            arguments.addAll(List.of("--username=" + hands.get(owner), "--no-owner"));
        }
        arguments.add(dump.toString());
        List<String> said = new ArrayList<>();
        Programs.Result result = programs.run(
                new Cancellation(),
                Programs.LONG,
                "pg_restore",
                arguments,
                // None of it counts before the names are swapped, and that commit waits for all of it.
                Map.of(
                        "PGPASSFILE",
                        folder.resolve("pgpass").toString(),
                        "PGAPPNAME",
                        "cellkeeper-restore",
                        "PGOPTIONS",
                        (owner == null ? Sessions.OPTIONS : "-c role=" + escaped(owner))
                                + " -c synchronous_commit=off"),
                null,
                line -> {},
                line -> {
                    Matcher matcher = WORDS.matcher(line);
                    if (matcher.lookingAt() && said.size() < 1000) {
                        said.add(line.substring(matcher.end()));
                    }
                });
        if (result.exit() == 0) {
            return;
        }
        if (strict || said.isEmpty()) {
            throw new BackupFailure("pg_restore: "
                    + (said.isEmpty()
                            ? result.lastWords()
                            : String.join(" | ", said.subList(0, Math.min(said.size(), WORDS_TOLD))))
                    + "; nothing was changed");
        }
        notes.addAll(said);
    }

    private static String escaped(String option) {
        return option.replaceAll("[\\\\\\s]", "\\\\$0");
    }

    // ---- SQL

    private static String quoted(String name) {
        return "\"" + name.replace("\"", "\"\"") + "\"";
    }

    private static List<String> names(Connection session, String question) throws SQLException {
        List<String> names = new ArrayList<>();
        try (PreparedStatement statement = session.prepareStatement(question);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                names.add(row.getString(1));
            }
        }
        return names;
    }
}
