package org.cellkeeper.cell.port;

import java.io.IOException;

/** One ensemble and the clients of it that a contract needs. */
public interface CoordinationBench {
    /** A new client of the one ensemble. */
    Coordination client();

    /** Ends a client in good order: its session goes at once. */
    void end(Coordination client);

    /** Whether the bench can part a client from the ensemble. */
    boolean canCutOff();

    /** From now on nothing gets through between the client and the ensemble. */
    void cutOff(Coordination client);

    void reconnect(Coordination client);

    /** Ends all clients and whatever the bench needed for them. */
    void close() throws IOException;
}
