package org.cellkeeper.cell.loop;

import org.cellkeeper.cell.port.Clock;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Database;
import org.cellkeeper.cell.port.Door;
import org.cellkeeper.cell.port.Journal;
import org.cellkeeper.cell.port.Peers;

/** All that the loop needs from outside. */
public record Ports(
        Clock clock, Coordination coordination, Database database, Door door, Peers peers, Journal journal) {}
