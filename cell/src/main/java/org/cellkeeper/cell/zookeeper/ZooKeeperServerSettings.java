package org.cellkeeper.cell.zookeeper;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;

/**
 * One member of the ensemble, and the others that it knows.
 *
 * @param folder where it keeps its data and its configuration
 * @param self its own number, a key of {@code servers}
 * @param servers all members by number, from 1
 * @param tls how it is encrypted; null when nothing is
 */
public record ZooKeeperServerSettings(
        String folder,
        int self,
        SortedMap<Integer, Server> servers,
        @Nullable Tls tls) {
    public static final int CLIENT_PORT = 2181;
    public static final int FOLLOWER_PORT = 2888;
    public static final int ELECTION_PORT = 3888;

    /** Where a member listens; each port on this host's own address alone. */
    public record Server(String host, int clientPort, int followerPort, int electionPort) {
        public static Server at(String host) {
            return new Server(host, CLIENT_PORT, FOLLOWER_PORT, ELECTION_PORT);
        }
    }

    /**
     * Encrypted connections, with a certificate at either end.
     *
     * @param own the file of the key and the certificate of this member
     * @param authorities the file of those that are believed
     * @param encryption another one than OFF
     */
    public record Tls(String own, String authorities, Encryption encryption) {
        public Tls(TrustFolder folder, Encryption encryption) {
            this(folder.own().toString(), folder.authorities().toString(), encryption);
        }
    }

    public ZooKeeperServerSettings {
        servers = new TreeMap<>(servers);
        if (!servers.containsKey(self)) {
            throw new IllegalArgumentException("server " + self + " is none of " + servers.keySet());
        }
        if (servers.firstKey() < 1 || servers.lastKey() > 255) {
            throw new IllegalArgumentException("servers are numbered from 1 to 255, not " + servers.keySet());
        }
    }

    public Server own() {
        Server own = servers.get(self);
        if (own == null) {
            throw new IllegalStateException("server " + self + " is missing");
        }
        return own;
    }

    /** The hosts of all members, the first being server 1; null when the numbers have a gap. */
    @Nullable
    List<String> hosts() {
        return servers.lastKey() == servers.size()
                ? servers.values().stream().map(Server::host).toList()
                : null;
    }

    /** {@code zoo.cfg}. What makes it short of time is said in {@link ZooKeeperServer}. */
    public String configuration() {
        StringBuilder text = new StringBuilder();
        settings()
                .forEach((key, value) ->
                        text.append(key).append('=').append(value).append('\n'));
        servers.forEach((number, server) -> text.append("server.%d=%s:%d:%d\n"
                .formatted(number, inBrackets(server.host()), server.followerPort(), server.electionPort())));
        return text.toString();
    }

    /** ZooKeeper tells the colons of an IPv6 address from those of the ports by them. */
    private static String inBrackets(String host) {
        return host.contains(":") ? "[" + host + "]" : host;
    }

    private Map<String, String> settings() {
        Map<String, String> all = new TreeMap<>(general());
        if (tls != null) {
            all.putAll(encrypted(tls));
        }
        return all;
    }

    /** Between the servers; the clients' port is plain to ZooKeeper ({@link ClientEntrance}). */
    private static Map<String, String> encrypted(Tls tls) {
        Map<String, String> all = new TreeMap<>();
        all.put("serverCnxnFactory", "org.apache.zookeeper.server.NettyServerCnxnFactory");
        all.put("ssl.quorum.keyStore.location", tls.own());
        all.put("ssl.quorum.trustStore.location", tls.authorities());
        all.put("ssl.quorum.clientAuth", "need");
        all.put("ssl.quorum.hostnameVerification", "true");
        all.put("sslQuorumReloadCertFiles", "true");
        all.put("sslQuorum", String.valueOf(tls.encryption().speaks()));
        if (!tls.encryption().demands()) {
            all.put("portUnification", "true");
        }
        return all;
    }

    private Map<String, String> general() {
        return new TreeMap<>(Map.ofEntries(
                Map.entry("dataDir", folder + "/data"),
                Map.entry("clientPort", Integer.toString(own().clientPort())),
                Map.entry("clientPortAddress", own().host()),
                Map.entry("tickTime", "500"),
                Map.entry("initLimit", "20"),
                Map.entry("syncLimit", "4"),
                Map.entry("connectToLearnerMasterLimit", "4"),
                Map.entry("minSessionTimeout", "1000"),
                Map.entry("maxSessionTimeout", "60000"),
                Map.entry("maxClientCnxns", "100"),
                Map.entry("quorumListenOnAllIPs", "false"),
                Map.entry("admin.enableServer", "false"),
                Map.entry("4lw.commands.whitelist", "srvr,ruok"),
                Map.entry("autopurge.snapRetainCount", "3"),
                Map.entry("autopurge.purgeInterval", "1")));
    }
}
