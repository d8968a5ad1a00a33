package org.cellkeeper.cell.loop;

import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.port.Clock;

/** The machine's clock; its timers fire on the mailbox. */
public final class SystemClock implements Clock {
    private final Mailbox mailbox;

    public SystemClock(Mailbox mailbox) {
        this.mailbox = mailbox;
    }

    /** Never 0, which means "not so" to those who remember times. */
    @Override
    public long millis() {
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime()) + (1L << 50);
    }

    @Override
    public Instant now() {
        return Instant.now();
    }

    @Override
    public void after(long delayMillis, Runnable task) {
        mailbox.after(delayMillis, task);
    }
}
