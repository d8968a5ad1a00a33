package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Set;
import java.util.TreeSet;
import org.cellkeeper.cell.model.SyncSetting;

/** Whom commits wait for, and whether there are any: the verbs that change it at the running primary. Verb thread only. */
final class CommitRule {
    private final Instance instance;
    private final Reloads reloads;

    CommitRule(Instance instance, Reloads reloads) {
        this.instance = instance;
        this.reloads = reloads;
    }

    void apply(Cancellation cancellation, SyncSetting setting) throws IOException, SQLException {
        instance.data().requirePresent();
        reloads.ruleWritten();
        instance.apply(cancellation, instance.file().current().withSync(setting));
        reloads.ruleWritten();
        if (instance.postmaster().find() != null && !instance.data().startsAsStandby()) {
            wakeWaiters(cancellation);
        }
    }

    /**
     * A commit that waits is looked at again only when a standby tells what it has flushed. One that had flushed it before the rule
     * named it has nothing to tell, for up to wal_receiver_status_interval: some more WAL gives it something, if a commit waits. In a
     * new session, since the postmaster forks none before it has told the walsenders of the rule.
     */
    private void wakeWaiters(Cancellation cancellation) throws SQLException {
        instance.session().performAnew(cancellation, session -> Sessions.execute(session, """
                SELECT pg_logical_emit_message(true, 'cellkeeper', 'commit rule')
                 WHERE NOT pg_is_in_recovery()
                   AND EXISTS (SELECT FROM pg_stat_get_activity(NULL) a WHERE a.wait_event = 'SyncRep')"""));
    }

    void setReadOnly(Cancellation cancellation, boolean readOnly) throws IOException, SQLException {
        instance.data().requirePresent();
        instance.apply(cancellation, instance.file().current().withReadOnly(readOnly));
        if (readOnly && instance.postmaster().find() != null) {
            // Terminated, not cancelled: a cancelled wait would tell the client that its commit is done.
            instance.session()
                    .perform(
                            cancellation,
                            session -> Sessions.execute(
                                    session,
                                    "SELECT pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL)"
                                            + " WHERE wait_event = 'SyncRep'"));
        }
    }

    void terminateOldSenders(Cancellation cancellation) throws SQLException {
        Postmaster.Run run = instance.postmaster().running();
        instance.session().perform(cancellation, session -> {
            for (int pid : reloads.older(run.id(), senders(session))) {
                Sessions.execute(session, "SELECT pg_terminate_backend(" + pid + ")");
            }
        });
    }

    /** Those of standbys of ours. */
    private static Set<Integer> senders(Connection session) throws SQLException {
        Set<Integer> pids = new TreeSet<>();
        try (Statement statement = session.createStatement();
                ResultSet rows = statement.executeQuery("SELECT s.pid FROM pg_stat_get_wal_senders() s"
                        + " JOIN pg_stat_get_activity(NULL) a ON a.pid = s.pid"
                        + " WHERE a.application_name ~ '^[a-z][a-z0-9-]{0,29}[.][0-9a-f]{8}[.][0-9]+$'")) {
            while (rows.next()) {
                pids.add(rows.getInt(1));
            }
        }
        return pids;
    }
}
