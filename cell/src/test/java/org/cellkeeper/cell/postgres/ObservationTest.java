package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.StreamName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whose certificate it is, by its subject as PostgreSQL tells it. */
final class ObservationTest {
    private static final StreamName CELL_1 = StreamName.parse("cell-1.0000000a.1");

    @ParameterizedTest
    @ValueSource(strings = {"/CN=cell-1", "/C=DE/O=Some Firm/CN=cell-1", "/CN=cell-1/O=Some Firm"})
    void theCommonNameIsTheCells(String subject) {
        assertThat(Observation.isOf(CELL_1, subject)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/CN=cell-2",
                "/CN=cell-10",
                "/CN=cell-1x",
                "/CN=acell-1",
                "/O=cell-1",
                "/CN=cell-2/CN=cell-1",
                "/CN=cell-1/CN=cell-2",
                "/CN=CELL-1",
                "/CN=cell-1 "
            })
    void anythingElseIsNot(String subject) {
        assertThat(Observation.isOf(CELL_1, subject)).isFalse();
    }

    /** Of cell-10, say. */
    @Test
    void norIsWhatMayHaveBeenCutOff() {
        String subject = "/O=" + "x".repeat(63 - "/O=/CN=cell-1".length()) + "/CN=cell-1";
        assertThat(subject).hasSize(63);
        assertThat(Observation.isOf(CELL_1, subject)).isFalse();
        assertThat(Observation.isOf(CELL_1, subject.replaceFirst("x", ""))).isTrue();
        assertThat(Observation.isOf(CELL_1, null)).isFalse();
    }
}
