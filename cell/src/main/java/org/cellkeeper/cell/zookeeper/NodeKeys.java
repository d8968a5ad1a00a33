package org.cellkeeper.cell.zookeeper;

import java.nio.charset.StandardCharsets;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/**
 * By what the cells' nodes are opened: this cell shows what is made from each of the cluster's secrets that it lists, and leaves each
 * node that it makes open to all that any cell lists. A node knows them by digests. Any thread may use it.
 */
final class NodeKeys {
    static final String SCHEME = "digest";

    private final Supplier<List<String>> secrets;
    private volatile Own own;
    private volatile Set<String> others = Set.of();

    private record Own(List<String> secrets, List<String> digests) {
        @Override
        public String toString() {
            return "Own[***]";
        }
    }

    NodeKeys(Supplier<List<String>> secrets) {
        this.secrets = secrets;
        this.own = own(secrets.get());
    }

    private static Own own(List<String> secrets) {
        try {
            Set<String> digests = new LinkedHashSet<>();
            for (String secret : secrets) {
                digests.add(DigestAuthenticationProvider.generateDigest(user(secret)));
            }
            return new Own(List.copyOf(secrets), List.copyOf(digests));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java lacks what ZooKeeper's digests need", e);
        }
    }

    private static String user(String secret) {
        return "cell:" + secret;
    }

    /** It is made anew when the secrets are others. */
    private Own own() {
        List<String> now = secrets.get();
        Own known = own;
        if (!known.secrets.equals(now)) {
            known = own(now);
            own = known;
        }
        return known;
    }

    /** What a session shows. */
    List<byte[]> shown() {
        return own().secrets.stream()
                .map(secret -> user(secret).getBytes(StandardCharsets.UTF_8))
                .toList();
    }

    /** Those of this cell, the first one first. */
    List<String> digests() {
        return own().digests;
    }

    /** What the other cells list. */
    void othersList(Collection<String> digests) {
        others = Set.copyOf(digests);
    }

    /** All by which nodes are to be opened. */
    Set<String> all() {
        Set<String> all = new TreeSet<>(digests());
        all.addAll(others);
        return all;
    }

    /** What a node is made with. */
    List<ACL> acl() {
        return acl(all());
    }

    static List<ACL> acl(Collection<String> digests) {
        return digests.stream()
                .map(digest -> new ACL(ZooDefs.Perms.ALL, new Id(SCHEME, digest)))
                .toList();
    }
}
