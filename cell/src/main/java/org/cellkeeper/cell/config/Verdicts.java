package org.cellkeeper.cell.config;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Judges who are not asked again about what they found good, nor soon about what they refused: an agent that starts must not be held up
 * by them, since its guard waits for it. For one thread at a time.
 */
final class Verdicts implements Judges {
    /** What was refused may become good without a change of the question: a library is installed. */
    private static final Duration ASKED_AGAIN = Duration.ofSeconds(30);

    /**
     * What was refused last.
     *
     * @param question as a digest, since secrets are asked about
     */
    record Refusal(String question, List<String> answer) {}

    private final Judges judges;
    private final Map<String, String> good = new HashMap<>();
    private final Map<String, Refusal> refused = new TreeMap<>();
    private final Map<String, Long> refusedAt = new HashMap<>();

    Verdicts(Judges judges) {
        this.judges = judges;
    }

    @Override
    public List<String> settings(Path binDir, String osUser, Map<String, String> settings) {
        return ask(
                "settings", aboutSettings(binDir, osUser, settings), () -> judges.settings(binDir, osUser, settings));
    }

    @Override
    public List<String> hba(Path binDir, String osUser, List<String> lines) {
        return lines.isEmpty()
                ? List.of()
                : ask("hba", List.of(binDir, osUser, lines), () -> judges.hba(binDir, osUser, lines));
    }

    @Override
    public List<String> certificate(String chain, String key) {
        return ask("certificate", aboutCertificate(chain, key), () -> judges.certificate(chain, key));
    }

    @Override
    public List<String> identity(String ca, String chain, String key, String cell, String host) {
        return judges.identity(ca, chain, key, cell, host);
    }

    @Override
    public List<String> servers(CellConfig config) {
        return judges.servers(config);
    }

    /** This one was found good. */
    void trust(CellConfig config) {
        CellConfig.Postgres postgres = config.postgres();
        Path programs = postgres.programs().fitting(config.database());
        good.put("settings", digest(aboutSettings(programs, postgres.osUser(), postgres.settings())));
        good.put(
                "hba",
                digest(List.of(programs, postgres.osUser(), postgres.clients().hba())));
        CellConfig.Tls tls = config.tls();
        if (tls != null) {
            good.put(
                    "certificate",
                    digest(aboutCertificate(tls.certificate().text(), tls.key().text())));
        }
    }

    private static List<Object> aboutSettings(Path binDir, String osUser, Map<String, String> settings) {
        return List.of(binDir, osUser, new TreeMap<>(settings));
    }

    private static List<Object> aboutCertificate(String chain, String key) {
        return List.of(chain, key);
    }

    /** These were refused a moment ago. */
    void recall(Map<String, Refusal> before) {
        before.forEach((kind, refusal) -> {
            refused.put(kind, refusal);
            refusedAt.put(kind, System.nanoTime());
        });
    }

    Map<String, Refusal> refused() {
        return Map.copyOf(refused);
    }

    private List<String> ask(String kind, List<Object> asked, Supplier<List<String>> judge) {
        String question = digest(asked);
        if (question.equals(good.get(kind))) {
            return List.of();
        }
        Refusal before = refused.get(kind);
        if (before != null && before.question().equals(question) && isRecent(refusedAt.get(kind))) {
            return before.answer();
        }
        List<String> answer = judge.get();
        if (answer.isEmpty()) {
            good.put(kind, question);
        } else {
            refused.put(kind, new Refusal(question, List.copyOf(answer)));
            refusedAt.put(kind, System.nanoTime());
        }
        return answer;
    }

    private static boolean isRecent(@Nullable Long at) {
        return at != null && System.nanoTime() - at < ASKED_AGAIN.toNanos();
    }

    private static String digest(List<Object> question) {
        try {
            byte[] text = question.toString().getBytes(StandardCharsets.UTF_8);
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java has no SHA-256", e);
        }
    }
}
