package org.cellkeeper.cell.model;

/** Where the other cells and the clients reach a cell. Ports are TCP ports. */
public record Address(String host, int postgresPort, int apiPort, int linkPort) {
    public String words() {
        return host + " (PostgreSQL " + postgresPort + ", API " + apiPort + ", agent " + linkPort + ")";
    }
}
