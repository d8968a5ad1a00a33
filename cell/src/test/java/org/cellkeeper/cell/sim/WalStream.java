package org.cellkeeper.cell.sim;

import org.cellkeeper.cell.model.StreamName;

/**
 * One replication connection: the walsender's end and the walreceiver's end, each of which may be gone without the other
 * knowing.
 */
final class WalStream {
    final SimPostgres sender;
    final SimPostgres receiver;
    final SimProcess senderRun;
    final SimProcess receiverRun;
    final StreamName name;
    final String slot;
    final int pid;
    final long started;
    /** What this walsender has read of the settings. */
    SettingsFile settings;

    boolean senderOpen = true;
    boolean receiverOpen = true;
    /** A standby that the sender will refuse once it comes to the fork: until then its flush position counts. */
    boolean doomed;

    /** The sender has removed the WAL that comes next: it sends nothing, and ends the stream a moment later. */
    boolean starved;

    boolean streaming;
    /** The flush position that the standby has reported; -1 for none yet. */
    long flushed = -1;
    /** The index in the sender's WAL of the next record to send. */
    int next;

    boolean sendScheduled;
    long lastHeard;
    /** Since when something is wrong with the connection; -1 when nothing is. */
    long disturbedAt = -1;

    WalStream(
            SimPostgres sender,
            SimPostgres receiver,
            SimProcess senderRun,
            SimProcess receiverRun,
            StreamName name,
            String slot,
            int pid,
            long started,
            SettingsFile settings) {
        this.sender = sender;
        this.receiver = receiver;
        this.senderRun = senderRun;
        this.receiverRun = receiverRun;
        this.name = name;
        this.slot = slot;
        this.pid = pid;
        this.started = started;
        this.settings = settings;
    }

    boolean open() {
        return senderOpen && receiverOpen;
    }

    /** This walsender's sync_priority: by the settings that it has read itself. */
    int priority() {
        return settings.sync().names().contains(name) ? 1 : 0;
    }

    @Override
    public String toString() {
        return name + "/" + pid + (streaming ? " streaming" : " catching up") + " flush " + Long.toHexString(flushed)
                + (priority() > 0 ? " sync" : "") + (senderOpen ? "" : " sender gone")
                + (receiverOpen ? "" : " receiver gone");
    }
}
