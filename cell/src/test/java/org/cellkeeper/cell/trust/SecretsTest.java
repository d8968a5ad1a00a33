package org.cellkeeper.cell.trust;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class SecretsTest {
    private static final byte[] OLD = bytes("an old secret of the cluster");
    private static final byte[] NEW = bytes("a new secret of the cluster");

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void whatIsDerivedFromASecretIsItsHmacSoThatAllCellsAndAllVersionsDeriveTheSame() {
        assertThat(Secrets.of(bytes("key")).derived("The quick brown fox jumps over the lazy dog"))
                .containsExactly("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    }

    @Test
    void thereIsOneOfEachSecretInTheirOrder() {
        String byOld = Secrets.of(OLD).derived("purpose").getFirst();
        String byNew = Secrets.of(NEW).derived("purpose").getFirst();
        assertThat(new Secrets(List.of(NEW, OLD)).derived("purpose")).containsExactly(byNew, byOld);
        assertThat(new Secrets(List.of(OLD, NEW)).derived("purpose")).containsExactly(byOld, byNew);
        assertThat(byOld).isNotEqualTo(byNew);
    }

    @Test
    void othersTakeTheirPlaceAndWhoListensIsToldOnceForEachChange() {
        Secrets secrets = Secrets.of(OLD);
        AtomicInteger told = new AtomicInteger();
        secrets.onChange(told::incrementAndGet);
        secrets.take(List.of(OLD.clone()));
        assertThat(told).hasValue(0);
        secrets.take(List.of(OLD, NEW));
        secrets.take(List.of(NEW, OLD));
        assertThat(told).hasValue(2);
        assertThat(secrets.all()).containsExactly(NEW, OLD);
    }

    @Test
    void noSecretIsPrinted() {
        Secrets secrets = new Secrets(List.of(NEW, OLD));
        assertThat(secrets.names()).hasSize(2).doesNotHaveDuplicates().allMatch(name -> name.matches("[0-9a-f]{8}"));
        assertThat(secrets).hasToString(String.join(", ", secrets.names()));
    }

    @Test
    void aClusterHasOne() {
        assertThatThrownBy(() -> new Secrets(List.of())).isInstanceOf(IllegalArgumentException.class);
        Secrets secrets = Secrets.of(OLD);
        assertThatThrownBy(() -> secrets.take(List.of())).isInstanceOf(IllegalArgumentException.class);
        assertThat(secrets.all()).containsExactly(OLD);
    }
}
