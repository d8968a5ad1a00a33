package org.cellkeeper.cell.sim;

import java.util.IdentityHashMap;
import java.util.Map;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.CoordinationBench;
import org.cellkeeper.cell.port.CoordinationContract;

/** The simulated ZooKeeper keeps the contract that the real one keeps. */
final class SimCoordinationContractTest extends CoordinationContract {
    @Override
    protected CoordinationBench newBench() {
        return new SimBench(IdleAgent.world(12, 12));
    }

    private static final class SimBench implements CoordinationBench {
        private final World world;
        private final LivePump pump;
        private final Map<Coordination, SimCell> cells = new IdentityHashMap<>();

        SimBench(World world) {
            this.world = world;
            pump = new LivePump(world);
        }

        @Override
        public Coordination client() {
            SimCell cell = world.cells().get(cells.size());
            Coordination client = pump.guarded(Coordination.class, cell.agent().coordination());
            cells.put(client, cell);
            return client;
        }

        @Override
        public void end(Coordination client) {
            pump.run(cells.get(client)::terminateAgent);
        }

        @Override
        public boolean canCutOff() {
            return true;
        }

        @Override
        public void cutOff(Coordination client) {
            pump.run(() -> world.network.cutZooKeeper(cells.get(client), true));
        }

        @Override
        public void reconnect(Coordination client) {
            pump.run(() -> world.network.cutZooKeeper(cells.get(client), false));
        }

        @Override
        public void close() {
            pump.close();
        }
    }
}
