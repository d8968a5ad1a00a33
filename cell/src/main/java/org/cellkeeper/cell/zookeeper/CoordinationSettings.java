package org.cellkeeper.cell.zookeeper;

import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;

/**
 * How a cell reaches its ensemble.
 *
 * @param servers {@code host:port} of the ensemble's members, an IPv6 address in brackets; the nearest first, for that one is tried first
 * @param basePath the node that everything of this cluster lies under
 * @param secrets what the cells of a cluster have in common, the first one first; they open their nodes to them alone. They may become others
 * @param names by which people are told of them, in the same order
 * @param sessionTimeout how long ZooKeeper keeps the ephemeral nodes of a cell that it does not hear from
 * @param own whether cells run the ensemble: then nobody else makes anything at its root
 * @param trust what encrypted connections are made with; null for such as are not
 */
public record CoordinationSettings(
        List<String> servers,
        String basePath,
        Supplier<List<String>> secrets,
        Supplier<List<String>> names,
        Duration sessionTimeout,
        boolean own,
        @Nullable TrustFolder trust) {
    public static final String DEFAULT_BASE_PATH = "/cluster";
    public static final Duration DEFAULT_SESSION_TIMEOUT = Duration.ofSeconds(4);

    /** An ensemble of others, not encrypted. */
    public CoordinationSettings(List<String> servers, String basePath, String secret, Duration sessionTimeout) {
        this(servers, basePath, secret, sessionTimeout, false, null);
    }

    /** With one secret that stays. */
    public CoordinationSettings(
            List<String> servers,
            String basePath,
            String secret,
            Duration sessionTimeout,
            boolean own,
            @Nullable TrustFolder trust) {
        this(servers, basePath, () -> List.of(secret), () -> List.of("the only one"), sessionTimeout, own, trust);
    }

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
        if (secrets.get().isEmpty() || secrets.get().contains("")) {
            throw new IllegalArgumentException("the cluster's secret is empty");
        }
    }

    @Override
    public String toString() {
        return "CoordinationSettings[servers=" + servers + ", basePath=" + basePath + ", secrets=*, sessionTimeout="
                + sessionTimeout + "]";
    }
}
