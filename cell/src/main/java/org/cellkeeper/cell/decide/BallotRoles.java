package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;

/** This cell's part in the present phase. */
final class BallotRoles {
    private BallotRoles() {}

    static BallotRole role(View view, Standing standing) {
        ClusterState state = view.state();
        if (state == null) {
            return BallotRole.STEADY;
        }
        return switch (state.phase()) {
            case Phase.Steady() -> state.reign() == null ? BallotRole.UNRECORDED : BallotRole.STEADY;
            case Phase.Sealing sealing -> roleInBallot(view, state, standing, sealing);
            case Phase.Handover handover -> {
                if (!handover.target().equals(view.self())) {
                    yield BallotRole.HANDOVER;
                }
                Lsn token = handover.token();
                DatabaseView.Standby standby = view.database().standby();
                boolean holdsAll =
                        token != null && standby != null && standby.received().atLeast(token);
                yield holdsAll ? BallotRole.OFFERED : BallotRole.OFFERED_EARLY;
            }
        };
    }

    private static BallotRole roleInBallot(View view, ClusterState state, Standing standing, Phase.Sealing sealing) {
        long ballot = sealing.ballot();
        boolean voted = Election.hasVoted(view, ballot);
        Election.Tally tally = Election.tally(view);
        if (standing == Standing.PRIMARY) {
            if (tally == Election.Tally.LOST) {
                return BallotRole.LOST;
            }
            boolean serves = Primaries.reigns(view) && !Primaries.isShortOfAckers(view);
            return voted ? BallotRole.VOTED : serves ? BallotRole.OBJECTING : BallotRole.UNSEALED;
        }
        if (tally == Election.Tally.LOST) {
            return BallotRole.LOST;
        }
        if (voted) {
            return tally == Election.Tally.DECIDED ? BallotRole.DECIDED : BallotRole.VOTED;
        }
        boolean sealed = view.local().sealedBallot() == ballot;
        boolean objects = state.voters().contains(view.self()) && Standbys.speaksUpFor(view) != null;
        if (!sealed && objects) {
            return BallotRole.OBJECTING;
        }
        if (isOverdue(view)) {
            return BallotRole.OVERDUE;
        }
        return sealed ? BallotRole.SEALED : BallotRole.UNSEALED;
    }

    /** A PostgreSQL that runs, and neither lets its WAL go nor tells where it ends, has had its time. */
    private static boolean isOverdue(View view) {
        DatabaseView database = view.database();
        boolean ready = database.isStandby() && database.knownEnd() != null && Standbys.stream(view) == Stream.DETACHED;
        return !database.isStopped()
                && !ready
                && view.phaseLasts(view.settings().timing().ballot().dividedBy(4));
    }
}
