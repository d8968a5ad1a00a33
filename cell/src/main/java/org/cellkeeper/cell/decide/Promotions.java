package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.PromotionStage;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.SyncSetting;

/** How far a winner is with opening its reign. */
final class Promotions {
    private Promotions() {}

    static PromotionStage stage(View view, ClusterState state) {
        DatabaseView database = view.database();
        boolean opened = view.local().primaryEpoch() == state.epoch();
        Reign reign = state.reign();
        DatabaseView.Primary primary = database.primary();
        if (primary != null) {
            if (!opened) {
                return PromotionStage.UNLAWFUL;
            }
            if (reign != null) {
                return PromotionStage.DONE;
            }
            return primary.timeline() > state.highestTimeline() ? PromotionStage.PROMOTED : PromotionStage.CLASH; // T4
        }
        if (reign != null) {
            return PromotionStage.DONE;
        }
        boolean spoiled = isSpoiled(view, state);
        boolean overdue = view.epochLasts(view.settings().timing().isolation());
        boolean unusable = spoiled || Membership.data(view) != Data.OWN;
        if ((unusable || overdue) && Election.equalToTheWinner(view) != null) {
            return PromotionStage.HOPELESS;
        }
        if (spoiled) {
            return PromotionStage.SPOILED;
        }
        Stream stream = Standbys.stream(view);
        SyncSetting names = Election.namesAtPromotion(view);
        boolean named = stream == Stream.DETACHED
                && names.equals(database.syncOnDisk())
                && names.equals(database.syncInForce())
                && VoterMoves.isWritten(view, names);
        boolean late = view.epochLasts(view.settings().timing().ballot());
        if (late && !named && !opened && !database.isStopped()) {
            return PromotionStage.STUCK;
        }
        if (stream != Stream.DETACHED) {
            return stream == Stream.LOOSE ? PromotionStage.DETACHING : PromotionStage.ATTACHED;
        }
        return named ? PromotionStage.NAMED : PromotionStage.UNNAMED;
    }

    /**
     * A promotion that is cut off leaves data that are neither a standby's nor on a new timeline. PostgreSQL that goes on with them by
     * itself, or is started as a primary, writes on the old timeline.
     */
    private static boolean isSpoiled(View view, ClusterState state) {
        DatabaseView database = view.database();
        DatabaseView.Control control = database.control();
        return database.isStopped()
                && control != null
                && view.local().primaryEpoch() == state.epoch()
                && !database.startsAsStandby()
                && !hasPromoted(view, state)
                && !control.inRecovery();
    }

    /** Whether a start as primary would go on on the timeline that this winner's promotion made. */
    static boolean hasPromoted(View view, ClusterState state) {
        DatabaseView database = view.database();
        DatabaseView.Control control = database.control();
        return control != null
                && view.local().primaryEpoch() == state.epoch()
                && !database.startsAsStandby()
                && control.recoversOn() > state.highestTimeline();
    }
}
