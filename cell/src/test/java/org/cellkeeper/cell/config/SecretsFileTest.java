package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SecretsFileTest {
    private static final String ONE = "the first secret of all";
    private static final String TWO = "the second secret of all";

    private static SecretsFile of(String text) {
        return SecretsFile.of(text.getBytes(StandardCharsets.UTF_8));
    }

    private static List<String> secrets(String text) {
        SecretsFile file = of(text);
        assertThat(file.problems()).isEmpty();
        return file.secrets().stream()
                .map(secret -> new String(secret, StandardCharsets.UTF_8))
                .toList();
    }

    @Test
    void eachLineIsASecretWithoutItsEnd() {
        assertThat(secrets(ONE)).containsExactly(ONE);
        assertThat(secrets(ONE + "\n")).containsExactly(ONE);
        assertThat(secrets(ONE + " \r\n\n" + TWO + "\t\n\n")).containsExactly(ONE, TWO);
        assertThat(secrets("# no comment, but a secret\n")).containsExactly("# no comment, but a secret");
    }

    /** It was one before there were lists, whatever bytes it holds. */
    @Test
    void whatIsNoTextIsOneSecret() {
        byte[] binary = (ONE + "\n" + TWO).getBytes(StandardCharsets.UTF_8);
        binary[3] = 1;
        assertThat(SecretsFile.of(binary).secrets()).containsExactly(binary);
        binary[3] = (byte) 0xfe;
        assertThat(SecretsFile.of(binary).secrets()).containsExactly(binary);
    }

    @Test
    void whatIsWrongIsToldByTheLineAndNeverShown() {
        assertThat(of("").problems()).containsExactly("holds 0 bytes; 16 to 4096 make a secret");
        assertThat(of(" \n\n").problems()).containsExactly("holds 0 bytes; 16 to 4096 make a secret");
        assertThat(of("fifteen bytes..").problems()).containsExactly("holds 15 bytes; 16 to 4096 make a secret");
        assertThat(of(ONE + "\n\nshort\n").problems())
                .containsExactly("line 3 holds 5 bytes; 16 to 4096 make a secret");
        assertThat(of(ONE + "\n" + "x".repeat(4097)).problems())
                .containsExactly("line 2 holds 4097 bytes; 16 to 4096 make a secret");
        assertThat(of(ONE + "\n" + TWO + "\n" + ONE + " \n").problems())
                .containsExactly("line 3 holds the secret of line 1 again");
        String five = String.join("\n", ONE + 1, ONE + 2, ONE + 3, ONE + 4, ONE + 5);
        assertThat(of(five).problems())
                .containsExactly("holds 5 secrets; 4 are allowed, and two are enough to go from one to the next");
        assertThat(of(five).toString()).doesNotContain(ONE);
    }
}
