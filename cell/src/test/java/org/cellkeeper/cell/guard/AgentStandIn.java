package org.cellkeeper.cell.guard;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What an agent is to its guard, and nothing more. Its folder's file {@code says} holds the role and the postmaster that it
 * beats with. It notes its end by SIGTERM and the end of its guard in the file {@code log}.
 */
final class AgentStandIn {
    private AgentStandIn() {}

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        CountDownLatch guardDied = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> GuardIT.note(folder, "agent ended")));
        GuardWatch.start(System.getenv(), System.in, () -> {
            GuardIT.note(folder, "guard died");
            guardDied.countDown();
        });
        GuardIT.note(folder, "agent started");
        try (Heartbeat heartbeat = new Heartbeat(folder)) {
            while (!guardDied.await(50, TimeUnit.MILLISECONDS)) {
                String[] words =
                        Files.readString(folder.resolve("says")).strip().split(" ", -1);
                heartbeat.alive(Role.valueOf(words[0]), Long.parseLong(words[1]));
            }
        }
    }
}
