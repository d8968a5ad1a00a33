package org.cellkeeper.cell.sim;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Bench;
import org.cellkeeper.cell.port.Database;
import org.cellkeeper.cell.port.DatabaseContract;

/** The simulated PostgreSQL keeps the contract that the real one keeps. */
final class SimDatabaseContractTest extends DatabaseContract {
    @Override
    protected Bench bench() {
        return new SimBench(IdleAgent.world(11, 3));
    }

    private static final class SimBench implements Bench {
        private static final Duration LONG = Duration.ofMinutes(5);

        private final World world;

        SimBench(World world) {
            this.world = world;
            world.weather.walKeep = 0;
            world.weather.slotsKeep = 0x5000;
        }

        private SimCell cell(String name) {
            return world.cell(name.substring(name.length() - 1));
        }

        @Override
        public Database database(String name) {
            return cell(name).agent().database();
        }

        @Override
        public void found(String name) {
            get(database(name).initialise());
        }

        @Override
        public CellId id(String name) {
            return new CellId(new CellName(name), Incarnation.of(cell(name).index() + 1));
        }

        @Override
        public Upstream upstream(String name, long epoch) {
            return new Upstream(id(name), epoch, cell(name).settings().address().host(), 5432);
        }

        @Override
        public boolean commit(String name, long withinMillis) {
            boolean[] acknowledged = new boolean[1];
            Commit commit = new Commit(
                    world.nextCommit(), (done, answer) -> acknowledged[0] = answer == Commit.Answer.ACKNOWLEDGED);
            cell(name).postgres().submit(commit);
            return world.runUntil(() -> acknowledged[0], Duration.ofMillis(withinMillis));
        }

        @Override
        public int rows(String name) {
            SimPostgres postgres = cell(name).postgres();
            return (int) postgres.wal().stream()
                    .filter(record -> record.commit() != 0 && record.end() <= postgres.replayed())
                    .count();
        }

        @Override
        public void crash(String name) {
            cell(name).killDatabase();
        }

        @Override
        public void crashChild(String name) {
            cell(name).postgres().backendCrash();
        }

        @Override
        public void removeWal(String name) {
            churn(name, 0x3000);
        }

        @Override
        public void makeSlot(String name, String slot) {
            cell(name).postgres().makeSlot(slot);
        }

        @Override
        public void loseSlots(String name) {
            churn(name, 0x9000);
        }

        private void churn(String name, long size) {
            cell(name).postgres().writeNoise("some WAL", size);
            pass(20);
            cell(name).postgres().checkpoint();
        }

        @Override
        public void cancelWaits(String name) {
            cell(name).postgres().cancelWaits();
        }

        @Override
        public void overrule(String name) {
            cell(name).postgres().overrule();
        }

        @Override
        public <T> T get(CompletableFuture<T> future) {
            world.runUntil(future::isDone, LONG);
            try {
                return future.getNow(null);
            } catch (CompletionException failed) {
                throw failed.getCause() instanceof RuntimeException cause ? cause : failed;
            }
        }

        @Override
        public void pass(long millis) {
            world.run(Duration.ofMillis(millis));
        }

        @Override
        public void close() {}
    }
}
