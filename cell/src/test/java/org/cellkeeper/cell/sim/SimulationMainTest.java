package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class SimulationMainTest {
    @Test
    void one_seed_is_run_alone() {
        SimulationMain.Order order = SimulationMain.parse("--seed", "4711");

        assertThat(order.from()).isEqualTo(4711);
        assertThat(order.seeds()).isEqualTo(1);
    }

    @Test
    void many_seeds_begin_where_asked() {
        SimulationMain.Order order = SimulationMain.parse("--seeds", "300", "--from", "17");

        assertThat(order.from()).isEqualTo(17);
        assertThat(order.seeds()).isEqualTo(300);
    }

    @Test
    void one_seed_and_many_are_wrong_usage() {
        assertThatThrownBy(() -> SimulationMain.parse("--seed", "1", "--seeds", "300"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("--seed is one seed alone");
        assertThatThrownBy(() -> SimulationMain.parse("--from", "9", "--seed", "1"))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
