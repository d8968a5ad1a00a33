package org.cellkeeper.cell.report;

import java.time.Duration;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport.Attachment;
import org.cellkeeper.cell.model.ClusterReport.Halted;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterReport.NodeRole;
import org.cellkeeper.cell.model.ClusterReport.Registered;
import org.cellkeeper.cell.model.ClusterReport.Status;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.jspecify.annotations.Nullable;

/**
 * One cell of the report.
 *
 * @param said null when it is not heard
 * @param member null when no cell is registered under the name
 */
record NodeRow(
        Known known,
        Truth truth,
        CellName name,
        @Nullable PeerView said,
        @Nullable Member member,
        @Nullable Halt halt) {
    private static final Duration LONG_ENOUGH_TO_NAME = Duration.ofSeconds(1);

    static NodeRow of(Known known, Truth truth, CellName name) {
        return new NodeRow(known, truth, name, known.heard(name), known.member(name), known.halt(name));
    }

    Node node(int id) {
        ClusterState state = known.state();
        Attachment attachment = attachment();
        return new Node(
                id,
                name,
                member == null ? "default" : member.faultDomain(),
                address(),
                truth.isPrimary(name) ? Registered.PRIMARY : Registered.STANDBY,
                status(),
                attachment,
                attachment == Attachment.NONE ? null : truth.primaryName(),
                role(),
                health(),
                state(),
                detail(),
                agentRunning(),
                said == null ? 0 : said.epoch(),
                said == null ? 0 : said.timeline(),
                said == null ? null : said.received(),
                lagBytes(),
                lagMillis(),
                member != null && state != null && state.voters().contains(new CellId(name, member.incarnation())),
                member == null ? 0 : member.priority(),
                said == null ? 0 : said.progress(),
                halt == null ? null : halted(halt));
    }

    private CellState state() {
        if (said != null) {
            return said.state();
        }
        if (saysRemoved()) {
            return CellState.REMOVED;
        }
        return known.gone(name) && !hasSession() ? CellState.DOWN : CellState.UNREACHABLE;
    }

    private boolean hasSession() {
        return Boolean.TRUE.equals(known.present(name));
    }

    /** There is no link to a removed cell, but its session says what it is. */
    private boolean saysRemoved() {
        Presence presence = hasSession() ? known.coordination().present().get(name) : null;
        return member == null && presence != null && presence.state().equals(CellState.REMOVED.name());
    }

    private Status status() {
        if (said != null && truth.claimsToBePrimary(said)) {
            return Status.RUNNING_AS_PRIMARY_UNEXPECTEDLY;
        }
        if (halt != null) {
            return Status.FAILED;
        }
        if (said == null) {
            return saysRemoved() ? Status.FAILED : Status.UNREACHABLE;
        }
        if (said.health() == PeerView.Health.DOWN) {
            return Status.FAILED;
        }
        boolean starting = said.health() == PeerView.Health.STARTING;
        return switch (said.state()) {
            case PRIMARY -> starting ? Status.UNREACHABLE : Status.RUNNING_PRIMARY;
            case STREAMING, CATCHING_UP, SEALED -> starting ? Status.UNREACHABLE : Status.RUNNING;
            case CLONING, STARTING, UNREACHABLE -> Status.UNREACHABLE;
            case HALTED, REMOVED, DOWN -> Status.FAILED;
        };
    }

    private boolean attached() {
        return truth.isStandby(name) && said != null && truth.streams(said);
    }

    private Attachment attachment() {
        if (!truth.isStandby(name) || truth.primary() == null) {
            return Attachment.NONE;
        }
        if (attached()) {
            return Attachment.ATTACHED;
        }
        return switch (truth.reigning()) {
            case WRITABLE, READ_ONLY -> Attachment.NOT_ATTACHED;
            case LOST, UNKNOWN -> Attachment.PRIMARY_UNREACHABLE;
        };
    }

    private NodeRole role() {
        if (halt != null) {
            return NodeRole.OLD_PRIMARY;
        }
        if (truth.isPrimary(name)) {
            return NodeRole.PRIMARY;
        }
        return member == null ? NodeRole.UNKNOWN : NodeRole.STANDBY;
    }

    private NodeHealth health() {
        if (said == null) {
            boolean lives = agentRunning() && !saysRemoved();
            return lives && halt == null ? NodeHealth.INACCURATE_DATA : NodeHealth.UNHEALTHY;
        }
        switch (said.trouble()) {
            case NONE -> {}
            case REPLAY_STANDS -> {
                return NodeHealth.UNHEALTHY;
            }
            case FOREIGN_DATA, WAL_GONE -> {
                return NodeHealth.UNRECOVERABLE;
            }
        }
        if (said.cell().equals(truth.primary()) && said.state() == CellState.PRIMARY) {
            return switch (said.health()) {
                case OK, CANNOT_REPLICATE -> NodeHealth.HEALTHY;
                case STARTING, DOWN, CANNOT_WRITE -> NodeHealth.UNHEALTHY;
            };
        }
        boolean well = attached() && said.health() == PeerView.Health.OK;
        return well ? NodeHealth.HEALTHY : NodeHealth.UNHEALTHY;
    }

    private boolean agentRunning() {
        return said != null || (!known.gone(name) && hasSession());
    }

    private String detail() {
        if (said != null) {
            if (member != null && !member.incarnation().equals(said.cell().incarnation()) && halt == null) {
                return Warnings.joined("a new appliance under a registered name", said.problem());
            }
            return said.problem().isEmpty() ? said.sentence() : said.problem();
        }
        if (saysRemoved()) {
            return "This cell was removed: deploy it (cellctl deploy " + name + ") to use it again.";
        }
        PeerLink link = known.peers().get(name);
        String heard = switch (link == null ? PeerLink.Status.UNKNOWN : link.status()) {
            case GONE -> "its agent does not run: the connection is refused";
            case UNKNOWN -> "no link from " + known.self() + " to its agent";
            case CONNECTED ->
                link == null || link.view() == null
                        ? "nothing heard from its agent yet"
                        : "nothing heard from its agent for " + seconds(known.now() - link.heardMillis());
        };
        Boolean present = known.present(name);
        if (present == null) {
            return heard;
        }
        return heard
                + (present ? ", but it has a session in ZooKeeper" : ", and it has no session in ZooKeeper")
                + (present && !agentRunning() ? " (not timed out yet)" : "");
    }

    private static String seconds(long millis) {
        return millis < LONG_ENOUGH_TO_NAME.toMillis() ? millis + " ms" : millis / 1000 + " s";
    }

    private Address address() {
        if (name.equals(known.settings().name())) {
            return known.settings().address();
        }
        if (member != null) {
            return member.address();
        }
        Presence presence = known.coordination().present().get(name);
        return presence == null ? new Address("", 0, 0, 0) : presence.address();
    }

    private long lagBytes() {
        Lsn received = said == null ? null : said.received();
        PeerView primary = truth.primary() == null ? null : known.heard(truth.primary());
        Lsn flushed = primary == null ? null : primary.received();
        if (said == null || received == null || primary == null || flushed == null) {
            return -1;
        }
        if (truth.isPrimary(name)) {
            return 0;
        }
        boolean comparable = truth.isStandby(name) && primary.timeline() == said.timeline();
        return comparable ? Math.max(0, flushed.minus(received)) : -1;
    }

    private long lagMillis() {
        if (said == null) {
            return -1;
        }
        return truth.isPrimary(name) ? 0 : said.lagMillis();
    }

    private Halted halted(Halt since) {
        Lsn end =
                since.lsn() == null && said != null && said.state() == CellState.HALTED ? said.received() : since.lsn();
        Lsn fork = fork(since);
        Long diverged = end == null || fork == null ? null : Math.max(0, end.minus(fork));
        return new Halted(since.since(), since.epoch(), since.reason(), end, fork, diverged);
    }

    /** Where the present primary's line left the halted cell's WAL: the earliest fork since the ballot that halted it. */
    private @Nullable Lsn fork(Halt since) {
        ClusterState state = truth.state();
        if (state == null) {
            return null;
        }
        Lsn fork = null;
        Reign reign = state.reign();
        for (long epoch = state.epoch(); reign != null && epoch >= since.epoch(); ) {
            fork = fork == null || fork.atLeast(reign.startLsn()) ? reign.startLsn() : fork;
            if (reign.parent() >= epoch) {
                break;
            }
            epoch = reign.parent();
            reign = state.reigns().get(epoch);
        }
        return fork;
    }
}
