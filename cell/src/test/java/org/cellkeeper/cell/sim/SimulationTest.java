package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Some seeds with every build; {@code scripts/simulate} runs as many as one likes. */
final class SimulationTest {
    private static final int SEEDS_OF_EACH_SIZE = Integer.getInteger("cellkeeper.seeds", 700);

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5})
    void the_invariants_hold_whatever_breaks(int cells) {
        LongStream.rangeClosed(1, SEEDS_OF_EACH_SIZE).parallel().forEach(seed -> {
            Simulation.Outcome outcome = new Simulation(seed, cells, Mutation.NONE, CoreAgent::new).run();
            assertThat(outcome.statistics().of("commits acknowledged")).isPositive();
        });
    }

    @Test
    void one_seed_is_one_run() {
        for (long seed = 1; seed <= 5; seed++) {
            Simulation.Outcome first = new Simulation(seed, 3, Mutation.NONE, CoreAgent::new).run();
            Simulation.Outcome second = new Simulation(seed, 3, Mutation.NONE, CoreAgent::new).run();
            assertThat(second.digest()).isEqualTo(first.digest());
            assertThat(second.events()).isEqualTo(first.events());
        }
    }
}
