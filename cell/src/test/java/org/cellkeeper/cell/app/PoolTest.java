package org.cellkeeper.cell.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.SQLException;
import java.util.List;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.port.PasswordThief;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.junit.jupiter.api.Test;

/** Whom the app tells what. */
final class PoolTest {
    @Test
    void whoAsksForThePasswordItselfIsNotTold() throws Exception {
        try (PasswordThief thief = new PasswordThief()) {
            comesInVain(thief, Credentials.none());
            assertThat(thief.asked()).isPositive();
            assertThat(thief.told()).doesNotContain("secret");
        }
    }

    @Test
    void whoDoesNotEncryptIsToldNothing() throws Exception {
        try (PasswordThief thief = new PasswordThief()) {
            comesInVain(thief, Certified.cells().credentials(Encryption.REQUIRED, "cell-1"));
            assertThat(thief.asked()).isZero();
            assertThat(thief.told()).isEmpty();
        }
    }

    private static void comesInVain(PasswordThief thief, Credentials credentials) {
        AppSettings settings = new AppSettings(
                new Address("127.0.0.1", 5432, 5480, 5481),
                "127.0.0.1",
                "somebody",
                "somewhere",
                () -> List.of("the secret"),
                "1",
                "now",
                credentials,
                AppSettings.Pace.usual());
        Pool.Route route = new Pool.Route(List.of(new Pool.Host("127.0.0.1", thief.port())), 1, false);
        assertThatThrownBy(() -> Pool.source(settings, route).getConnection().close())
                .isInstanceOf(SQLException.class);
    }
}
