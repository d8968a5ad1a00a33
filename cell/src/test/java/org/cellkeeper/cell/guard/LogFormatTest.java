package org.cellkeeper.cell.guard;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** One JSON object per line where it is asked for, by the guard as by those that have a logging library. */
final class LogFormatTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** What a process of a cell logs. */
    static final class Speaker {
        private Speaker() {}

        public static void main(String[] arguments) {
            LoggerFactory.getLogger("org.cellkeeper.cell.Speaker")
                    .warn("two\nlines and a \"quote\"", new IllegalStateException("it is broken"));
            System.out.println(GuardLog.line("the guard says"));
        }
    }

    @Test
    void whateverTheGuardSaysIsOneObjectOnOneLine() throws IOException {
        String hostile = "a \"b\" \\ \n \t \u0001 \u001f ä €";
        String line = GuardLog.json(Instant.EPOCH, hostile);
        assertThat(line).doesNotContain("\n");
        assertThat(JSON.readTree(line).get("message").asText()).isEqualTo(hostile);
        assertThat(JSON.readTree(line).get("time").asText()).isEqualTo("1970-01-01T00:00:00Z");
    }

    @Test
    void asJsonEveryLineHasTheSameMembers() throws Exception {
        List<String> lines = spoken("json");
        assertThat(lines).hasSize(2);
        for (String line : lines) {
            List<String> names = new ArrayList<>();
            JSON.readTree(line).fieldNames().forEachRemaining(names::add);
            assertThat(names).contains("time", "level", "logger", "message");
        }
        JsonNode logged = JSON.readTree(lines.getFirst());
        assertThat(logged.get("message").asText()).isEqualTo("two\nlines and a \"quote\"");
        assertThat(logged.get("level").asText()).isEqualTo("WARN");
        assertThat(logged.get("logger").asText()).isEqualTo("org.cellkeeper.cell.Speaker");
        assertThat(logged.get("thrown").asText()).contains("it is broken").contains("\tat ");
        assertThat(Instant.parse(logged.get("time").asText()))
                .isBetween(Instant.now().minusSeconds(60), Instant.now());
    }

    @Test
    void elsewherePeopleReadIt() throws Exception {
        List<String> lines = spoken("text");
        assertThat(lines.getFirst()).contains("WARN ").contains("two").doesNotStartWith("{");
        assertThat(lines.getLast()).endsWith(" guard: the guard says");
    }

    /** With the program's own settings for logging: the tests have others. */
    private static List<String> spoken(String format) throws Exception {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        ProcessBuilder builder = new ProcessBuilder(
                        java.toString(),
                        "-Dlogback.configurationFile=logback.xml",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Speaker.class.getName())
                .redirectErrorStream(true);
        builder.environment().put(GuardLog.FORMAT, format);
        Process process = builder.start();
        try (InputStream out = process.getInputStream()) {
            List<String> lines = new String(out.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .toList();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            return lines;
        }
    }
}
