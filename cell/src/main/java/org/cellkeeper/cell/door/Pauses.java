package org.cellkeeper.cell.door;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Has PgBouncer pause. It answers only when all transactions in flight have ended, and takes nothing else from the same session
 * meanwhile: so each of its databases is paused over a session of its own, and none waits for another's.
 */
final class Pauses implements AutoCloseable {
    private final Map<String, Console> consoles;

    Pauses(Path socket, String... databases) {
        consoles = Stream.of(databases)
                .collect(
                        Collectors.toMap(name -> name, name -> new Console(socket), (one, other) -> one, TreeMap::new));
    }

    /** So that the next pause has not to wait for that. */
    void connect() throws IOException {
        for (Console console : consoles.values()) {
            console.connect();
        }
    }

    /** @param ended told what went wrong, or nothing, when all are paused and nothing is in flight any more; by a thread of its own */
    void pause(List<String> databases, Consumer<String> ended) {
        List<CompletableFuture<String>> all =
                databases.stream().map(this::pause).toList();
        var _ = CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
                .thenRun(() -> ended.accept(all.stream()
                        .map(CompletableFuture::join)
                        .filter(problem -> !problem.isEmpty())
                        .findFirst()
                        .orElse("")));
    }

    private CompletableFuture<String> pause(String database) {
        Console console = consoles.get(database);
        CompletableFuture<String> problem = new CompletableFuture<>();
        if (console == null) {
            throw new IllegalArgumentException("no database " + database);
        }
        Thread.ofVirtual().start(() -> {
            try {
                console.execute("PAUSE " + database, Duration.ZERO);
                problem.complete("");
            } catch (IOException e) {
                problem.complete(String.valueOf(e.getMessage()));
            }
        });
        return problem;
    }

    /** Nobody is answered any more who waits for a pause. */
    @Override
    public void close() {
        consoles.values().forEach(Console::close);
    }
}
