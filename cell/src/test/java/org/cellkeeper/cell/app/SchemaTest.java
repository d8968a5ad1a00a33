package org.cellkeeper.cell.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The program knows its own migrations. */
final class SchemaTest {
    @Test
    void theNewestVersionIsThatOfTheLastMigrationAndNoneIsLeftOut() throws Exception {
        Path folder = Path.of(Schema.class.getResource("migration").toURI());
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString().replaceAll("V([0-9]+)__[a-z_]+\\.sql", "$1")))
                    .containsExactlyInAnyOrderElementsOf(Stream.iterate(1, version -> version + 1)
                            .limit(Schema.NEWEST)
                            .map(String::valueOf)
                            .toList());
        }
    }
}
