package org.cellkeeper.cell.decide.quorum;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.SortedSet;
import org.cellkeeper.cell.model.CellId;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class CommitQuorumTest {
    static List<CommitQuorum> quorums() {
        return Ballots.quorums();
    }

    /** ⚠ Or a commit could be acknowledged by cells of which none has sealed. */
    @ParameterizedTest
    @MethodSource("quorums")
    void whoeverSealsMeetsWhoeverAcknowledges(CommitQuorum quorum) {
        List<SortedSet<CellId>> groups = Ballots.groups(quorum.standbyVoters());
        for (SortedSet<CellId> sealed : groups) {
            boolean meetsAll = groups.stream()
                    .filter(acknowledging -> acknowledging.size() >= quorum.acks())
                    .allMatch(acknowledging -> acknowledging.stream().anyMatch(sealed::contains));
            assertThat(quorum.isSealedBy(sealed)).as("sealed by " + sealed).isEqualTo(meetsAll);
        }
    }

    /** ⚠ Identity is name and incarnation. */
    @ParameterizedTest
    @MethodSource("quorums")
    void cellsThatAreNoVotersDoNotCount(CommitQuorum quorum) {
        List<CellId> reborn = quorum.standbyVoters().stream()
                .map(cell -> Ballots.cell(cell.name().value(), 99))
                .toList();
        assertThat(quorum.isSealedBy(reborn)).isFalse();
    }

    @ParameterizedTest
    @MethodSource("quorums")
    void itIsAsSmallAsItCanBe(CommitQuorum quorum) {
        assertThat(quorum.seals()).isEqualTo(quorum.standbyVoters().size() - quorum.acks() + 1);
    }
}
