package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a primary of a standby, on a timeline of its own: while it runs, or from rest, where the end of its WAL can be read as well. Verb
 * thread only.
 */
final class Promotion {
    private static final Logger LOG = LoggerFactory.getLogger(Promotion.class);

    private static final Duration CLEAR_EVERY = Duration.ofMillis(200);

    private final Instance instance;
    private final Starting starting;
    private final Following following;
    private final WalEnd walEnd;
    private final PostmasterExitWatch exitWatch;
    private final Observer observer;

    Promotion(
            Instance instance,
            Starting starting,
            Following following,
            WalEnd walEnd,
            PostmasterExitWatch exitWatch,
            Observer observer) {
        this.instance = instance;
        this.starting = starting;
        this.following = following;
        this.walEnd = walEnd;
        this.exitWatch = exitWatch;
        this.observer = observer;
    }

    void whileItRuns(Cancellation cancellation, int higherThan) throws IOException, SQLException {
        instance.postmaster().running();
        instance.requireStandby(cancellation);
        DatabaseView before = observer.observe().join();
        DatabaseView.Standby standby = before.standby();
        if (standby == null) {
            throw new DatabaseFailure("this is not a running standby: " + before.problem());
        }
        if (!instance.data()
                .timelinesBeyond(standby.timeline(), standby.replayed())
                .isEmpty()) {
            // The startup process that runs may have one of them for its target already.
            cancellation.check();
            instance.postmaster().killAll();
            instance.control().forget();
            SyncSetting sync = instance.file().current().sync();
            fromRest(cancellation, sync == null ? SyncSetting.NOBODY : sync, higherThan);
            return;
        }
        instance.data().fabricateHistories(standby.timeline(), higherThan);
        instance.session().isTrue(cancellation, "SELECT pg_promote(false)");
        awaitPromoted(
                cancellation,
                instance.postmaster().running(),
                instance.settings().timeouts().quickly());
    }

    /** Whoever comes in meanwhile may keep replay from its end. */
    private void awaitPromoted(Cancellation cancellation, Postmaster.Run run, Duration limit) {
        long[] clearedAt = {System.nanoTime()};
        starting.awaitWhileRunning(cancellation, run, limit, "still in recovery", () -> {
            if (!instance.postmaster().saysReady(run)) {
                return false;
            }
            try {
                if (System.nanoTime() - clearedAt[0] > CLEAR_EVERY.toNanos()) {
                    following.clearTheWay(cancellation);
                    clearedAt[0] = System.nanoTime();
                }
                return !instance.session().isTrue(cancellation, "SELECT pg_is_in_recovery()");
            } catch (SQLException e) {
                throw new DatabaseFailure(String.valueOf(e.getMessage()), e);
            }
        });
    }

    void fromRest(Cancellation cancellation, SyncSetting setting, int higherThan) throws IOException {
        Postmaster postmaster = instance.postmaster();
        DataDirectory data = instance.data();
        postmaster.requireStopped();
        data.requirePresent();
        data.becomeStandby();
        ControlData.Content read = control();
        int timeline = read.control().timeline();
        data.removeDanglingFabrications(timeline);
        if (!data.timelinesAbove(timeline).isEmpty()) {
            // Recovery would take one of them for its target, and stop where that one left the line of this WAL.
            List<Integer> others =
                    data.timelinesAbove(walEnd.read(cancellation, read).timeline());
            if (!others.isEmpty()) {
                LOG.info("The histories of timelines {} are removed: this cell's WAL is not of them", others);
                data.forgetTimelines(others);
            }
        }
        instance.file().write(instance.file().current().withSync(setting).withoutUpstream());
        Postmaster.Run run = starting.launchDetached(cancellation);
        // It has chosen the timeline to follow before it replays: made-up histories mislead it no more.
        Duration limit = instance.settings().timeouts().start();
        starting.awaitWhileRunning(
                cancellation,
                run,
                limit,
                "it does not begin to recover",
                () -> postmaster.hasChild(run, "startup recovering")
                        || postmaster.hasChild(run, "startup waiting")
                        || postmaster.saysReady(run));
        data.fabricateHistories(timeline, higherThan);
        instance.files().write(data.root().resolve("promote"), "");
        postmaster.signal("USR1", List.of(run.pid()));
        awaitPromoted(cancellation, run, limit);
        exitWatch.poke();
    }

    void readEnd(Cancellation cancellation) {
        instance.postmaster().requireStopped();
        instance.data().requirePresent();
        instance.control().forget();
        observer.atRest(walEnd.read(cancellation, control()));
    }

    private ControlData.Content control() {
        ControlData.Content read = instance.control().read();
        if (read == null) {
            throw new DatabaseFailure("pg_control cannot be read, or is torn");
        }
        return read;
    }
}
