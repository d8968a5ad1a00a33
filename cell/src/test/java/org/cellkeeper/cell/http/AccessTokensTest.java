package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.cellkeeper.cell.model.ApiUser;
import org.junit.jupiter.api.Test;

final class AccessTokensTest {
    private static final Instant NOON = Instant.parse("2026-01-02T12:00:00.123Z");
    private final Users users = users("password", ApiUser.Role.ROOT);
    private final AccessTokens tokens = new AccessTokens(() -> List.of("secret"), users);

    private static Users users(String password, ApiUser.Role role) {
        return new Users(List.of(new ApiUser("root", role, new ApiUser.Secret.Password(password))));
    }

    @Test
    void aTokenIsTakenByEveryCellOfTheSameSecretAndPasswordUntilItExpires() {
        AccessTokens.Issued issued = tokens.issue(users.find("root"), NOON);
        AccessTokens other = new AccessTokens(() -> List.of("secret"), users("password", ApiUser.Role.ROOT));
        assertThat(other.verify(issued.token(), NOON)).isNotNull().satisfies(session -> {
            assertThat(session.id()).isEqualTo(issued.session().id());
            assertThat(session.expires()).isEqualTo(issued.session().expires());
            assertThat(session.user().user()).isEqualTo(issued.session().user().user());
        });
        Instant end = issued.session().expires();
        assertThat(end).isBetween(NOON.plusSeconds(3599), NOON.plusSeconds(3600));
        assertThat(other.verify(issued.token(), end.minusMillis(1))).isNotNull();
        assertThat(other.verify(issued.token(), end)).isNull();
    }

    @Test
    void anotherSecretOrPasswordRefusesIt() {
        String token = tokens.issue(users.find("root"), NOON).token();
        assertThat(new AccessTokens(() -> List.of("secret2"), users).verify(token, NOON))
                .isNull();
        assertThat(new AccessTokens(() -> List.of("secret"), users("password2", ApiUser.Role.ROOT)).verify(token, NOON))
                .isNull();
        assertThat(new AccessTokens(() -> List.of("secret"), users("password", ApiUser.Role.MONITOR))
                        .verify(token, NOON))
                .as("another role")
                .isNull();
        assertThat(new AccessTokens(() -> List.of("secret"), new Users(List.of())).verify(token, NOON))
                .as("a user that has gone")
                .isNull();
    }

    @Test
    void whatAListedSecretHasSignedIsBelievedUntilThatIsDropped() {
        AtomicReference<List<String>> here = new AtomicReference<>(List.of("old"));
        AtomicReference<List<String>> there = new AtomicReference<>(List.of("old"));
        AccessTokens one = new AccessTokens(here::get, users);
        AccessTokens other = new AccessTokens(there::get, users);
        String byOld = one.issue(users.find("root"), NOON).token();
        here.set(List.of("old", "new"));
        there.set(List.of("new", "old"));
        String byNew = other.issue(users.find("root"), NOON).token();
        for (AccessTokens each : List.of(one, other)) {
            assertThat(each.verify(byOld, NOON)).isNotNull();
            assertThat(each.verify(byNew, NOON)).isNotNull();
        }
        here.set(List.of("new"));
        assertThat(one.verify(byOld, NOON)).isNull();
        assertThat(one.verify(byNew, NOON)).isNotNull();
    }

    @Test
    void aTokenIsItsUsersAloneThoughTwoHaveOnePassword() {
        Users two = new Users(List.of(
                new ApiUser("root", ApiUser.Role.ROOT, new ApiUser.Secret.Password("password")),
                new ApiUser("monitor", ApiUser.Role.MONITOR, new ApiUser.Secret.Password("password"))));
        AccessTokens both = new AccessTokens(() -> List.of("secret"), two);
        String[] ofMonitor = both.issue(two.find("monitor"), NOON).token().split("\\.");
        byte[] payload = Base64.getUrlDecoder().decode(ofMonitor[1]);
        byte[] asRoot = Arrays.copyOf(payload, 24 + "root".length());
        System.arraycopy("root".getBytes(StandardCharsets.UTF_8), 0, asRoot, 24, 4);
        String forged = "ck2." + Base64.getUrlEncoder().withoutPadding().encodeToString(asRoot) + "." + ofMonitor[2];
        assertThat(both.verify(forged, NOON)).isNull();
        assertThat(both.verify(String.join(".", ofMonitor), NOON)).isNotNull();
    }

    @Test
    void noCharacterCanBeChangedWithoutNotice() {
        String token = tokens.issue(users.find("root"), NOON).token();
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
            String text = new String(bytes, StandardCharsets.ISO_8859_1);
            assertThat(tokens.verify(text, NOON)).isNull();
            assertThat(tokens.verify("ck2." + text + "." + text, NOON)).isNull();
        }
    }

    @Test
    void theTokenNeverShows() {
        AccessTokens.Issued issued = tokens.issue(users.find("root"), NOON);
        assertThat(issued.toString()).doesNotContain(issued.token());
        assertThat(new org.cellkeeper.api.SessionInfo(issued.token(), "then").toString())
                .doesNotContain(issued.token());
    }
}
