package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class SideFileTest {
    @Test
    void whatIsDerivedFromASecretIsItsHmacSoThatAllCellsAndAllVersionsDeriveTheSame() {
        SideFile file = new SideFile(Path.of("/secret"), "key\n".getBytes(StandardCharsets.UTF_8));
        assertThat(file.derived("The quick brown fox jumps over the lazy dog"))
                .isEqualTo("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    }
}
