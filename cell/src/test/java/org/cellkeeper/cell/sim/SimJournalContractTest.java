package org.cellkeeper.cell.sim;

import org.cellkeeper.cell.port.Journal;
import org.cellkeeper.cell.port.JournalContract;
import org.junit.jupiter.api.AfterEach;

/** The simulated state file keeps the contract that the real one keeps. */
final class SimJournalContractTest extends JournalContract {
    private final World world = IdleAgent.world(13, 1);
    private final LivePump pump = new LivePump(world);

    @Override
    protected Journal nextLife() {
        SimCell cell = world.cell("a");
        pump.run(() -> {
            cell.killAgent();
            cell.startAgent();
        });
        return pump.guarded(Journal.class, cell.agent().journal());
    }

    @Override
    protected void breakTheDisk() {
        pump.run(() -> world.cell("a").disk().failsPerMille(1000));
    }

    @Override
    protected void mendTheDisk() {
        pump.run(() -> world.cell("a").disk().heal());
    }

    @AfterEach
    void stop() {
        pump.close();
    }
}
