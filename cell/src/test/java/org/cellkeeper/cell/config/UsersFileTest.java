package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.wire.PasswordHash;
import org.junit.jupiter.api.Test;

final class UsersFileTest {
    private static final String HASH = PasswordHash.of("word", 100_000).text();

    @Test
    void everyLineIsAUser() {
        UsersFile file = UsersFile.of("# people\r\n\nalice:root:" + HASH + "\r\n  bob.2:monitor:" + HASH + "  \n");
        assertThat(file.problems()).isEmpty();
        assertThat(file.users())
                .containsExactly(
                        new ApiUser("alice", ApiUser.Role.ROOT, new ApiUser.Secret.Hash(HASH)),
                        new ApiUser("bob.2", ApiUser.Role.MONITOR, new ApiUser.Secret.Hash(HASH)));
        assertThat(UsersFile.of("").problems()).isEmpty();
    }

    @Test
    void whatIsWrongIsToldByItsLineAndNotShown() {
        assertThat(UsersFile.of(String.join(
                                "\n",
                                "alice:root:" + HASH,
                                "bob:hunter2",
                                "carol:admin:" + HASH,
                                "dave:monitor:hunter2",
                                "alice:monitor:" + HASH,
                                "root:root:" + HASH,
                                "monitor:root:" + HASH,
                                "e ve:root:" + HASH,
                                ":root:" + HASH,
                                "frank:root:" + HASH.replace("$100000$", "$1000$"),
                                "grace:root:" + HASH.replace("$100000$", "$999999999$"),
                                "heidi:root:" + HASH.substring(0, HASH.length() - 3)))
                        .problems())
                .hasSize(11)
                .noneMatch(problem -> problem.contains("hunter2") || problem.contains(HASH))
                .satisfiesExactly(
                        problem -> assertThat(problem).startsWith("line 2: must be name:role:hash"),
                        problem -> assertThat(problem).isEqualTo("line 3: the role must be root or monitor"),
                        problem -> assertThat(problem).startsWith("line 4: the hash is none"),
                        problem -> assertThat(problem).startsWith("line 5: this user has a line already"),
                        problem -> assertThat(problem).startsWith("line 6: root has a password file of its own"),
                        problem -> assertThat(problem).startsWith("line 7: monitor has a password file of its own"),
                        problem -> assertThat(problem).startsWith("line 8: a name has letters"),
                        problem -> assertThat(problem).startsWith("line 9: a name has letters"),
                        problem -> assertThat(problem).startsWith("line 10: the hash has 1000 iterations"),
                        problem -> assertThat(problem).startsWith("line 11: the hash has 999999999 iterations"),
                        problem -> assertThat(problem).startsWith("line 12: the hash is none"));
    }

    @Test
    void moreThanAHundredAreRefused() {
        String many = IntStream.range(0, 101)
                .mapToObj(i -> "user" + i + ":monitor:" + HASH)
                .collect(Collectors.joining("\n"));
        assertThat(UsersFile.of(many).problems()).isEqualTo(List.of("names 101 users; 100 are allowed"));
    }

    @Test
    void aHashIsOfItsPasswordAloneAndTwoOfOneAreNotTheSame() {
        PasswordHash hash = PasswordHash.parse(HASH);
        assertThat(hash.isOf("word")).isTrue();
        assertThat(hash.isOf("Word")).isFalse();
        assertThat(hash.isOf("")).isFalse();
        assertThat(hash.text()).isEqualTo(HASH);
        assertThat(PasswordHash.of("word", 100_000).text()).isNotEqualTo(HASH);
        assertThat(hash.toString()).doesNotContain(HASH);
        assertThat(PasswordHash.parse(PasswordHash.of("ü", 100_000).text()).isOf("ü"))
                .isTrue();
    }

    @Test
    void theHashIsTheOneThatOthersMakeToo() {
        // Made by OpenSSL's PBKDF2 of "Password" with the salt of the bytes 0 to 15.
        PasswordHash known = PasswordHash.parse(KNOWN);
        assertThat(known.isOf("Password")).isTrue();
        assertThat(known.isOf("password")).isFalse();
    }

    private static final String KNOWN =
            "pbkdf2-sha256$100000$AAECAwQFBgcICQoLDA0ODw==$" + "0zk4Khbv6L2uZMVhMV5K3xBPAoCHMiH8HkRm7VcVfjA=";
}
