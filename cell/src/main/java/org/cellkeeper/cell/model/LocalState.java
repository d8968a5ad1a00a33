package org.cellkeeper.cell.model;

import org.jspecify.annotations.Nullable;

/**
 * What a cell durably knows: its state file, fsynced before the cell acts on it. It lives with the data directory and is
 * never copied by a clone.
 *
 * @param seen the newest shared state that the cell has read; nothing older is ever acted upon
 * @param joined whether this incarnation has seen itself among the members
 * @param founder whether this data directory was made by an initdb that has not yet been seen to become a cluster
 * @param cloning the data directory is being replaced: it does not vote and is not started
 * @param sealedBallot the ballot that the cell is sealed for and whose outcome it has not read; 0 for none
 * @param walEpoch the epoch of the last WAL: the one last followed, cloned from or reigned in; 0 for none
 * @param primaryEpoch the epoch in which this data was (or is) opened as primary; 0 for never, or handed over cleanly
 * @param handoverMark the promise of a clean handover, or null
 * @param haltReason why PostgreSQL must not run here until an operator removes the cell, or null
 * @param removed an operator removed the cell; it waits for a deploy
 */
public record LocalState(
        Incarnation incarnation,
        @Nullable VersionedState seen,
        boolean joined,
        boolean founder,
        boolean cloning,
        long sealedBallot,
        long walEpoch,
        long primaryEpoch,
        @Nullable HandoverMark handoverMark,
        @Nullable String haltReason,
        boolean removed) {

    /** Fsynced before the token is published: my WAL ended at {@code end}, and I open it again only after the outcome. */
    public record HandoverMark(long ballot, Lsn end) {}

    public static LocalState fresh(Incarnation incarnation) {
        return new LocalState(incarnation, null, false, false, false, 0, 0, 0, null, null, false);
    }

    /** A new incarnation on a directory that is to be made anew; only what the cell has read of the cluster stays. */
    public LocalState reborn(Incarnation next) {
        return new LocalState(next, seen, false, false, false, 0, 0, 0, null, null, false);
    }

    public LocalState withSeen(VersionedState state) {
        return new LocalState(
                incarnation,
                state,
                joined,
                founder,
                cloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                haltReason,
                removed);
    }

    public LocalState withJoined() {
        return new LocalState(
                incarnation,
                seen,
                true,
                false,
                cloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                haltReason,
                removed);
    }

    public LocalState withFounder(boolean isFounder) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                isFounder,
                cloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                haltReason,
                removed);
    }

    public LocalState withCloning(boolean isCloning) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                isCloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                haltReason,
                removed);
    }

    /** Seals for a ballot; 0 once its outcome has been read. */
    public LocalState withSealedBallot(long ballot) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                cloning,
                ballot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                haltReason,
                removed);
    }

    public LocalState withWalEpoch(long epoch) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                cloning,
                sealedBallot,
                epoch,
                primaryEpoch,
                handoverMark,
                haltReason,
                removed);
    }

    public LocalState withPrimaryEpoch(long epoch) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                cloning,
                sealedBallot,
                walEpoch,
                epoch,
                handoverMark,
                haltReason,
                removed);
    }

    public LocalState withHandoverMark(@Nullable HandoverMark mark) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                cloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                mark,
                haltReason,
                removed);
    }

    public LocalState withHalt(String reason) {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                cloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                reason,
                removed);
    }

    public LocalState withRemoved() {
        return new LocalState(
                incarnation,
                seen,
                joined,
                founder,
                cloning,
                sealedBallot,
                walEpoch,
                primaryEpoch,
                handoverMark,
                null,
                true);
    }
}
