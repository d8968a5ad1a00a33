package org.cellkeeper.cell.model;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** What change of primary, if any, is under way. */
public sealed interface Phase {
    /** None: the primary reigns. */
    record Steady() implements Phase {}

    /** A ballot is open: standbys seal and vote. */
    record Sealing(long ballot, CellId proposer, Kind kind, Instant since) implements Phase {}

    /** The primary hands over to {@code target}; {@code token} is its shutdown LSN once it has stopped. */
    record Handover(long ballot, CellId target, @Nullable Lsn token, Instant since) implements Phase {}

    /** Who wanted the ballot; it decides which preconditions hold for it. */
    enum Kind {
        /** The cells themselves, in AUTOMATIC mode. */
        AUTOMATIC,
        /** An operator's promote. */
        OPERATOR,
        /** An operator's promote that accepts the loss of commits. */
        FORCED
    }
}
