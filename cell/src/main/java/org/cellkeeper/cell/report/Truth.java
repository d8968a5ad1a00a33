package org.cellkeeper.cell.report;

import java.util.stream.Stream;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.jspecify.annotations.Nullable;

/**
 * Who reigns, and how that primary is: as in the shared state, or as a newer primary itself says while this cell's state is behind.
 * The primary's own word on whether it is acknowledged outweighs any count made elsewhere.
 */
record Truth(Known known, @Nullable CellId primary, long epoch, boolean behind) {
    /** How the primary is, as far as can be known here. */
    enum Reigning {
        WRITABLE,
        READ_ONLY,
        LOST,
        UNKNOWN
    }

    static Truth of(Known known) {
        ClusterState state = known.state();
        CellId primary = state == null ? null : state.primary();
        long epoch = state == null ? 0 : state.epoch();
        boolean behind = false;
        for (CellName name : known.peers().keySet()) {
            PeerView said = known.heard(name);
            if (said != null
                    && said.state() == CellState.PRIMARY
                    && said.epoch() > epoch
                    && said.version() > known.version()) {
                primary = said.cell();
                epoch = said.epoch();
                behind = true;
            }
        }
        return new Truth(known, primary, epoch, behind);
    }

    @Nullable
    CellName primaryName() {
        return primary == null ? null : primary.name();
    }

    /** The shared state, but for one that is known to be old. */
    @Nullable
    ClusterState state() {
        return behind ? null : known.state();
    }

    boolean isPrimary(CellName name) {
        return name.equals(primaryName());
    }

    /** It holds the place of a cell that takes part: neither removed, nor halted, nor the primary. */
    boolean isStandby(CellName name) {
        return known.member(name) != null && known.halt(name) == null && !isPrimary(name);
    }

    boolean streams(PeerView said) {
        boolean ofThisReign = said.streamsFrom() == null
                ? said.epoch() == epoch
                : said.streamsFrom().equals(primary) && said.streamEpoch() == epoch;
        return said.state() == CellState.STREAMING && ofThisReign;
    }

    boolean claimsToBePrimary(PeerView said) {
        return said.state() == CellState.PRIMARY && !said.cell().equals(primary);
    }

    /** A deposed primary that is about to read so is none; one that has read it, or cannot, is. */
    boolean contradicts(PeerView said) {
        boolean rival = claimsToBePrimary(said)
                && (said.epoch() >= epoch || said.version() >= known.version() || !said.zookeeper());
        return rival || said.trouble() == Trouble.FOREIGN_DATA;
    }

    int acks() {
        ClusterState state = state();
        return state == null ? 1 : Math.max(1, state.acks());
    }

    Reigning reigning() {
        if (primary == null) {
            return Reigning.LOST;
        }
        PeerView said = known.heard(primary);
        if (said != null) {
            return switch (said.health()) {
                case STARTING, DOWN, CANNOT_WRITE -> Reigning.LOST;
                case CANNOT_REPLICATE -> said.state() == CellState.PRIMARY ? Reigning.READ_ONLY : Reigning.LOST;
                case OK -> {
                    if (said.state() != CellState.PRIMARY) {
                        yield Reigning.LOST;
                    }
                    yield said.readOnly() || tooFewCanAcknowledge() ? Reigning.READ_ONLY : Reigning.WRITABLE;
                }
            };
        }
        long streaming = streamingByOwnWord();
        if (streaming > 0) {
            // This cell alone does not hear the primary.
            return streaming >= acks() ? Reigning.WRITABLE : Reigning.READ_ONLY;
        }
        return nobodyIsHeard() && !known.gone(primary.name()) ? Reigning.UNKNOWN : Reigning.LOST;
    }

    /** How many cells say that they stream from a primary that they hold for well. */
    private long streamingByOwnWord() {
        return known.names().stream()
                .map(known::heard)
                .filter(said -> said != null && said.streamsFrom() != null && streams(said))
                .count();
    }

    /** Even if every cell that this one does not hear acknowledged, it would not do. Says false rather than guess. */
    private boolean tooFewCanAcknowledge() {
        ClusterState state = state();
        if (state == null) {
            return false;
        }
        // Before the first widening any member may be the one that acknowledges.
        Stream<CellName> candidates = state.acks() == 0
                ? state.members().keySet().stream().filter(this::isStandby)
                : state.standbyVoters().stream().map(CellId::name);
        return candidates.filter(this::mayAcknowledge).count() < acks();
    }

    private boolean mayAcknowledge(CellName name) {
        PeerView said = known.heard(name);
        // One that lets nobody in may stream, although its own agent cannot ask it.
        return said == null ? !known.gone(name) : streams(said) || said.state() == CellState.STARTING;
    }

    /** No other member is heard, and at least one of them may live: whether it does cannot be known here. */
    private boolean nobodyIsHeard() {
        ClusterState state = known.state();
        if (state == null) {
            return false;
        }
        boolean mayLive = false;
        for (CellName name : state.members().keySet()) {
            if (name.equals(known.self())) {
                continue;
            }
            if (known.heard(name) != null) {
                return false;
            }
            boolean dead = known.gone(name) || Boolean.FALSE.equals(known.present(name));
            mayLive |= !dead;
        }
        return mayLive;
    }
}
