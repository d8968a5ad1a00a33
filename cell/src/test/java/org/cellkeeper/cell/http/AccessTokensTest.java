package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class AccessTokensTest {
    private static final Instant NOON = Instant.parse("2026-01-02T12:00:00.123Z");
    private final AccessTokens tokens = new AccessTokens("secret", "password");

    @Test
    void aTokenIsTakenByEveryCellOfTheSameSecretAndPasswordUntilItExpires() {
        AccessTokens.Issued issued = tokens.issue(NOON);
        AccessTokens other = new AccessTokens("secret", "password");
        assertThat(other.verify(issued.token(), NOON)).isEqualTo(issued.session());
        Instant end = issued.session().expires();
        assertThat(end).isBetween(NOON.plusSeconds(3599), NOON.plusSeconds(3600));
        assertThat(other.verify(issued.token(), end.minusMillis(1))).isNotNull();
        assertThat(other.verify(issued.token(), end)).isNull();
    }

    @Test
    void anotherSecretOrPasswordRefusesIt() {
        String token = tokens.issue(NOON).token();
        assertThat(new AccessTokens("secret2", "password").verify(token, NOON)).isNull();
        assertThat(new AccessTokens("secret", "password2").verify(token, NOON)).isNull();
    }

    @Test
    void noCharacterCanBeChangedWithoutNotice() {
        String token = tokens.issue(NOON).token();
        AccessTokens.Session session = tokens.verify(token, NOON);
        for (int at = 0; at < token.length(); at++) {
            char changed = token.charAt(at) == 'A' ? 'B' : 'A';
            String forged = token.substring(0, at) + changed + token.substring(at + 1);
            AccessTokens.Session taken = tokens.verify(forged, NOON);
            // The last character of base64 holds spare bits: another spelling of the same bytes at most.
            assertThat(taken == null || taken.equals(session)).as(forged).isTrue();
        }
        assertThat(tokens.verify(token.substring(0, token.length() - 2), NOON)).isNull();
    }

    @Test
    void nonsenseIsNoToken() {
        Random random = new Random(7);
        for (int i = 0; i < 500; i++) {
            byte[] bytes = new byte[random.nextInt(120)];
            random.nextBytes(bytes);
            String text = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
            assertThat(tokens.verify(text, NOON)).isNull();
            assertThat(tokens.verify("ck1." + text + "." + text, NOON)).isNull();
        }
    }

    @Test
    void theTokenNeverShows() {
        AccessTokens.Issued issued = tokens.issue(NOON);
        assertThat(issued.toString()).doesNotContain(issued.token());
        assertThat(new org.cellkeeper.api.SessionInfo(issued.token(), "then").toString())
                .doesNotContain(issued.token());
    }
}
