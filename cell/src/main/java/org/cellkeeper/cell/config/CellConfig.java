package org.cellkeeper.cell.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellSettings.IsolationResponse;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/**
 * A cell's configuration, complete and checked. It holds no secret, only where the secrets are, so it may be printed.
 *
 * @param dataDir the folder of everything that the cell keeps
 * @param transferFolder where the transfer share is mounted; null when there is none
 */
public record CellConfig(
        CellName name,
        String host,
        Path dataDir,
        int priority,
        String faultDomain,
        Cluster cluster,
        Ports ports,
        Failover failover,
        ZooKeeper zookeeper,
        Duration sessionTimeout,
        Postgres postgres,
        Door door,
        @Nullable Path transferFolder,
        Passwords passwords,
        Trust trust,
        @Nullable Tls tls,
        Duration heartbeat,
        Duration guardTimeout,
        CellSettings.Timing timing) {

    public record Cluster(String name, SideFile secret) {
        /** What the cells have in common: the one that signs first, and all that are believed. */
        public List<byte[]> secrets() {
            return SecretsFile.of(secret.content()).secrets();
        }
    }

    public record Ports(
            int postgres, int api, int link, int zookeeperClient, int zookeeperQuorum, int zookeeperElection) {}

    /**
     * How the primary is chosen and replaced.
     *
     * @param bootstrapPrimary the cell that founds a new cluster; null when any may
     */
    public record Failover(
            FailoverMode initialMode,
            @Nullable CellName bootstrapPrimary,
            IsolationResponse isolationResponse,
            int minStandbysAfterFailover) {}

    /** The ZooKeeper ensemble. */
    public sealed interface ZooKeeper {
        /** How an ensemble of others is reached. */
        enum Transport {
            PLAIN,
            TLS
        }

        /** Each server as {@code host:port}. */
        List<String> addresses();

        /** Of those that run on these hosts; of all where others run them. */
        default List<String> addresses(List<String> hosts) {
            return addresses();
        }

        /** Where cells run the servers, the first being server 1; empty where others do. */
        default List<String> hosts() {
            return List.of();
        }

        /** The cell that runs each server, by its address; none where others run them. */
        default Map<String, CellName> owners() {
            return Map.of();
        }

        /** The server that this cell runs; empty when it runs none. */
        default Optional<Server> of(CellName cell) {
            return Optional.empty();
        }

        /** Run by these cells. */
        record Cells(List<Server> servers, int clientPort) implements ZooKeeper {
            @Override
            public List<String> addresses() {
                return addresses(hosts());
            }

            @Override
            public List<String> addresses(List<String> hosts) {
                return hosts.stream().map(this::addressOf).toList();
            }

            /** The server on this host, as in the connect string. */
            public String addressOf(String host) {
                return hostInUrl(host) + ":" + clientPort;
            }

            @Override
            public List<String> hosts() {
                return servers.stream().map(Server::host).toList();
            }

            @Override
            public Map<String, CellName> owners() {
                return servers.stream().collect(Collectors.toMap(server -> addressOf(server.host()), Server::cell));
            }

            @Override
            public Optional<Server> of(CellName cell) {
                return servers.stream()
                        .filter(server -> server.cell().equals(cell))
                        .findFirst();
            }
        }

        /**
         * Run by others.
         *
         * @param path the node that the cluster is to lie below; empty for the root
         * @param transport how it is reached
         */
        record External(List<String> addresses, String path, Transport transport) implements ZooKeeper {
            public External {
                addresses = List.copyOf(addresses);
            }
        }
    }

    /**
     * A server of the ensemble.
     *
     * @param id its number there
     */
    public record Server(int id, CellName cell, String host) {}

    /** The local PostgreSQL. */
    public record Postgres(Installations programs, String osUser, Map<String, String> settings, Clients clients) {}

    /**
     * Who comes to PostgreSQL over the network.
     *
     * @param networks from where, as CIDR
     * @param plaintext whether encryption is left to them where it is required of cells
     * @param hba further lines of pg_hba.conf
     */
    public record Clients(List<String> networks, boolean plaintext, List<String> hba) {}

    /**
     * What clients may come through.
     *
     * @param maxLag a standby that is further behind is not read from
     */
    public record Door(Software software, int port, Duration maxLag) {
        public enum Software {
            PGBOUNCER,
            NONE
        }
    }

    /**
     * Who is known by what.
     *
     * @param monitor null when the API has no such user
     * @param users further users of the API; null when there are none
     */
    public record Passwords(
            SideFile root,
            SideFile vcloud,
            @Nullable SideFile monitor,
            @Nullable SideFile users) {
        /** All who may use the API. */
        public List<ApiUser> api() {
            List<ApiUser> all = new ArrayList<>();
            all.add(new ApiUser(ApiUser.ROOT, ApiUser.Role.ROOT, new ApiUser.Secret.Password(root.password())));
            if (monitor != null) {
                all.add(new ApiUser(
                        ApiUser.MONITOR, ApiUser.Role.MONITOR, new ApiUser.Secret.Password(monitor.password())));
            }
            if (users != null) {
                all.addAll(UsersFile.of(users.text()).users());
            }
            return List.copyOf(all);
        }
    }

    public record Tls(SideFile certificate, SideFile key) {}

    /**
     * How cells know each other.
     *
     * @param files null when this cell has no certificate; then nothing is encrypted
     */
    public record Trust(Encryption encryption, @Nullable TrustFiles files) {}

    /** The authorities, this cell's certificate, and its key. */
    public record TrustFiles(SideFile ca, SideFile certificate, SideFile key) {}

    /**
     * Puts it together.
     *
     * @param judges of values whose form alone does not tell; null when nobody is to be asked
     * @param known one that was good: nobody is asked about the same again
     */
    static CellConfig of(Settings from, @Nullable Judges judges, @Nullable Kept known) throws InvalidConfiguration {
        return new Draft(from, known).finish(judges, false);
    }

    /** Puts it together, and asks about everything. {@code before} is what this cell ran with. */
    static CellConfig anew(Settings from, Judges judges, @Nullable Kept before) throws InvalidConfiguration {
        return new Draft(from, before).finish(judges, true);
    }

    /** PostgreSQL's data directory. */
    public Path database() {
        return database(dataDir);
    }

    static Path database(Path dataDir) {
        return dataDir.resolve("postgres/data");
    }

    public Address address() {
        return new Address(host, ports.postgres(), ports.api(), ports.link());
    }

    /** What the core must know of it. */
    public CellSettings settings() {
        return new CellSettings(
                        name,
                        address(),
                        priority,
                        faultDomain,
                        failover.bootstrapPrimary(),
                        failover.initialMode(),
                        failover.isolationResponse(),
                        failover.minStandbysAfterFailover(),
                        timing)
                .withServers(zookeeper.hosts(), "");
    }

    /** Where the API is served. */
    public String url() {
        return "https://" + hostInUrl(host) + ":" + ports.api();
    }

    private static String hostInUrl(String host) {
        return host.contains(":") ? "[" + host + "]" : host;
    }

    /** What this cell runs of the ensemble; null when that is nothing. */
    public @Nullable Server ownServer() {
        return zookeeper.of(name).orElse(null);
    }
}
