package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.postgres.LockFile.Listening;
import org.junit.jupiter.api.Test;

/** A lock file is read while it is being written: cut off anywhere, it says less, and nothing that is not so. */
final class LockFileTest {
    private static final LockFile WHOLE = new LockFile(4242, 5432, new Listening("10.0.0.1", 5432), true);

    /** PostgreSQL 15 opens its sockets first, 17 its shared memory. */
    private static final String[] WHEN_STARTED = {
        "4242\n/data\n1764418000\n5432\n\n",
        "4242\n/data\n1764418000\n5432\n\n\n",
        "4242\n/data\n1764418000\n5432\n\n\n 12345 7\n",
        "4242\n/data\n1764418000\n5432\n\n\n 12345 7\nstarting\n",
    };

    private static final String READY = "4242\n/data\n1764418000\n5432\n/run\n10.0.0.1\n 12345 7\nready   \n";

    @Test
    void aWholeFileSaysAll() {
        assertThat(LockFile.of(READY)).isEqualTo(WHOLE);
        assertThat(LockFile.of(READY.replace("10.0.0.1", "fd00::1")).listening())
                .hasToString("[fd00::1]:5432");
    }

    @Test
    void whatIsNotThereYetIsNotKnown() {
        assertThat(WHEN_STARTED)
                .allSatisfy(text -> assertThat(LockFile.of(text)).isEqualTo(new LockFile(4242, 5432, null, false)));
        assertThat(LockFile.of(null)).isEqualTo(new LockFile(0, 0, null, false));
    }

    @Test
    void aFileThatIsCutOffSaysNothingThatIsNotSo() {
        for (int length = 0; length < READY.length(); length++) {
            LockFile cut = LockFile.of(READY.substring(0, length));
            assertThat(cut.pid()).isIn(0L, WHOLE.pid());
            assertThat(cut.port()).isIn(0, WHOLE.port());
            assertThat(cut.listening()).isIn(null, WHOLE.listening());
        }
    }
}
