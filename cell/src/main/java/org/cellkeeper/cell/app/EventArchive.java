package org.cellkeeper.cell.app;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The table of events: the history, for longer than ZooKeeper keeps it. Stateless. An entry that is there already is not added again. */
final class EventArchive {
    /** So many are kept. */
    static final int KEPT = 100_000;

    /** As JSON writes it: the escape itself, and not one behind an escaped backslash. */
    private static final Pattern NUL = Pattern.compile("(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000");

    private static final Logger LOG = LoggerFactory.getLogger(EventArchive.class);

    private EventArchive() {}

    /**
     * What an entry is known by: what it says, and not how it is written down, for a newer program may write it with more members.
     */
    static String digest(HistoryEntry entry) {
        String said = String.join(
                "\n",
                entry.time().toString(),
                entry.cell().value(),
                Long.toString(entry.epoch()),
                Integer.toString(entry.rule()),
                entry.sentence(),
                entry.detail());
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(said.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("no SHA-256 in this Java", e);
        }
    }

    /** The digest of the entry that was added last; empty where there is none. */
    static String newest(Connection session) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row =
                        statement.executeQuery("SELECT encode(digest, 'hex') FROM event ORDER BY id DESC LIMIT 1")) {
            return row.next() ? row.getString(1) : "";
        }
    }

    /** Adds what is new among them, in this order, and says how much that was. */
    static int add(Connection session, List<HistoryEntry> oldestFirst) throws SQLException {
        int added = 0;
        try (PreparedStatement statement = session.prepareStatement("""
                INSERT INTO event (digest, at, cell, epoch, rule, sentence, detail, entry)
                SELECT decode(?, 'hex'), ?, ?, ?, ?, ?, ?, ?::jsonb
                WHERE NOT EXISTS (SELECT FROM event WHERE digest = decode(?, 'hex'))
                ON CONFLICT (digest) DO NOTHING
                """)) {
            for (HistoryEntry entry : oldestFirst) {
                String digest = digest(entry);
                statement.setString(1, digest);
                // What the API tells is cut to milliseconds as well: "before" that time then means before this entry.
                statement.setObject(
                        2, entry.time().truncatedTo(ChronoUnit.MILLIS).atOffset(ZoneOffset.UTC));
                statement.setString(3, entry.cell().value());
                statement.setLong(4, entry.epoch());
                statement.setInt(5, entry.rule());
                statement.setString(6, storable(entry.sentence()));
                statement.setString(7, storable(entry.detail()));
                statement.setString(8, NUL.matcher(Json.writeText(entry)).replaceAll("$1"));
                statement.setString(9, digest);
                added += statement.executeUpdate();
            }
        }
        return added;
    }

    /** PostgreSQL's text holds no NUL. */
    private static String storable(String text) {
        return text.replace("\0", "");
    }

    /** Forgets the oldest beyond so many. */
    static int prune(Connection session, int kept) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(
                "DELETE FROM event WHERE id <= (SELECT id FROM event ORDER BY id DESC OFFSET ? LIMIT 1)")) {
            statement.setInt(1, kept);
            return statement.executeUpdate();
        }
    }

    /** Newest first. */
    static List<HistoryEntry> read(Connection session, @Nullable Instant before, int limit) throws SQLException {
        List<HistoryEntry> entries = new ArrayList<>();
        try (PreparedStatement statement = session.prepareStatement("SELECT entry FROM event "
                + (before == null ? "" : "WHERE at < ? ") + "ORDER BY at DESC, id DESC LIMIT ?")) {
            int next = 1;
            if (before != null) {
                statement.setObject(
                        next++, before.truncatedTo(ChronoUnit.MILLIS).atOffset(ZoneOffset.UTC));
            }
            statement.setInt(next, limit);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    try {
                        entries.add(Json.read(row.getString(1), HistoryEntry.class));
                    } catch (Json.Unreadable e) {
                        LOG.warn("An entry of the archive is left out: {}", e.getMessage());
                    }
                }
            }
        }
        return List.copyOf(entries);
    }
}
