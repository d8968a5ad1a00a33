package org.cellkeeper.cell.sim;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.port.Clock;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Database;
import org.cellkeeper.cell.port.Door;
import org.cellkeeper.cell.port.Journal;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.port.Peers;

/** What the world needs of an agent; the real core fits behind it, and so do the hand-made agents of our own tests. */
interface SimAgent {
    void start();

    /** As by SIGTERM; completes when the agent may exit. */
    CompletableFuture<Void> stopRequested();

    Operator operator();

    /** What it is about, for a violation's report. */
    default String describe() {
        return "";
    }

    /** Makes an agent for one run of the process. */
    interface Factory {
        SimAgent create(Seat seat);
    }

    /** All that an agent is given; {@code variant} is what a mutation makes of the decider, usually nothing. */
    record Seat(
            CellSettings settings,
            Executor mailbox,
            Clock clock,
            Coordination coordination,
            Database database,
            Door door,
            Peers peers,
            Journal journal,
            Supplier<Incarnation> newIncarnation,
            UnaryOperator<Function<View, Plan>> variant) {}
}
