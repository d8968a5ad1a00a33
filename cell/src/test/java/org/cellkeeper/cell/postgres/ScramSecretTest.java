package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ScramSecretTest {
    /** That of RFC 7677. */
    private static final String PENCIL = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
            + "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    @Test
    void it_is_of_its_password_alone() {
        assertThat(ScramSecret.isOf("pencil", PENCIL)).isTrue();
        assertThat(ScramSecret.isOf("pencils", PENCIL)).isFalse();
        assertThat(ScramSecret.isOf("", PENCIL)).isFalse();
    }

    @Test
    void what_is_no_such_secret_is_of_nobody() {
        for (String other : new String[] {
            "", "md5aabb", "pencil", PENCIL + "x:", PENCIL.replace("4096", "0"), PENCIL.replace("W22Z", "=22Z")
        }) {
            assertThat(ScramSecret.isOf("pencil", other)).as(other).isFalse();
        }
        assertThat(ScramSecret.isOf("pencil", null)).isFalse();
    }
}
