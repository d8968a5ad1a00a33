package org.cellkeeper.cell.report;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Attachment;
import org.cellkeeper.cell.model.ClusterReport.Halted;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterReport.NodeRole;
import org.cellkeeper.cell.model.ClusterReport.Registered;
import org.cellkeeper.cell.model.ClusterReport.Status;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.jspecify.annotations.Nullable;

/**
 * The cluster in the words of the appliance API, out of what every cell knows: the shared state and the views that all
 * agents push to each other. So every cell gives the same answer, but for what it cannot hear; of that it says so. The
 * primary's own word on whether it is acknowledged outweighs any count made elsewhere.
 *
 * <p>Pure; it decides nothing, and no rule depends on it.
 */
public final class Health {
    private static final Duration LONG_ENOUGH_TO_NAME = Duration.ofSeconds(1);

    private final Inputs in;
    private final Truth truth;
    private final EnsembleRedundancy redundancy;

    private Health(Inputs in) {
        this.in = in;
        this.truth = truth(in);
        this.redundancy = new EnsembleRedundancy(in.servers);
    }

    /**
     * What a cell knows.
     *
     * @param now monotonic milliseconds, the clock of {@link PeerLink#heardMillis}
     * @param wall the same moment for people
     * @param version of {@code state}; -1 while there is none
     * @param coordinationAwaySince since when ZooKeeper cannot be asked, on the clock of {@code now}; 0 when it can
     * @param own what this cell says of itself
     * @param servers the ZooKeeper servers as this cell finds them; losing the cells that run them may lose the ensemble
     */
    public record Inputs(
            CellSettings settings,
            long now,
            Instant wall,
            @Nullable ClusterState state,
            int version,
            CoordinationView coordination,
            long coordinationAwaySince,
            PeerView own,
            Map<CellName, PeerLink> peers,
            List<EnsembleServer> servers) {
        public Inputs {
            peers = Map.copyOf(peers);
            servers = List.copyOf(servers);
        }
    }

    /** Who reigns: as in the shared state, or as a newer primary itself says while this cell's state is behind. */
    private record Truth(@Nullable CellId primary, long epoch, boolean behind) {}

    /** How the primary is, as far as can be known here. */
    private enum Reigning {
        WRITABLE,
        READ_ONLY,
        LOST,
        UNKNOWN
    }

    public static ClusterReport report(Inputs in) {
        return new Health(in).report();
    }

    private ClusterReport report() {
        ClusterState state = in.state;
        List<Node> nodes = new ArrayList<>();
        for (CellName name : names()) {
            nodes.add(node(nodes.size() + 1, name));
        }
        ClusterReport.Health health = health(nodes);
        FailoverMode mode = state != null && in.coordination.connected() ? state.failoverMode() : null;
        return new ClusterReport(
                health,
                mode,
                truth.epoch,
                truth.primary == null ? null : truth.primary.name(),
                state == null ? 0 : state.acks(),
                state == null ? 0 : CommitQuorum.of(state).seals(),
                canSurvive(health, nodes),
                redundancy.count(),
                phase(),
                List.copyOf(nodes),
                warnings(health, mode, nodes));
    }

    // ---- what is known

    private static Truth truth(Inputs in) {
        ClusterState state = in.state;
        CellId primary = state == null ? null : state.primary();
        long epoch = state == null ? 0 : state.epoch();
        boolean behind = false;
        for (CellName name : in.peers.keySet()) {
            PeerView said = heard(in, name);
            if (said != null
                    && said.state() == CellState.PRIMARY
                    && said.epoch() > epoch
                    && said.version() > in.version) {
                primary = said.cell();
                epoch = said.epoch();
                behind = true;
            }
        }
        return new Truth(primary, epoch, behind);
    }

    /** What a cell said within the silence timeout, whichever incarnation it is. */
    private static @Nullable PeerView heard(Inputs in, CellName name) {
        if (name.equals(in.own.cell().name())) {
            return in.own;
        }
        PeerLink link = in.peers.get(name);
        if (link == null || link.status() != PeerLink.Status.CONNECTED) {
            return null;
        }
        long silence = in.settings.timing().silence().toMillis();
        return in.now - link.heardMillis() < silence ? link.view() : null;
    }

    private @Nullable PeerView heard(CellName name) {
        return heard(in, name);
    }

    private @Nullable PeerView heard(CellId cell) {
        PeerView said = heard(in, cell.name());
        return said != null && said.cell().equals(cell) ? said : null;
    }

    private boolean gone(CellName name) {
        PeerLink link = in.peers.get(name);
        return link != null && link.status() == PeerLink.Status.GONE;
    }

    /** Whether a cell has a session in ZooKeeper; null while that cannot be asked. */
    private @Nullable Boolean present(CellName name) {
        return in.coordination.connected() ? in.coordination.present().containsKey(name) : null;
    }

    private Set<CellName> names() {
        TreeSet<CellName> names = new TreeSet<>();
        names.add(in.own.cell().name());
        if (in.state != null) {
            names.addAll(in.state.members().keySet());
            names.addAll(in.state.halted().keySet());
        }
        if (in.coordination.connected()) {
            names.addAll(in.coordination.present().keySet());
        }
        in.peers.keySet().stream().filter(name -> heard(name) != null).forEach(names::add);
        return names;
    }

    private @Nullable Member member(CellName name) {
        return in.state == null ? null : in.state.members().get(name);
    }

    private @Nullable Halt halt(CellName name) {
        return in.state == null ? null : in.state.halted().get(name);
    }

    private boolean isPrimary(CellName name) {
        return truth.primary != null && truth.primary.name().equals(name);
    }

    /** It holds the place of a cell that takes part: neither removed, nor halted, nor the primary. */
    private boolean isStandby(CellName name) {
        return member(name) != null && halt(name) == null && !isPrimary(name);
    }

    private boolean streams(PeerView said) {
        boolean ofThisReign = said.streamsFrom() == null
                ? said.epoch() == truth.epoch
                : said.streamsFrom().equals(truth.primary) && said.streamEpoch() == truth.epoch;
        return said.state() == CellState.STREAMING && ofThisReign;
    }

    private boolean claimsToBePrimary(PeerView said) {
        return said.state() == CellState.PRIMARY && !said.cell().equals(truth.primary);
    }

    /** A deposed primary that is about to read so is none; one that has read it, or cannot, is. */
    private boolean contradicts(PeerView said) {
        boolean rival = claimsToBePrimary(said)
                && (said.epoch() >= truth.epoch || said.version() >= in.version || !said.zookeeper());
        return rival || said.trouble() == Trouble.FOREIGN_DATA;
    }

    // ---- the cluster

    private ClusterReport.Health health(List<Node> nodes) {
        if (nodes.stream().map(node -> heard(node.name())).anyMatch(said -> said != null && contradicts(said))) {
            return ClusterReport.Health.CRITICAL_PROBLEM;
        }
        return switch (reigning()) {
            case UNKNOWN -> ClusterReport.Health.SSH_PROBLEM;
            case LOST -> ClusterReport.Health.NO_ACTIVE_PRIMARY;
            case READ_ONLY -> ClusterReport.Health.READ_ONLY_PRIMARY;
            case WRITABLE ->
                allStream(nodes)
                                && unfinishedMove(nodes).isEmpty()
                                && in.coordination.connected()
                                && redundancy.areWhole()
                        ? ClusterReport.Health.HEALTHY
                        : ClusterReport.Health.DEGRADED;
        };
    }

    /** What the primary has yet to do until a failover counts on every standby that streams; empty when nothing is left. */
    private String unfinishedMove(List<Node> nodes) {
        ClusterState state = in.state;
        if (state == null || truth.behind) {
            return "";
        }
        List<String> aside = nodes.stream()
                .filter(node -> isStandby(node.name()) && !node.voter() && node.state() == CellState.STREAMING)
                .map(node -> node.name().value())
                .toList();
        if (!aside.isEmpty()) {
            return String.join(", ", aside) + " streams, but is no voter yet: a failover does not count on it";
        }
        int acks = CommitQuorum.defaultAcks(state.voters().size());
        return state.acks() < acks
                ? "commits wait for " + state.acks() + " standby so far, soon for " + acks
                        + ": until then fewer cells may be lost"
                : "";
    }

    private boolean allStream(List<Node> nodes) {
        List<Node> others = nodes.stream()
                .filter(node -> !isPrimary(node.name()))
                .filter(node -> member(node.name()) != null || halt(node.name()) != null)
                .toList();
        return others.size() >= 2 && others.stream().allMatch(node -> node.health() == NodeHealth.HEALTHY);
    }

    private Reigning reigning() {
        if (truth.primary == null) {
            return Reigning.LOST;
        }
        PeerView said = heard(truth.primary);
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
        return nobodyIsHeard() && !gone(truth.primary.name()) ? Reigning.UNKNOWN : Reigning.LOST;
    }

    /** How many cells say that they stream from a primary that they hold for well. */
    private long streamingByOwnWord() {
        return names().stream()
                .map(this::heard)
                .filter(said -> said != null && said.streamsFrom() != null && streams(said))
                .count();
    }

    private int acks() {
        return in.state == null || truth.behind ? 1 : Math.max(1, in.state.acks());
    }

    /** Even if every cell that this one does not hear acknowledged, it would not do. Says false rather than guess. */
    private boolean tooFewCanAcknowledge() {
        ClusterState state = in.state;
        if (state == null || truth.behind) {
            return false;
        }
        // Before the first widening any member may be the one that acknowledges.
        Stream<CellName> candidates = state.acks() == 0
                ? state.members().keySet().stream().filter(this::isStandby)
                : state.standbyVoters().stream().map(CellId::name);
        return candidates.filter(this::mayAcknowledge).count() < acks();
    }

    private boolean mayAcknowledge(CellName name) {
        PeerView said = heard(name);
        // One that lets nobody in may stream, although its own agent cannot ask it.
        return said == null ? !gone(name) : streams(said) || said.state() == CellState.STARTING;
    }

    /** No other member is heard, and at least one of them may live: whether it does cannot be known here. */
    private boolean nobodyIsHeard() {
        ClusterState state = in.state;
        if (state == null) {
            return false;
        }
        boolean mayLive = false;
        for (CellName name : state.members().keySet()) {
            if (name.equals(in.own.cell().name())) {
                continue;
            }
            if (heard(name) != null) {
                return false;
            }
            boolean dead = gone(name) || Boolean.FALSE.equals(present(name));
            mayLive |= !dead;
        }
        return mayLive;
    }

    private int canSurvive(ClusterReport.Health health, List<Node> nodes) {
        ClusterState state = in.state;
        boolean writable = health == ClusterReport.Health.HEALTHY || health == ClusterReport.Health.DEGRADED;
        if (state == null || !writable || truth.behind || !in.coordination.connected()) {
            return 0;
        }
        List<Node> standbys = nodes.stream()
                .filter(node -> isStandby(node.name()) && node.state() == CellState.STREAMING && couldSeal(node))
                .toList();
        long voters = standbys.stream().filter(Node::voter).count();
        long electable = standbys.stream().filter(node -> node.priority() > 0).count();
        int lost = 0;
        while (lost < nodes.size()
                && survivesLossOfStandbys(lost + 1, standbys.size(), voters)
                && survivesLossOfPrimary(lost + 1, standbys.size(), voters, electable)) {
            lost++;
        }
        return lost;
    }

    /** To seal it must write to its disk, and its vote to ZooKeeper. */
    private boolean couldSeal(Node node) {
        PeerView said = heard(node.name());
        return said != null && said.zookeeper() && said.health() != PeerView.Health.CANNOT_WRITE;
    }

    /** The primary goes on if it may narrow the voters (for which it needs ZooKeeper), or need not. */
    private boolean survivesLossOfStandbys(int lost, int standbys, long voters) {
        boolean mayNarrow = redundancy.survive(lost, truth.primary, false);
        return mayNarrow ? standbys - lost >= 1 : voters - lost >= acks();
    }

    private boolean survivesLossOfPrimary(int lost, int standbys, long voters, long electable) {
        ClusterState state = in.state;
        int others = lost - 1;
        return state != null
                && state.failoverMode() == FailoverMode.AUTOMATIC
                && redundancy.survive(lost, truth.primary, true)
                && voters - others >= CommitQuorum.of(state).seals()
                && electable - others >= 1
                && standbys - others - 1 >= Math.max(1, in.settings.minStandbysAfterFailover());
    }

    private String phase() {
        ClusterState state = in.state;
        if (state == null) {
            return in.coordination.stateAbsent() ? "UNBORN" : "UNKNOWN";
        }
        return switch (state.phase()) {
            case Phase.Steady ignored -> "STEADY";
            case Phase.Sealing ignored -> "SEALING";
            case Phase.Handover ignored -> "HANDOVER";
        };
    }

    // ---- one cell

    private Node node(int id, CellName name) {
        ClusterState state = in.state;
        PeerView said = heard(name);
        Member member = member(name);
        Halt halt = halt(name);
        CellState cellState = state(name, said);
        Status status = status(name, said, cellState);
        Attachment attachment = attachment(name, said);
        boolean running = agentRunning(name, said);
        boolean attached = isStandby(name) && said != null && streams(said);
        return new Node(
                id,
                name,
                member == null ? "default" : member.faultDomain(),
                address(name, member),
                isPrimary(name) ? Registered.PRIMARY : Registered.STANDBY,
                status,
                attachment,
                attachment == Attachment.NONE || truth.primary == null ? null : truth.primary.name(),
                role(name, member, halt),
                nodeHealth(name, said, attached),
                cellState,
                detail(name, said, running),
                running,
                said == null ? 0 : said.epoch(),
                said == null ? 0 : said.timeline(),
                said == null ? null : said.received(),
                lagBytes(name, said),
                lagMillis(name, said),
                member != null && state != null && state.voters().contains(new CellId(name, member.incarnation())),
                member == null ? 0 : member.priority(),
                said == null ? 0 : said.progress(),
                halt == null ? null : halted(halt, said));
    }

    private CellState state(CellName name, @Nullable PeerView said) {
        if (said != null) {
            return said.state();
        }
        if (saysRemoved(name)) {
            return CellState.REMOVED;
        }
        boolean noSession = !Boolean.TRUE.equals(present(name));
        return gone(name) && noSession ? CellState.DOWN : CellState.UNREACHABLE;
    }

    /** There is no link to a removed cell, but its session says what it is. */
    private boolean saysRemoved(CellName name) {
        Presence presence =
                in.coordination.connected() ? in.coordination.present().get(name) : null;
        return member(name) == null && presence != null && presence.state().equals(CellState.REMOVED.name());
    }

    private Status status(CellName name, @Nullable PeerView said, CellState state) {
        if (said != null && claimsToBePrimary(said)) {
            return Status.RUNNING_AS_PRIMARY_UNEXPECTEDLY;
        }
        if (halt(name) != null) {
            return Status.FAILED;
        }
        if (said == null) {
            return state == CellState.REMOVED ? Status.FAILED : Status.UNREACHABLE;
        }
        if (said.health() == PeerView.Health.DOWN) {
            return Status.FAILED;
        }
        return switch (state) {
            case PRIMARY -> said.health() == PeerView.Health.STARTING ? Status.UNREACHABLE : Status.RUNNING_PRIMARY;
            case STREAMING, CATCHING_UP, SEALED ->
                said.health() == PeerView.Health.STARTING ? Status.UNREACHABLE : Status.RUNNING;
            case CLONING, STARTING, UNREACHABLE -> Status.UNREACHABLE;
            case HALTED, REMOVED, DOWN -> Status.FAILED;
        };
    }

    private Attachment attachment(CellName name, @Nullable PeerView said) {
        if (!isStandby(name) || truth.primary == null) {
            return Attachment.NONE;
        }
        if (said != null && streams(said)) {
            return Attachment.ATTACHED;
        }
        return switch (reigning()) {
            case WRITABLE, READ_ONLY -> Attachment.NOT_ATTACHED;
            case LOST, UNKNOWN -> Attachment.PRIMARY_UNREACHABLE;
        };
    }

    private NodeRole role(CellName name, @Nullable Member member, @Nullable Halt halt) {
        if (halt != null) {
            return NodeRole.OLD_PRIMARY;
        }
        if (isPrimary(name)) {
            return NodeRole.PRIMARY;
        }
        return member == null ? NodeRole.UNKNOWN : NodeRole.STANDBY;
    }

    private NodeHealth nodeHealth(CellName name, @Nullable PeerView said, boolean attached) {
        if (said == null) {
            boolean lives = !gone(name) && Boolean.TRUE.equals(present(name)) && !saysRemoved(name);
            return lives && halt(name) == null ? NodeHealth.INACCURATE_DATA : NodeHealth.UNHEALTHY;
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
        if (said.cell().equals(truth.primary) && said.state() == CellState.PRIMARY) {
            return switch (said.health()) {
                case OK, CANNOT_REPLICATE -> NodeHealth.HEALTHY;
                case STARTING, DOWN, CANNOT_WRITE -> NodeHealth.UNHEALTHY;
            };
        }
        boolean well = attached && said.health() == PeerView.Health.OK;
        return well ? NodeHealth.HEALTHY : NodeHealth.UNHEALTHY;
    }

    private boolean agentRunning(CellName name, @Nullable PeerView said) {
        return said != null || (!gone(name) && Boolean.TRUE.equals(present(name)));
    }

    private String detail(CellName name, @Nullable PeerView said, boolean running) {
        if (said != null) {
            Member member = member(name);
            if (member != null && !member.incarnation().equals(said.cell().incarnation()) && halt(name) == null) {
                return joined("a new appliance under a registered name", said.problem());
            }
            return said.problem().isEmpty() ? said.sentence() : said.problem();
        }
        if (saysRemoved(name)) {
            return "This cell was removed: deploy it (POST /nodes/" + name + "/deploy) to use it again.";
        }
        PeerLink link = in.peers.get(name);
        String heard = switch (link == null ? PeerLink.Status.UNKNOWN : link.status()) {
            case GONE -> "its agent does not run: the connection is refused";
            case UNKNOWN -> "no link from " + in.own.cell().name() + " to its agent";
            case CONNECTED ->
                link == null || link.view() == null
                        ? "nothing heard from its agent yet"
                        : "nothing heard from its agent for " + seconds(in.now - link.heardMillis());
        };
        Boolean present = present(name);
        if (present == null) {
            return heard;
        }
        return heard
                + (present ? ", but it has a session in ZooKeeper" : ", and it has no session in ZooKeeper")
                + (present && !running ? " (not timed out yet)" : "");
    }

    private Address address(CellName name, @Nullable Member member) {
        if (name.equals(in.settings.name())) {
            return in.settings.address();
        }
        if (member != null) {
            return member.address();
        }
        Presence presence = in.coordination.present().get(name);
        return presence == null ? new Address("", 0, 0, 0) : presence.address();
    }

    private long lagBytes(CellName name, @Nullable PeerView said) {
        Lsn received = said == null ? null : said.received();
        PeerView primary = truth.primary == null ? null : heard(truth.primary);
        Lsn flushed = primary == null ? null : primary.received();
        if (said == null || received == null || primary == null || flushed == null) {
            return -1;
        }
        if (isPrimary(name)) {
            return 0;
        }
        boolean comparable = isStandby(name) && primary.timeline() == said.timeline();
        return comparable ? Math.max(0, flushed.minus(received)) : -1;
    }

    private long lagMillis(CellName name, @Nullable PeerView said) {
        if (said == null) {
            return -1;
        }
        return isPrimary(name) ? 0 : said.lagMillis();
    }

    private Halted halted(Halt halt, @Nullable PeerView said) {
        Lsn end = halt.lsn() == null && said != null && said.state() == CellState.HALTED ? said.received() : halt.lsn();
        Lsn fork = fork(halt);
        Long diverged = end == null || fork == null ? null : Math.max(0, end.minus(fork));
        return new Halted(halt.since(), halt.epoch(), halt.reason(), end, fork, diverged);
    }

    /** Where the present primary's line left the halted cell's WAL: the earliest fork since the ballot that halted it. */
    private @Nullable Lsn fork(Halt halt) {
        ClusterState state = in.state;
        if (state == null || truth.behind) {
            return null;
        }
        Lsn fork = null;
        Reign reign = state.reign();
        for (long epoch = state.epoch(); reign != null && epoch >= halt.epoch(); ) {
            fork = fork == null || fork.atLeast(reign.startLsn()) ? reign.startLsn() : fork;
            if (reign.parent() >= epoch) {
                break;
            }
            epoch = reign.parent();
            reign = state.reigns().get(epoch);
        }
        return fork;
    }

    // ---- what an operator should know

    private List<String> warnings(ClusterReport.Health health, @Nullable FailoverMode mode, List<Node> nodes) {
        List<String> warnings = new ArrayList<>();
        ensembleWarnings(warnings);
        healthWarnings(warnings, health, mode, nodes);
        for (Node node : nodes) {
            nodeWarning(warnings, node);
        }
        return List.copyOf(warnings);
    }

    private static boolean nobodyMayReplace(ClusterState state) {
        return state.members().entrySet().stream()
                .filter(member -> !member.getKey().equals(state.primary().name()))
                .allMatch(member -> member.getValue().priority() == 0);
    }

    private void ensembleWarnings(List<String> warnings) {
        if (!in.coordination.objection().isEmpty()) {
            warnings.add(in.coordination.objection());
        }
        if (!in.coordination.connected()) {
            String what = in.coordination.objection().isEmpty()
                    ? "ZooKeeper cannot be asked"
                    : "the cluster's own ZooKeeper cannot be asked";
            String since = in.coordinationAwaySince == 0
                    ? what
                    : what + " since "
                            + in.wall
                                    .minusMillis(in.now - in.coordinationAwaySince)
                                    .truncatedTo(ChronoUnit.SECONDS);
            warnings.add(
                    since + ": what is shown of the cluster is what was last read; no failover, promote, switchover,"
                            + " change of mode, removal or deploy is possible until a majority of the ZooKeeper servers is back."
                            + " The primary takes writes as long as enough standbys acknowledge");
        }
        ClusterState state = in.state;
        if (state != null && !state.standbyVoters().isEmpty() && nobodyMayReplace(state)) {
            warnings.add("no standby has a priority above 0: when the primary is lost, nobody replaces it");
        }
        String servers = redundancy.warning();
        if (!servers.isEmpty()) {
            warnings.add(servers);
        }
        List<String> cutOff = new ArrayList<>();
        for (CellName name : names()) {
            PeerView said = heard(name);
            if (said != null && !said.zookeeper() && !name.equals(in.own.cell().name())) {
                cutOff.add(name.value());
            }
        }
        if (in.coordination.connected() && !cutOff.isEmpty()) {
            warnings.add("ZooKeeper cannot be asked by " + String.join(", ", cutOff));
        }
        if (truth.behind && truth.primary != null) {
            warnings.add("the cluster state known to " + in.own.cell().name() + " is old: " + truth.primary.name()
                    + " says that it is primary of epoch " + truth.epoch);
        }
    }

    private void healthWarnings(
            List<String> warnings, ClusterReport.Health health, @Nullable FailoverMode mode, List<Node> nodes) {
        ClusterState state = in.state;
        if (state == null) {
            warnings.add(joined(
                    in.coordination.stateAbsent()
                            ? "the cluster has not been founded"
                            : "the cluster state is not known yet",
                    in.own.problem().isEmpty() ? in.own.sentence() : in.own.problem()));
            return;
        }
        switch (health) {
            case HEALTHY, DEGRADED -> {
                if (state.acks() == 0 && !truth.behind) {
                    warnings.add(
                            state.primary().name() + " is the only voter so far: if it is lost now, no other cell can"
                                    + " take over without it");
                    return;
                }
                String move = unfinishedMove(nodes);
                if (!move.isEmpty()) {
                    warnings.add(move);
                }
            }
            case READ_ONLY_PRIMARY ->
                warnings.add("the primary takes no writes: fewer than " + acks()
                        + " standby acknowledges them; bring a standby back");
            case NO_ACTIVE_PRIMARY -> warnings.add(noPrimary(state, mode, nodes));
            case CRITICAL_PROBLEM ->
                warnings.add(
                        "cells contradict each other: keep clients away from every cell marked '! running as primary'"
                                + " or with foreign data, and stop it");
            case SSH_PROBLEM ->
                warnings.add(
                        in.own.cell().name() + " hears of no other cell, so the state of the cluster is unknown here:"
                                + " check the network between the cells, and ask another one");
        }
    }

    private String noPrimary(ClusterState state, @Nullable FailoverMode mode, List<Node> nodes) {
        String begin = "no working primary";
        if (mode == null) {
            return begin + ", and none can be chosen while ZooKeeper cannot be asked";
        }
        if (!state.isSteady()) {
            return begin + ": a change of primary is under way";
        }
        if (state.reign() == null) {
            return begin + ": " + state.primary().name() + " was elected in epoch " + state.epoch()
                    + " and has not opened its reign; bring it back, or promote a standby with acceptDataLoss";
        }
        long voters = nodes.stream()
                .filter(node -> isStandby(node.name()) && node.voter() && mayVote(node))
                .count();
        if (voters < CommitQuorum.of(state).seals()) {
            return begin + ": " + voters + " of the " + CommitQuorum.of(state).seals()
                    + " voters live and reach ZooKeeper that a change of primary needs;"
                    + " bring the primary or another voter back, or promote a standby with acceptDataLoss";
        }
        return switch (mode) {
            case MANUAL -> begin + ", and the failover mode is MANUAL: promote a standby";
            case AUTOMATIC -> {
                List<Node> standbys = nodes.stream()
                        .filter(node -> isStandby(node.name()) && mayVote(node))
                        .toList();
                if (standbys.stream().noneMatch(node -> node.priority() > 0)) {
                    yield begin
                            + ": no cell that lives has a priority above 0; raise one's priority, or bring another back";
                }
                yield standbys.size() - 1 < in.settings.minStandbysAfterFailover()
                        ? begin + ": a new one would have fewer than " + in.settings.minStandbysAfterFailover()
                                + " standbys, so none is chosen by itself; bring a cell back or promote a standby"
                        : begin + ": the standbys will choose one";
            }
        };
    }

    private boolean mayVote(Node node) {
        PeerView said = heard(node.name());
        if (said != null && !said.zookeeper()) {
            return false;
        }
        return switch (node.state()) {
            case STREAMING, CATCHING_UP, SEALED, STARTING -> true;
            case PRIMARY, CLONING, HALTED, REMOVED, DOWN, UNREACHABLE -> false;
        };
    }

    private void nodeWarning(List<String> warnings, Node node) {
        Halted halted = node.halted();
        if (halted != null) {
            Long diverged = halted.divergedBytes();
            String holds = diverged == null
                    ? ""
                    : diverged == 0
                            ? "; it holds no WAL that the primary lacks"
                            : "; it holds " + diverged + " bytes of WAL that the primary lacks";
            warnings.add(node.name() + " is halted since " + halted.since().truncatedTo(ChronoUnit.SECONDS) + " ("
                    + halted.reason() + ")" + holds + ". Its PostgreSQL does not run until an operator removes the cell"
                    + " and deploys it anew");
            return;
        }
        boolean well = node.health() == NodeHealth.HEALTHY;
        PeerView said = heard(node.name());
        String problem = said == null ? "" : said.problem();
        // A configuration that cannot be used, say; of a cell that is not well it is the detail.
        if (well && !problem.isEmpty() && !problem.equals(in.coordination.objection())) {
            warnings.add(node.name() + ": " + problem);
        }
        if (well || member(node.name()) == null) {
            return;
        }
        warnings.add(joined(node.name() + " is " + node.health() + ", " + node.state(), node.detail()));
    }

    private static String joined(String what, String detail) {
        return detail.isEmpty() ? what : what + ": " + detail;
    }

    private static String seconds(long millis) {
        return millis < LONG_ENOUGH_TO_NAME.toMillis() ? millis + " ms" : millis / 1000 + " s";
    }
}
