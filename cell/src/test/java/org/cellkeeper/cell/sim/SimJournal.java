package org.cellkeeper.cell.sim;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.port.Journal;
import org.jspecify.annotations.Nullable;

/** The state file of one cell, as one run of its agent uses it. A save that a crash cuts off is wholly there, or not at all. */
final class SimJournal implements Journal {
    private record Save(LocalState state, CompletableFuture<Void> done) {}

    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private final Deque<Save> saves = new ArrayDeque<>();

    SimJournal(World world, SimCell cell, AgentProcess agent) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
    }

    @Override
    public @Nullable LocalState load() {
        return cell.stateFile();
    }

    @Override
    public CompletableFuture<Void> save(LocalState state) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        saves.add(new Save(state, done));
        if (saves.size() == 1) {
            saveNext();
        }
        return done;
    }

    private void saveNext() {
        agent.post(world.delay(300, 4 * World.MILLI), () -> cell.onDisk(agent, this::saved));
    }

    private void saved() {
        Save save = saves.removeFirst();
        cell.stateFile(save.state());
        if (!saves.isEmpty()) {
            saveNext();
        }
        save.done().complete(null);
    }

    void agentDied() {
        if (!saves.isEmpty() && !cell.diskHung() && world.perMille(500)) {
            cell.stateFile(saves.getFirst().state());
        }
        saves.clear();
    }
}
