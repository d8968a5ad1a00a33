package org.cellkeeper.cell.torture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class TortureMainTest {
    @Test
    void what_is_asked_for_is_taken() {
        assertThat(TortureMain.parse("--seed", "4711", "--minutes", "3", "--servers", "2", "--keep"))
                .isEqualTo(new TortureMain.Order(4711, 3, 2, true));
        assertThat(TortureMain.parse()).isEqualTo(new TortureMain.Order(1, 10, 3, false));
    }

    @Test
    void what_makes_no_sense_is_wrong_usage() {
        for (String[] wrong :
                new String[][] {{"--seed"}, {"--seed", "x"}, {"--minutes", "0"}, {"--servers", "4"}, {"--faster"}}) {
            assertThatThrownBy(() -> TortureMain.parse(wrong)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
