package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.cellkeeper.cell.postgres.LocalPostgres;
import org.junit.jupiter.api.Test;

final class ConfigurationDocsTest {
    private static final Path FILE = Path.of("..", "docs", "configuration.md");

    @Test
    void theDocumentSaysWhatTheKeysSay() throws IOException {
        String text = ConfigurationDocs.render(LocalPostgres.ownedSettings());
        if (Boolean.getBoolean("cellkeeper.docs.write")) {
            Files.createDirectories(FILE.getParent());
            Files.writeString(FILE, text);
        }
        assertThat(FILE).as("write it anew with -Dcellkeeper.docs.write=true").hasContent(text);
    }
}
