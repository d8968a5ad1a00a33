package org.cellkeeper.cell.postgres;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.trust.Identity;
import org.jspecify.annotations.Nullable;

/**
 * What one session sees of the instance, in one round trip. The statements run in this order, and each sees the moment that
 * it runs at: the commit rule, the flush position, then who streams; and what a standby holds last: after it was seen to be at
 * the end of its WAL, or without a walreceiver (I1, I5). They read no table, wait for no lock, and compare no clocks, which may be
 * set at any time.
 *
 * @param sync the commit rule as this session sees it
 * @param flushed of a primary, else null
 * @param timeline of a primary, else 0
 * @param conninfo as this session sees it
 * @param senders each taken for older than the rule, which nothing that the session sees tells
 * @param impostors who streams under a cell's name and does not count for it
 * @param startup the startup process, by pid and start; empty when there is none
 * @param startupWaits what the startup process waits for; null when nothing, or there is none
 * @param inTheWay the sessions that the startup process waits for, in words; null when it waits for none
 * @param pausedWith null unless replay is paused: the settings then that a standby must have no less of than its primary
 */
record Observation(
        String systemId,
        @Nullable String sync,
        @Nullable Lsn flushed,
        int timeline,
        @Nullable Lsn received,
        @Nullable Lsn replayed,
        int checkpointTimeline,
        Lsn checkpoint,
        @Nullable String conninfo,
        List<DatabaseView.WalSender> senders,
        List<Impostor> impostors,
        Set<String> slots,
        int waiting,
        boolean walReceiver,
        String startup,
        @Nullable String startupWaits,
        @Nullable String inTheWay,
        @Nullable String pausedWith,
        @Nullable Receiving receiving) {

    /**
     * What the walreceiver says of itself.
     *
     * @param streaming it says so before the other end has let it
     * @param heard whether something has come to this process, and not only its connection
     * @param lastMessage the process and when it last received something, by a clock that may be set at any time: good only for
     *     telling whether something came since
     */
    record Receiving(int pid, boolean streaming, int timeline, boolean heard, String lastMessage, String slot) {}

    /**
     * A stream under the name of a cell that is not that cell's.
     *
     * @param certificate the subject of the one that it shows; null when that is not what is wrong with it
     */
    record Impostor(int pid, StreamName name, @Nullable String certificate) {}

    /** What the startup process waits for after it has asked in vain for more WAL, and before it asks again. */
    static final String RETRY_INTERVAL = "RecoveryRetrieveRetryInterval";

    /** What it waits for while a walreceiver streams. */
    static final String WAL_STREAM = "RecoveryWalStream";

    private static final String COMMON_NAME = "/CN=";

    static final String SQL = """
            SELECT current_setting('synchronous_standby_names') AS sync,
                   CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END AS flushed,
                   CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_insert_lsn()) END AS segment,
                   c.timeline_id AS checkpoint_timeline,
                   c.checkpoint_lsn AS checkpoint,
                   y.system_identifier,
                   current_setting('primary_conninfo') AS conninfo
              FROM pg_control_checkpoint() c, pg_control_system() y;
            SELECT s.pid, a.application_name, s.state, s.flush_lsn, s.sync_priority, r.slot_name, a.ssl, a.ssl_client_dn
              FROM pg_stat_get_wal_senders() s
              JOIN pg_stat_get_activity(NULL) a ON a.pid = s.pid
              LEFT JOIN pg_get_replication_slots() r ON r.active_pid = s.pid;
            SELECT slot_name FROM pg_get_replication_slots() WHERE slot_type = 'physical' AND NOT temporary;
            WITH a AS MATERIALIZED (SELECT * FROM pg_stat_get_activity(NULL)),
                 s AS (SELECT * FROM a WHERE a.backend_type = 'startup')
            SELECT count(*) FILTER (WHERE a.wait_event = 'SyncRep') AS waiting,
                   count(*) FILTER (WHERE a.backend_type = 'walreceiver') AS receivers,
                   (SELECT s.pid || '@' || extract(epoch FROM s.backend_start) FROM s) AS startup,
                   (SELECT s.wait_event FROM s) AS startup_waits,
                   (SELECT %s FROM s) AS in_the_way,
                   CASE WHEN pg_is_in_recovery() AND pg_get_wal_replay_pause_state() <> 'not paused'
                        THEN concat_ws(' ',
                             'max_connections=' || current_setting('max_connections'),
                             'max_worker_processes=' || current_setting('max_worker_processes'),
                             'max_wal_senders=' || current_setting('max_wal_senders'),
                             'max_prepared_transactions=' || current_setting('max_prepared_transactions'),
                             'max_locks_per_transaction=' || current_setting('max_locks_per_transaction'))
                   END AS paused_with
              FROM a;
            SELECT w.pid, w.status, w.received_tli, w.last_msg_send_time <> w.last_msg_receipt_time AS heard, coalesce(w.slot_name, '') AS slot,
                   concat(w.pid, '@', extract(epoch FROM w.last_msg_receipt_time)) AS last_message
              FROM pg_stat_get_wal_receiver() w WHERE w.pid IS NOT NULL;
            SELECT pg_last_wal_receive_lsn() AS received,
                   pg_last_wal_replay_lsn() AS replayed
            """.formatted(
                    sessionsInTheWay(
                            "string_agg(format('session %s of %s (in a transaction since %s)', b.pid,"
                                    + " pg_get_userbyid(b.usesysid), to_char(b.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS \"UTC\"')), ', ')"));

    /**
     * Of the sessions that the startup process (s) waits for, as a scalar query over all processes (a); they are asked for only when it
     * says that it waits for such.
     */
    static String sessionsInTheWay(String what) {
        return """
                CASE WHEN s.wait_event LIKE 'RecoveryConflict%%' OR s.wait_event_type IN ('Lock', 'BufferPin')
                     THEN (SELECT %s FROM a b
                            WHERE b.backend_type = 'client backend' AND b.pid <> pg_backend_pid()
                              AND CASE WHEN s.wait_event_type = 'Lock' THEN EXISTS (
                                           SELECT FROM pg_lock_status() w JOIN pg_lock_status() g
                                                ON g.locktype = w.locktype AND g.database = w.database
                                               AND g.relation IS NOT DISTINCT FROM w.relation
                                            WHERE w.pid = s.pid AND NOT w.granted AND g.pid = b.pid AND g.granted)
                                       WHEN s.wait_event_type = 'BufferPin' THEN b.state <> 'idle'
                                       ELSE b.backend_xmin IS NOT NULL END)
                END""".formatted(what);
    }

    static PreparedStatement prepare(Connection session) throws SQLException {
        return session.prepareStatement(SQL);
    }

    /** @param certified whether every stream must show a certificate; one that is shown must be that cell's in any case */
    static Observation take(PreparedStatement statement, boolean certified) throws SQLException {
        statement.execute();
        Observation first;
        try (ResultSet row = statement.getResultSet()) {
            row.next();
            first = first(row);
        }
        List<DatabaseView.WalSender> senders = new ArrayList<>();
        List<Impostor> impostors = new ArrayList<>();
        takeSenders(statement, certified, senders, impostors);
        Set<String> slots = slots(statement);
        int waiting;
        boolean walReceiver;
        String startup;
        String startupWaits;
        String inTheWay;
        String pausedWith;
        try (ResultSet row = next(statement)) {
            row.next();
            waiting = row.getInt("waiting");
            walReceiver = row.getInt("receivers") > 0;
            String process = row.getString("startup");
            startup = process == null ? "" : process;
            startupWaits = row.getString("startup_waits");
            inTheWay = row.getString("in_the_way");
            pausedWith = row.getString("paused_with");
        }
        Receiving receiving = receiving(statement);
        Lsn received;
        Lsn replayed;
        try (ResultSet row = next(statement)) {
            row.next();
            received = lsn(row, "received");
            replayed = lsn(row, "replayed");
        }
        return new Observation(
                first.systemId,
                first.sync,
                first.flushed,
                first.timeline,
                received,
                replayed,
                first.checkpointTimeline,
                first.checkpoint,
                first.conninfo,
                senders,
                impostors,
                slots,
                waiting,
                walReceiver,
                startup,
                startupWaits,
                inTheWay,
                pausedWith,
                receiving);
    }

    /** What the first statement tells, and nothing of the others yet. */
    private static Observation first(ResultSet row) throws SQLException {
        String segment = row.getString("segment");
        return new Observation(
                row.getString("system_identifier"),
                row.getString("sync"),
                lsn(row, "flushed"),
                segment == null ? 0 : Integer.parseUnsignedInt(segment.substring(0, 8), 16),
                null,
                null,
                row.getInt("checkpoint_timeline"),
                Lsn.parse(row.getString("checkpoint")),
                row.getString("conninfo"),
                List.of(),
                List.of(),
                Set.of(),
                0,
                false,
                "",
                null,
                null,
                null,
                null);
    }

    private static void takeSenders(
            PreparedStatement statement,
            boolean certified,
            List<DatabaseView.WalSender> senders,
            List<Impostor> impostors)
            throws SQLException {
        try (ResultSet row = next(statement)) {
            while (row.next()) {
                StreamName name = SyncNames.streamName(row.getString("application_name"));
                if (name == null) {
                    continue;
                }
                int pid = row.getInt("pid");
                String subject = row.getString("ssl_client_dn");
                String slot = row.getString("slot_name");
                String state = row.getString("state");
                if ((certified || row.getBoolean("ssl")) && !isOf(name, subject)) {
                    impostors.add(new Impostor(pid, name, subject == null ? "" : subject));
                } else if (slot != null && name.cell().owns(slot)) {
                    // I2: a stream counts for a cell only when it holds that cell's slot, which no two streams can.
                    Lsn flushed = lsn(row, "flush_lsn");
                    senders.add(new DatabaseView.WalSender(
                            name,
                            "streaming".equals(state),
                            flushed == null ? Lsn.ZERO : flushed,
                            row.getInt("sync_priority"),
                            true,
                            pid));
                } else if ("streaming".equals(state) || "catchup".equals(state)) {
                    impostors.add(new Impostor(pid, name, null));
                }
            }
        }
    }

    /** By the subject as PostgreSQL tells it; one that it may have cut off is nobody's. */
    static boolean isOf(StreamName name, @Nullable String subject) {
        if (subject == null || subject.getBytes(StandardCharsets.UTF_8).length > Identity.LONGEST_SUBJECT) {
            return false;
        }
        String marked = subject + "/";
        int at = marked.indexOf(COMMON_NAME);
        return at >= 0
                && marked.lastIndexOf(COMMON_NAME) == at
                && marked.startsWith(name.cell().name() + "/", at + COMMON_NAME.length());
    }

    private static Set<String> slots(PreparedStatement statement) throws SQLException {
        Set<String> slots = new TreeSet<>();
        try (ResultSet row = next(statement)) {
            while (row.next()) {
                slots.add(row.getString(1));
            }
        }
        return slots;
    }

    private static @Nullable Receiving receiving(PreparedStatement statement) throws SQLException {
        try (ResultSet row = next(statement)) {
            return row.next()
                    ? new Receiving(
                            row.getInt("pid"),
                            "streaming".equals(row.getString("status")),
                            row.getInt("received_tli"),
                            row.getBoolean("heard"),
                            row.getString("last_message"),
                            row.getString("slot"))
                    : null;
        }
    }

    private static ResultSet next(PreparedStatement statement) throws SQLException {
        statement.getMoreResults();
        ResultSet rows = statement.getResultSet();
        if (rows == null) {
            throw new SQLException("the observation came back incomplete");
        }
        return rows;
    }

    private static @Nullable Lsn lsn(ResultSet row, String column) throws SQLException {
        String text = row.getString(column);
        return text == null ? null : Lsn.parse(text);
    }
}
