package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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

    /** Of 50,000 seeds, one of each kind that came to no good end. */
    @ParameterizedTest
    @CsvSource({
        "4323, 5", // a primary that was short of acknowledgers stopped when it wrote the state, as if it were cut off
        "10176, 3", // writers stayed locked out, since the file said that they were not
        "44209, 5", // a cell that was away for two reigns was cloned for the head of a torn record
    })
    void what_once_went_wrong_goes_well(long seed, int cells) {
        Simulation.Outcome outcome = new Simulation(seed, cells, Mutation.NONE, CoreAgent::new).run();
        assertThat(outcome.statistics().of("commits acknowledged")).isPositive();
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
