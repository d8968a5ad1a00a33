package org.cellkeeper.cell.door;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** A door that complains is started anew, and its clients lose their connections: what is its own complaint, and what is not? */
final class DoorProcessTest {
    private static final String STAMP = "2026-11-30 21:12:44.518 UTC [4711] ";

    @Test
    void whatPostgresAnswersTheDoorIsNoComplaintOfIts() {
        assertThat(
                        DoorProcess.complaintIn(
                                STAMP + "WARNING server login failed: FATAL the database system is starting up\n"
                                        + STAMP
                                        + "LOG S-0x55: vcloud/vcloud@127.0.0.1:5432 closing because: server login failed (age=0s)\n"
                                        + STAMP
                                        + "WARNING C-0x56: vcloud/vcloud@127.0.0.1:6432 pooler error: FATAL [42] FATAL no such role\n"))
                .isEmpty();
    }

    @Test
    void whatEndsItIsOne() {
        assertThat(DoorProcess.complaintIn(
                        STAMP + "LOG kernel file descriptor limit: 1024\n" + STAMP + "FATAL cannot load config file\n"))
                .isEqualTo("cannot load config file");
    }

    @Test
    void thatItCannotListenIsOneAndTheLastCounts() {
        assertThat(DoorProcess.complaintIn(STAMP + "FATAL before\n" + STAMP
                        + "WARNING cannot listen on 127.0.0.1:6432: bind(): Address already in use\n" + STAMP
                        + "LOG stats: 0 xacts/s\n"))
                .isEqualTo("cannot listen on 127.0.0.1:6432: bind(): Address already in use");
    }
}
