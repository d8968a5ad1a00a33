package org.cellkeeper.cell.sim;

/** One who comes to a door, and minds only whether he gets through. */
record Passer(Runnable through) implements DoorState.Client {
    @Override
    public void goesOn() {
        through.run();
    }

    @Override
    public void isCutOff() {
        // He comes no more.
    }
}
