package org.cellkeeper.cell.sim;

/** Who reaches whom. Agents' links and WAL streams can be cut separately, and in one direction only. */
final class SimNetwork {
    /** What runs over a path. */
    enum Kind {
        LINKS,
        WAL
    }

    /** A TCP connection that gets no acknowledgements breaks after so long. */
    static final long USER_TIMEOUT = 2_500 * World.MILLI;

    private final World world;
    private final boolean[][][] cut;
    private final long[][][] since;
    private final long[][][] latency;
    private final boolean[] zooKeeperCut;

    SimNetwork(World world, int cells) {
        this.world = world;
        cut = new boolean[Kind.values().length][cells][cells];
        since = new long[Kind.values().length][cells][cells];
        latency = new long[Kind.values().length][cells][cells];
        zooKeeperCut = new boolean[cells];
    }

    /** Cuts what goes from one cell to another; the opposite direction stays. */
    void cut(Kind kind, SimCell from, SimCell to) {
        if (!cut[kind.ordinal()][from.index()][to.index()]) {
            world.note(from.label(), "cut " + kind + " to", to.name(), null);
            cut[kind.ordinal()][from.index()][to.index()] = true;
            since[kind.ordinal()][from.index()][to.index()] = world.now();
            changed(kind, from, to);
        }
    }

    void heal(Kind kind, SimCell from, SimCell to) {
        if (cut[kind.ordinal()][from.index()][to.index()]) {
            world.note(from.label(), "heal " + kind + " to", to.name(), null);
            cut[kind.ordinal()][from.index()][to.index()] = false;
            since[kind.ordinal()][from.index()][to.index()] = world.now();
            changed(kind, from, to);
        }
    }

    void cutBoth(Kind kind, SimCell one, SimCell other) {
        cut(kind, one, other);
        cut(kind, other, one);
    }

    /** Cuts a cell off from all other cells, both ways; ZooKeeper is another matter. */
    void isolate(SimCell cell) {
        for (SimCell other : world.cells()) {
            if (other != cell) {
                cutBoth(Kind.LINKS, cell, other);
                cutBoth(Kind.WAL, cell, other);
            }
        }
    }

    void healAll() {
        for (SimCell one : world.cells()) {
            cutZooKeeper(one, false);
            for (SimCell other : world.cells()) {
                for (Kind kind : Kind.values()) {
                    heal(kind, one, other);
                    slow(kind, one, other, 0);
                }
            }
        }
    }

    /** Everything that goes this way takes so much longer. */
    void slow(Kind kind, SimCell from, SimCell to, long micros) {
        if (latency[kind.ordinal()][from.index()][to.index()] != micros) {
            world.note(from.label(), "latency of " + kind + " in us", micros, to.name());
            latency[kind.ordinal()][from.index()][to.index()] = micros;
        }
    }

    long latency(Kind kind, SimCell from, SimCell to) {
        return latency[kind.ordinal()][from.index()][to.index()];
    }

    /** Whether a packet gets through. */
    boolean open(Kind kind, SimCell from, SimCell to) {
        return !cut[kind.ordinal()][from.index()][to.index()];
    }

    /** Whether a connection can be made, and an old one lives on. */
    boolean openBothWays(Kind kind, SimCell one, SimCell other) {
        return open(kind, one, other) && open(kind, other, one);
    }

    /** Whether nothing is wrong between two cells, nor between the first one and ZooKeeper. */
    boolean whole(SimCell one, SimCell other) {
        for (Kind kind : Kind.values()) {
            if (!openBothWays(kind, one, other) || latency(kind, one, other) > 0 || latency(kind, other, one) > 0) {
                return false;
            }
        }
        return reachesZooKeeper(one);
    }

    /** Whether data still flow in this direction: one that gets no acknowledgements dries up after a while. */
    boolean flows(Kind kind, SimCell from, SimCell to) {
        return open(kind, from, to)
                && (open(kind, to, from)
                        || world.now() - since[kind.ordinal()][to.index()][from.index()] < USER_TIMEOUT);
    }

    long changedAt(Kind kind, SimCell from, SimCell to) {
        return since[kind.ordinal()][from.index()][to.index()];
    }

    void cutZooKeeper(SimCell cell, boolean off) {
        if (zooKeeperCut[cell.index()] != off) {
            world.note(cell.label(), off ? "cut off from ZooKeeper" : "reaches ZooKeeper again", null, null);
            zooKeeperCut[cell.index()] = off;
            world.ensemble.reachabilityChanged(cell);
        }
    }

    boolean reachesZooKeeper(SimCell cell) {
        return !zooKeeperCut[cell.index()];
    }

    private void changed(Kind kind, SimCell from, SimCell to) {
        switch (kind) {
            case WAL -> {
                from.postgres().pathChanged(to);
                to.postgres().pathChanged(from);
            }
            case LINKS -> {
                // messages look at the path when they travel
            }
        }
    }
}
