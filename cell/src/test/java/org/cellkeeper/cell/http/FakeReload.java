package org.cellkeeper.cell.http;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.cellkeeper.cell.port.Operator.Check;
import org.cellkeeper.cell.port.Reloadable;

/** Counts how often it is told to, and finds what it is told to find. */
public final class FakeReload implements Reloadable {
    public final AtomicInteger done = new AtomicInteger();
    public volatile String fault = "";

    @Override
    public List<Check> checks() {
        return List.of(new Check("configuration-usable", fault.isEmpty(), fault));
    }

    @Override
    public void reload() {
        done.incrementAndGet();
    }
}
