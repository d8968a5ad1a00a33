package org.cellkeeper.cell.guard;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HeartbeatTest {
    @TempDir
    private Path folder;

    private interface Look {
        boolean holds() throws IOException;
    }

    private static boolean within(long millis, Look look) throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (!look.holds()) {
            if (System.nanoTime() > deadline || never.await(5, TimeUnit.MILLISECONDS)) {
                return false;
            }
        }
        return true;
    }

    private Path file() {
        return folder.resolve(Heartbeat.FILE);
    }

    @Test
    void whatChangesIsWrittenAtOnce() throws Exception {
        long self = ProcessHandle.current().pid();
        try (Heartbeat heartbeat = new Heartbeat(folder)) {
            heartbeat.alive(Role.STANDBY, self);
            assertThat(within(400, () -> Files.exists(file()))).isTrue();
            heartbeat.alive(Role.PRIMARY, self);
            assertThat(within(
                            400,
                            () -> Files.readString(file()).startsWith("role=primary postmaster=" + self + " started=")))
                    .isTrue();
            Beat beat = Beat.parse(Files.readString(file()));
            assertThat(beat).isNotNull();
            assertThat(Target.of(self, "java", beat.started())).isNotNull();
        }
    }

    @Test
    void theFirstBeatComesEvenWhenThereIsNothingToSay() throws Exception {
        try (Heartbeat heartbeat = new Heartbeat(folder)) {
            heartbeat.alive(Role.NONE, 0);
            assertThat(within(1000, () -> Files.exists(file()))).isTrue();
        }
    }

    @Test
    void itBeatsWhileTheLoopTurnsAndNoLonger() throws Exception {
        try (Heartbeat heartbeat = new Heartbeat(folder)) {
            heartbeat.alive(Role.NONE, 0);
            assertThat(within(1000, () -> Files.exists(file()))).isTrue();
            FileTime first = Files.getLastModifiedTime(file());
            assertThat(within(1500, () -> {
                        heartbeat.alive(Role.NONE, 0);
                        return !Files.getLastModifiedTime(file()).equals(first);
                    }))
                    .isTrue();
            // One more may be under way; then there is no loop any more.
            assertThat(within(700, () -> false)).isFalse();
            FileTime last = Files.getLastModifiedTime(file());
            assertThat(within(1200, () -> !Files.getLastModifiedTime(file()).equals(last)))
                    .isFalse();
        }
        assertThat(file()).exists();
    }
}
