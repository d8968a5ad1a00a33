package org.cellkeeper.cell.door;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.postgres.PostgresBench;
import org.cellkeeper.cell.postgres.PostgresRoles;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Encryption;
import org.jspecify.annotations.Nullable;

/** A real PgBouncer in front of two real primaries, a and b, with the same roles. */
final class DoorBench implements AutoCloseable {
    static final Duration SOON = Duration.ofSeconds(10);
    private static final String HOST = "127.0.0.1";

    final PostgresBench postgres = new PostgresBench();
    final int port = FreePort.find();
    private final PostgresRoles roles;
    private final Path folder;
    volatile @Nullable Reader reader;
    private PgBouncerDoor door;

    DoorBench() throws IOException {
        for (String name : List.of("a", "b")) {
            postgres.found(name);
            postgres.get(postgres.database(name).startPrimary());
        }
        roles = new PostgresRoles(postgres.settings("a"));
        folder = postgres.settings("a").runDir().resolveSibling("door");
        door = another(List.of());
    }

    DoorSettings settings(List<String> rules) {
        return new DoorSettings(
                folder,
                HOST,
                port,
                PostgresSettings.APPLICATION,
                roles.asUser(),
                postgres.settings("a").osUser(),
                List.of("127.0.0.0/8"),
                false,
                rules,
                Certified.cells().credentials(Encryption.REQUIRED, "a"));
    }

    private PgBouncerDoor another(List<String> rules) {
        PgBouncerDoor fresh = new PgBouncerDoor(settings(rules), () -> reader, roles::secrets);
        fresh.start();
        return fresh;
    }

    PgBouncerDoor door() {
        return door;
    }

    /** The agent is killed, and another one comes. */
    PgBouncerDoor anotherAgent() {
        door.abandon();
        door = another(List.of());
        return door;
    }

    PgBouncerDoor anotherAgent(List<String> rules) {
        door.abandon();
        door = another(rules);
        return door;
    }

    Upstream to(String name) {
        return postgres.upstream(name, 1);
    }

    String portOf(String name) {
        return String.valueOf(to(name).port());
    }

    /** Opens it, and waits until a client comes through. */
    void open(String name) {
        var _ = postgres.get(door.openTo(to(name)));
        postgres.awaitTrue(SOON, () -> door.status().problem().isEmpty(), "no problem");
        postgres.awaitTrue(SOON, () -> portOf(name).equals(tryToAsk()), "leads to " + name);
    }

    private String tryToAsk() {
        try (Connection client = client("vcloud")) {
            return ask(client);
        } catch (SQLException e) {
            return e.getMessage();
        }
    }

    Connection client(String database) throws SQLException {
        return client(database, postgres.settings("a").passwords().application(), Map.of());
    }

    Connection client(String database, String password, Map<String, String> more) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", PostgresSettings.APPLICATION);
        properties.setProperty("password", password);
        properties.setProperty("socketTimeout", "20");
        properties.putAll(more);
        return DriverManager.getConnection("jdbc:postgresql://" + HOST + ":" + port + "/" + database, properties);
    }

    /** The port of the PostgreSQL that answers. */
    static String ask(Connection client) throws SQLException {
        try (Statement statement = client.createStatement();
                ResultSet row = statement.executeQuery("SELECT current_setting('port')")) {
            return row.next() ? row.getString(1) : "";
        }
    }

    /** As PgBouncer sees it, which is a moment later than its agent. */
    boolean isPaused() {
        try (Console console = new Console(folder.resolve(".s.PGSQL." + port))) {
            Console.Place place = console.places(SOON).get(PostgresSettings.APPLICATION);
            return place != null && place.paused();
        } catch (IOException e) {
            return false;
        }
    }

    ProcessHandle process() {
        try {
            return ProcessHandle.of(Long.parseLong(
                            Files.readString(folder.resolve("pgbouncer.pid")).strip()))
                    .orElseThrow();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    Path file(String name) {
        return folder.resolve(name);
    }

    @Override
    public void close() {
        door.close();
        roles.close();
        postgres.close();
    }
}
