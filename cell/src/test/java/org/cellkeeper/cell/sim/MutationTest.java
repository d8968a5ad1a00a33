package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The invariants bite: each rule of the protocol has a switch of the simulated world that breaks it, and a story in which an
 * invariant then fails. Without the switch the same story ends well.
 */
final class MutationTest {
    static List<Proof> proofs() {
        return Proof.ALL;
    }

    @Test
    void every_mutation_has_a_proof() {
        assertThat(proofs().stream().map(Proof::mutation).collect(Collectors.toSet()))
                .isEqualTo(EnumSet.complementOf(EnumSet.of(Mutation.NONE)));
    }

    @ParameterizedTest
    @MethodSource("proofs")
    void is_noticed(Proof proof) {
        Violation violation = proof.inABrokenWorld();

        assertThat(violation).as("nobody notices " + proof.mutation()).isNotNull();
        assertThat(proof.isProvenBy(violation)).as(violation.getMessage()).isTrue();
    }

    @ParameterizedTest
    @MethodSource("proofs")
    void its_story_ends_well_without_it(Proof proof) {
        assertThat(proof.inASoundWorld()).isNull();
    }
}
