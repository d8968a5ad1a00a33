package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Starts PostgreSQL, as a primary or as a standby, and waits until it is up. Verb thread only. */
final class Starting {
    private static final Logger LOG = LoggerFactory.getLogger(Starting.class);

    /** A standby that cannot start mostly ends within that. */
    private static final Duration STARTS_WITHIN = Duration.ofSeconds(2);

    private static final Duration STEP = Duration.ofMillis(2);

    private final Instance instance;
    private final OwnedSettings owned;
    private final ForeignEdits edits;
    private final ClosedPortResponder responder;
    private final PostmasterExitWatch exitWatch;
    private final Observer observer;

    Starting(
            Instance instance,
            OwnedSettings owned,
            ForeignEdits edits,
            ClosedPortResponder responder,
            PostmasterExitWatch exitWatch,
            Observer observer) {
        this.instance = instance;
        this.owned = owned;
        this.edits = edits;
        this.responder = responder;
        this.exitWatch = exitWatch;
        this.observer = observer;
    }

    void primary(Cancellation cancellation) throws IOException {
        instance.postmaster().requireStopped();
        instance.data().requirePresent();
        if (instance.data().startsAsStandby()) {
            throw new DatabaseFailure("these data are a standby's: they become a primary's by promotion only");
        }
        // A file that is not ours, or an unreadable rule, becomes one that nobody can fulfil.
        SettingsFile.Content content = instance.file().current();
        SyncSetting sync = content.sync() == null ? SyncSetting.NOBODY : content.sync();
        instance.file().write(content.withSync(sync).withoutUpstream());
        Postmaster.Run run = launch(cancellation, requiredOfAPrimary());
        awaitWhileRunning(
                cancellation,
                run,
                instance.settings().timeouts().start(),
                "PostgreSQL does not take connections",
                () -> instance.postmaster().saysReady(run));
        exitWatch.poke();
    }

    /** Prepared transactions must find the room that they had; those of before a crash may be known to the WAL alone. */
    private Map<String, Integer> requiredOfAPrimary() throws IOException {
        ControlData.Content read = instance.control().read();
        String name = "max_prepared_transactions";
        Integer had = read == null ? null : read.required().get(name);
        if (read == null
                || had == null
                || (read.control().cleanlyShutDown() && !instance.data().hasPreparedTransactions())) {
            return Map.of();
        }
        Map<String, Integer> required = Map.of(name, had);
        owned.raised(required)
                .forEach((setting, value) ->
                        LOG.info("{} is started as {}: prepared transactions need it", setting, value));
        return required;
    }

    void standby(Cancellation cancellation, @Nullable Upstream upstream, CellId self) throws IOException {
        instance.postmaster().requireStopped();
        DataDirectory data = instance.data();
        data.requirePresent();
        if (upstream != null) {
            observer.detachment().willFollow();
        }
        data.becomeStandby();
        ControlData.Content read = instance.control().read();
        if (read != null) {
            data.removeDanglingFabrications(read.control().timeline());
        }
        SettingsFile file = instance.file();
        SettingsFile.Content content = file.current().withSync(SyncSetting.NOBODY);
        file.write(upstream == null ? content.withoutUpstream() : file.following(content, upstream, self));
        Postmaster.Run run = launch(cancellation, requiredOfAStandby());
        if (upstream == null) {
            observer.detachment().started(run.id());
        }
        // It may have much to replay, or let nobody in for good: other verbs do not wait for that.
        var _ = awaitWhileRunning(
                cancellation, run, STARTS_WITHIN, () -> instance.postmaster().saysReady(run));
        exitWatch.poke();
    }

    /** Starts a standby whose settings, which have been written, name no upstream. */
    Postmaster.Run launchDetached(Cancellation cancellation) throws IOException {
        Postmaster.Run run = launch(cancellation, requiredOfAStandby());
        observer.detachment().started(run.id());
        return run;
    }

    /** The primary's settings of which a standby must not have less, as it last told them in its WAL. */
    private Map<String, Integer> requiredOfAStandby() {
        ControlData.Content read = instance.control().read();
        Map<String, Integer> required = read == null ? Map.of() : read.required();
        owned.raised(required)
                .forEach((name, value) -> LOG.info("{} is started as {}: the primary has it so", name, value));
        return required;
    }

    /** The settings have been written. */
    private Postmaster.Run launch(Cancellation cancellation, Map<String, Integer> required) throws IOException {
        edits.judgeAtRest();
        responder.close();
        observer.atRest(null);
        return instance.postmaster()
                .start(cancellation, owned.commandLine(instance.settings().dataDir(), required));
    }

    /** Says whether it came to that; fails when PostgreSQL goes. */
    private boolean awaitWhileRunning(
            Cancellation cancellation, Postmaster.Run run, Duration limit, BooleanSupplier condition) {
        Postmaster postmaster = instance.postmaster();
        return cancellation.await(limit, STEP, () -> {
            if (!run.equals(postmaster.find())) {
                instance.control().forget();
                throw new DatabaseFailure("PostgreSQL did not come up: " + postmaster.lastWords());
            }
            return condition.getAsBoolean();
        });
    }

    /** Fails when PostgreSQL goes, or when it does not come to that. */
    void awaitWhileRunning(
            Cancellation cancellation,
            Postmaster.Run run,
            Duration limit,
            String otherwise,
            BooleanSupplier condition) {
        if (!awaitWhileRunning(cancellation, run, limit, condition)) {
            throw new DatabaseFailure(otherwise + " after " + limit.toSeconds() + " s; it is left running");
        }
    }
}
