package org.cellkeeper.cell.zookeeper;

import java.time.Duration;
import java.util.List;

/**
 * How a cell reaches its ensemble.
 *
 * @param servers {@code host:port} of the ensemble's members, an IPv6 address in brackets; the nearest first, for that one is tried first
 * @param basePath the node that everything of this cluster lies under
 * @param secret what the cells of a cluster have in common; it opens their nodes to them alone
 * @param sessionTimeout how long ZooKeeper keeps the ephemeral nodes of a cell that it does not hear from
 */
public record CoordinationSettings(List<String> servers, String basePath, String secret, Duration sessionTimeout) {
    public static final String DEFAULT_BASE_PATH = "/cluster";
    public static final Duration DEFAULT_SESSION_TIMEOUT = Duration.ofSeconds(4);

    public CoordinationSettings {
        servers = List.copyOf(servers);
        if (servers.isEmpty()) {
            throw new IllegalArgumentException("an ensemble has at least one server");
        }
        for (String server : servers) {
            if (!server.matches("([^:/]+|\\[[^/\\]]+]):[0-9]{1,5}")) {
                throw new IllegalArgumentException("not host:port: '" + server + "'");
            }
        }
        if (!basePath.matches("(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")) {
            throw new IllegalArgumentException("not a base path: '" + basePath + "'");
        }
        if (secret.isEmpty()) {
            throw new IllegalArgumentException("the cluster's secret is empty");
        }
    }

    @Override
    public String toString() {
        return "CoordinationSettings[servers=" + servers + ", basePath=" + basePath + ", secret=*, sessionTimeout="
                + sessionTimeout + "]";
    }
}
