package org.cellkeeper.cell.port;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Lsn;
import org.junit.jupiter.api.Test;

/** What every journal keeps to, the real one and the fake. */
public abstract class JournalContract {
    protected static final LocalState FRESH = LocalState.fresh(new Incarnation("0000000a"));

    /** The journal of the next life of the cell under test: on the same storage, with nothing remembered but that. */
    protected abstract Journal nextLife() throws Exception;

    /** From now on no save succeeds. */
    protected abstract void breakTheDisk() throws Exception;

    protected abstract void mendTheDisk() throws Exception;

    @Test
    void anEmptyApplianceHasNoState() throws Exception {
        assertThat(nextLife().load()).isNull();
    }

    @Test
    void theNextLifeKnowsWhatWasSaved() throws Exception {
        LocalState sealed = FRESH.withSealedBallot(7).withHandoverMark(new LocalState.HandoverMark(7, new Lsn(96)));

        await(nextLife().save(sealed));

        assertThat(nextLife().load()).isEqualTo(sealed);
    }

    @Test
    void theSameLifeReadsWhatItSaved() throws Exception {
        Journal journal = nextLife();

        await(journal.save(FRESH));
        await(journal.save(FRESH.withJoined()));

        assertThat(journal.load()).isEqualTo(FRESH.withJoined());
    }

    @Test
    void savesAreCarriedOutInTheOrderTheyWereAskedFor() throws Exception {
        Journal journal = nextLife();
        List<CompletableFuture<Void>> saves = new ArrayList<>();
        List<Long> completed = new ArrayList<>();

        for (long ballot = 1; ballot <= 30; ballot++) {
            long which = ballot;
            saves.add(journal.save(FRESH.withSealedBallot(ballot)).thenRun(() -> {
                synchronized (completed) {
                    completed.add(which);
                }
            }));
        }
        for (CompletableFuture<Void> save : saves) {
            await(save);
        }

        assertThat(nextLife().load()).isEqualTo(FRESH.withSealedBallot(30));
        assertThat(completed).isSorted().hasSize(30);
    }

    @Test
    void aSaveThatFailsSaysSoAndLeavesTheOldStateOrTheNew() throws Exception {
        Journal journal = nextLife();
        await(journal.save(FRESH));

        breakTheDisk();

        assertThat(journal.save(FRESH.withJoined()))
                .failsWithin(10, TimeUnit.SECONDS)
                .withThrowableOfType(ExecutionException.class);
        assertThat(nextLife().load()).isIn(FRESH, FRESH.withJoined());
    }

    @Test
    void aSaveAfterAFailedOneIsASaveLikeAnyOther() throws Exception {
        Journal journal = nextLife();
        breakTheDisk();
        assertThat(journal.save(FRESH)).failsWithin(10, TimeUnit.SECONDS).withThrowableOfType(ExecutionException.class);

        mendTheDisk();
        await(journal.save(FRESH.withSealedBallot(7)));

        assertThat(nextLife().load()).isEqualTo(FRESH.withSealedBallot(7));
    }

    private static void await(CompletableFuture<Void> save) throws Exception {
        save.get(10, TimeUnit.SECONDS);
    }
}
