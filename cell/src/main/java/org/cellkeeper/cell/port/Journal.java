package org.cellkeeper.cell.port;

import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.LocalState;
import org.jspecify.annotations.Nullable;

/** The cell's own state file. */
public interface Journal {
    /**
     * What was last saved, made durable if it was not; null on an empty appliance. Throws when the file is there but not readable:
     * never guess.
     */
    @Nullable
    LocalState load();

    /**
     * Completes once the state is durable (file and folder fsynced); saves are carried out in order. After one that failed the
     * next life finds what was there before it, or what it was to save.
     */
    CompletableFuture<Void> save(LocalState state);
}
