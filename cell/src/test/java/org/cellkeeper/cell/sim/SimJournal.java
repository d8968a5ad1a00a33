package org.cellkeeper.cell.sim;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.port.Journal;
import org.jspecify.annotations.Nullable;

/** The journal of one run of an agent: a disk that may be slow, hang, be full, or fail. */
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
        return cell.disk().load(world.mutation() == Mutation.LOADED_STATE_NOT_MADE_DURABLE);
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
        long takes = world.delay(300, 4 * World.MILLI)
                + world.delay(cell.disk().slowness(), 3 * cell.disk().slowness());
        agent.post(takes, () -> cell.onDisk(agent, this::saved));
    }

    private void saved() {
        Save save = saves.removeFirst();
        SimStateFile.Fate fate = cell.disk().save(save.state());
        if (!saves.isEmpty()) {
            saveNext();
        }
        switch (fate) {
            case SAVED -> save.done().complete(null);
            case FAILED, FAILED_BUT_THERE ->
                save.done()
                        .completeExceptionally(new UncheckedIOException(
                                "the state file cannot be written", new IOException("No space left on device")));
        }
    }

    void agentDied() {
        if (!saves.isEmpty()) {
            cell.disk().cutOff(saves.getFirst().state());
        }
        saves.clear();
    }
}
