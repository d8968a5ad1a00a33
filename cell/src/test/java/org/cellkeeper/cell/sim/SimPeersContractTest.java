package org.cellkeeper.cell.sim;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.port.Peers;
import org.cellkeeper.cell.port.PeersContract;

/** The simulated links keep the contract that the real ones keep. */
final class SimPeersContractTest extends PeersContract {
    private final World world = IdleAgent.world(14, 3);

    private SimCell cell(CellName name) {
        String text = name.value();
        return world.cell(text.substring(text.length() - 1));
    }

    @Override
    protected Peers start(CellName name) {
        SimCell cell = cell(name);
        cell.startAgent();
        return cell.agent().peers();
    }

    @Override
    protected void kill(CellName name) {
        cell(name).killAgent();
    }

    @Override
    protected Address address(CellName name) {
        return cell(name).settings().address();
    }

    @Override
    protected boolean passesWithin(Duration limit, BooleanSupplier condition) {
        return world.runUntil(condition, limit);
    }
}
