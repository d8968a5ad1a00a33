package org.cellkeeper.cell.app;

import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.trust.Credentials;

/**
 * What the app must know of the cell's configuration and program.
 *
 * @param address where clients reach this cell; its host is what the registry tells
 * @param listenHost where this cell's own PostgreSQL is reached from here
 * @param passwords what the role's password may be, the likeliest first
 * @param version of the program
 * @param credentials what its sessions show and believe
 * @param built when the program was made, ISO 8601
 */
public record AppSettings(
        Address address,
        String listenHost,
        String role,
        String database,
        Supplier<List<String>> passwords,
        String version,
        String built,
        Credentials credentials,
        Pace pace) {

    /**
     * How often things are done.
     *
     * @param look how often the app looks at the cluster
     * @param quiet for so long after a change of primary, or of its health, nothing is done
     * @param heartbeat how often a cell says that it is there
     * @param active a cell that has not said so for longer is not active
     * @param copy how often the primary looks for new entries of the history
     */
    public record Pace(Duration look, Duration quiet, Duration heartbeat, Duration active, Duration copy) {
        public static Pace usual() {
            return new Pace(
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(3),
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(5));
        }
    }

    @Override
    public String toString() {
        return "AppSettings[" + address + ", " + role + "@" + database + "]";
    }
}
