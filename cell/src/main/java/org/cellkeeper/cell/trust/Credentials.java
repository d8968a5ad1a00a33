package org.cellkeeper.cell.trust;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * What this cell shows and believes at present. It may be renewed while the cell runs: connections that stand go on, and new ones are
 * made with the new one. Any thread may use it.
 */
public final class Credentials {
    private static final AtomicInteger MADE = new AtomicInteger();

    private final int number = MADE.incrementAndGet();
    private final Encryption encryption;
    private final List<Consumer<Identity>> listeners = new CopyOnWriteArrayList<>();
    private volatile @Nullable Present present;

    private record Present(Identity identity, SSLContext context) {}

    /** @param identity null for none, when nothing is encrypted */
    public Credentials(Encryption encryption, @Nullable Identity identity) {
        if (identity == null && encryption != Encryption.OFF) {
            throw new IllegalArgumentException("nothing can be encrypted without a certificate");
        }
        this.encryption = encryption;
        this.present = identity == null ? null : new Present(identity, identity.context());
    }

    /** Those of a cell that has none. */
    public static Credentials none() {
        return new Credentials(Encryption.OFF, null);
    }

    /** Tells them from all others in this process. */
    int number() {
        return number;
    }

    public Encryption encryption() {
        return encryption;
    }

    /** Null when there is none. */
    public @Nullable Identity identity() {
        Present now = present;
        return now == null ? null : now.identity;
    }

    /** What a connection is made with now; there must be an identity. */
    public SSLContext context() {
        Present now = present;
        if (now == null) {
            throw new IllegalStateException("this cell has no certificate");
        }
        return now.context;
    }

    /** Is told of every renewal, on the thread that renews. */
    public void onRenewal(Consumer<Identity> listener) {
        listeners.add(listener);
    }

    /** From now on this one. */
    public void renew(Identity identity) {
        present = new Present(identity, identity.context());
        listeners.forEach(listener -> listener.accept(identity));
    }
}
