package org.cellkeeper.cell.port;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.VersionedState;

/** A client, and all that it was told. */
public final class CoordinationWatcher implements Consumer<CoordinationView> {
    private static final long PATIENCE_MILLIS = 20_000;

    public final Coordination coordination;
    private final LinkedBlockingQueue<CoordinationView> told = new LinkedBlockingQueue<>();
    private final List<CoordinationView> all = new ArrayList<>();
    private volatile CoordinationView last = CoordinationView.nothing();

    public CoordinationWatcher(Coordination coordination) {
        this.coordination = coordination;
        coordination.listen(this);
    }

    @Override
    public void accept(CoordinationView view) {
        synchronized (all) {
            all.add(view);
        }
        last = view;
        told.add(view);
    }

    public CoordinationView last() {
        return last;
    }

    public List<CoordinationView> all() {
        synchronized (all) {
            return List.copyOf(all);
        }
    }

    /** The newest view once it is as expected; fails when it does not become so in time. */
    public CoordinationView awaits(String what, Predicate<CoordinationView> expected) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
        CoordinationView view = last;
        while (!expected.test(view)) {
            told.poll(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            view = last;
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not told in time: " + what + "; last view " + view);
            }
        }
        return view;
    }

    public VersionedState awaitsState(Predicate<ClusterState> expected) throws InterruptedException {
        CoordinationView view = awaits(
                "state", v -> v.state() != null && expected.test(v.state().state()));
        return Objects.requireNonNull(view.state());
    }
}
